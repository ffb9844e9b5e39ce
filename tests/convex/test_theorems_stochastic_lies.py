"""A problem that lies where only the run goes is refused by a hypothesis: no true theorem is called violated or refuted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from convex.adaptive import sign_descent
from convex.theorems.stochastic.cases import accelerated, adagrad
from convex.theorems.stochastic.instances import Corner, line_noise, rotated
from convex.theorems.stochastic.runs import every_path, exactly, seeded
from problems.domains import Box, L2Ball
from problems.operators import DiagonalOperator
from problems.smooth import EntryNoise, FactorNoise, NoNoise, SmoothQuadratic, from_arrays
from problems.smooth.audit import audit
from problems.smooth.drawn import copies, departure, dependence, excess, known_variance
from structures import Diagonal, Full, Scalar
from theory import get, verify

SHARP, NONCONVEX, FAST, STEEPEST = (
    get(name) for name in ("stochastic-smooth-sharp", "nonconvex-stationarity", "accelerated", "steepest-descent")
)
SIGNS = FactorNoise(np.ones((1, 1)), "signs")


@dataclass(frozen=True, eq=False, repr=False)
class TurnedBetween(Corner):
    """The gradient of a corner, five times as long and turned round in a zone."""

    zone: tuple[float, float] = (0.8999, 0.9021)

    def gradient(self, x):
        g = super().gradient(x)
        return np.where((x > self.zone[0]) & (x < self.zone[1]), -5.0 * g, g)


@dataclass(frozen=True, eq=False, repr=False)
class RaisedBetween(Corner):
    """The value of a corner, raised in a zone."""

    def value(self, x):
        return super().value(x) + np.where((x[..., 0] > 0.3) & (x[..., 0] < 0.32), 100.0, 0.0)


def test_a_gradient_or_value_that_is_wrong_on_part_of_the_way_is_noticed():
    slow = TurnedBetween(np.array([1e-3]), NoNoise(), 0.1)
    honest = Corner(np.array([1e-3]), NoNoise(), 0.1)
    runs = {p: exactly(adagrad(Diagonal((1,)), 1.0, 1.0), p, np.ones(1), 300) for p in (slow, honest)}
    assert verify(NONCONVEX, runs[slow]).kind == "HYPOTHESIS_FAILED"
    assert verify(NONCONVEX, runs[honest]).ok
    slope = np.array([2**0.5 / 400])
    raised, plain = RaisedBetween(slope, NoNoise(), 0.07), Corner(slope, NoNoise(), 0.07)
    kinds = [
        verify(SHARP, exactly(adagrad(Diagonal((1,)), 2**-0.5, 1.0), p, np.ones(1), 400)).kind for p in (raised, plain)
    ]
    assert kinds == ["HYPOTHESIS_FAILED", "CONFIRMED"]


class Repeated:
    """A stream that says the same thing all the time: once chosen for each run, or -1 for all."""

    def __init__(self, signs):
        self._signs = signs

    def draw(self, steps):
        return np.broadcast_to(self._signs[None, :, None], (steps, len(self._signs), 1)).copy()


@dataclass(frozen=True, eq=False, repr=False)
class AlwaysDown(Corner):
    def noise(self, batch=1, seed=0, first=0):
        return Repeated(-np.ones(batch))


@dataclass(frozen=True, eq=False, repr=False)
class Stuck(Corner):
    def noise(self, batch=1, seed=0, first=0):
        each = [np.random.default_rng([seed, first + k]).random() < 0.5 for k in range(batch)]
        return Repeated(np.where(each, -1.0, 1.0))


@pytest.mark.parametrize("kind", [AlwaysDown, Stuck])
def test_a_stream_that_does_not_draw_the_listed_outcomes_independently_is_noticed(kind):
    problem = kind(np.array([0.5]), SIGNS, 0.5)
    run = seeded(adagrad(Diagonal((1,)), 0.7, 1e-6, Box(1.0)), problem, np.zeros(1), 300, seeds=40)
    verdict = verify(SHARP, run)
    assert verdict.kind == "HYPOTHESIS_FAILED" and "drawn" in str(verdict)
    assert any("independent" in said or "listed outcomes" in said for said in audit(problem))


class Shared:
    """The draws of a few runs, handed out to many."""

    def __init__(self, stream, pick):
        self._stream, self._pick = stream, pick

    def draw(self, steps):
        return self._pick(self._stream.draw(steps))


@dataclass(frozen=True, eq=False, repr=False)
class FiveStreams(Corner):
    def noise(self, batch=1, seed=0, first=0):
        return Shared(super().noise(min(batch, 5), seed, first), lambda d: d[:, np.arange(batch) % d.shape[1]])


@dataclass(frozen=True, eq=False, repr=False)
class Mirrored(Corner):
    def noise(self, batch=1, seed=0, first=0):
        half = super().noise(-(-batch // 2), seed, first)
        return Shared(half, lambda d: np.concatenate([d, -d], axis=1)[:, :batch])


@dataclass(frozen=True, eq=False, repr=False)
class UphillInABatch(Corner):
    """The first of forty runs has the right gradient."""

    def stochastic_gradient(self, x, draw):
        g = super().stochastic_gradient(x, draw)
        return np.where(np.arange(40)[:, None] > 0, -g, g) if x.shape == (40, 1) else g


@pytest.mark.parametrize("noise", [SIGNS, EntryNoise(0.3)], ids=["signs", "normal"])
@pytest.mark.parametrize(
    ("kind", "name"), [(FiveStreams, "drawn"), (Mirrored, "drawn"), (UphillInABatch, "played"), (Corner, None)]
)
def test_runs_that_are_not_each_their_own_are_noticed(kind, name, noise):
    problem = kind(np.array([0.5]), noise, 0.5)
    run = seeded(adagrad(Diagonal((1,)), 0.7, 1e-6, Box(1.0)), problem, np.zeros(1), 100, seeds=40)
    verdict = verify(SHARP, run)
    assert verdict.evidence.get("assumption") == name and (verdict.kind == "HYPOTHESIS_FAILED") == (name is not None)


def test_equal_runs_are_counted_against_what_chance_makes_equal():
    signs = np.where(np.random.default_rng(0).random((60, 30, 1)) < 0.5, -1.0, 1.0)
    assert copies(signs, 0.5) == "" and copies(signs[:3], 0.5) == ""  # of three steps many runs are equal
    twins = np.concatenate([signs, signs[:, :2]], axis=1)
    assert copies(twins, 0.5) == "2 pairs of runs share all of their draws" and copies(twins, 1.0) == ""
    normal = np.random.default_rng(0).standard_normal((100, 30, 2))
    assert copies(normal[:1]) == "" and copies(normal[:1, :1]) == ""  # one step does not show how often draws are equal
    assert copies(normal) == "" and "1 pairs" in copies(np.concatenate([normal, normal[:, :1]], axis=1))


def test_an_honest_stream_passes_and_the_statistics_are_those_of_the_definition():
    problem = Corner(np.array([0.5]), SIGNS, 0.5)
    run = seeded(adagrad(Diagonal((1,)), 0.7, 1e-6, Box(1.0)), problem, np.zeros(1), 300, seeds=40)
    assert verify(SHARP, run).ok is not False and audit(problem) == []
    outcomes = problem.outcomes()
    assert departure(np.ones((10, 1, 1)), outcomes) == "" and "none of" in departure(np.full((9, 1, 1), 0.5), outcomes)
    assert "probability 0.5 was drawn" in departure(np.ones((1000, 1, 1)), outcomes)
    turns = np.where(np.arange(1000) % 2 == 0, 1.0, -1.0)[:, None, None]
    assert "repeat" in departure(turns, outcomes) and "repeat" in departure(np.moveaxis(turns, 0, 1), outcomes)
    assert excess(np.array([3.0, 4.0]), 1.0) == pytest.approx(7 / (8 + 32 * 4)) and excess(np.zeros(4), 0.0) == 0
    signs = np.where(np.random.default_rng(0).random((400, 2, 1)) < 0.5, -1.0, 1.0)
    unit = known_variance(DiagonalOperator(np.ones(1)))
    assert dependence(signs, unit) < 1 < dependence(np.ones((400, 2, 1)), unit) and dependence(signs[:1, :1], unit) == 0


def test_a_rare_large_outcome_that_was_not_drawn_accuses_nobody():
    """Rows of size 110 and .01 by importance; one outlier of 3e3 among 200 rows, and in mini-batches too many to be listed."""
    rare = from_arrays(np.array([[110.0], [0.01]]), np.array([1.0, -1.0]), "huber", sampling="importance")
    run = seeded(adagrad(Diagonal((1,)), 0.7, 1e-6, Box(2.0)), rare, np.zeros(1), 60, seeds=20)
    assert verify(SHARP, run).ok is not False and not any("independent" in said for said in audit(rare))
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 2))
    rows[0] *= 3e3
    sides = np.where(rng.random(200) < 0.5, -1, 1)
    for minibatch in (1, 2):
        outlier = from_arrays(rows, sides, alpha=0.1, minibatch=minibatch)
        assert (outlier.outcomes() is None) == (minibatch == 2)
        for seed in range(3):
            method = adagrad(Diagonal((2,)), 0.7, 1e-6, Box(5.0))
            assert (
                verify(SHARP, seeded(method, outlier, np.zeros(2), 30, seeds=5, seed=seed)).kind != "HYPOTHESIS_FAILED"
            )


@dataclass(frozen=True, eq=False, repr=False)
class BiasedBeyond(Corner):
    """The gradient is that of another function where the second entry is positive."""

    def stochastic_gradient(self, x, draw):
        g = super().stochastic_gradient(x, draw)
        return np.where(x[..., 1:] > 0.02, np.stack([self.gradient(x)[..., 0] - 1.0, g[..., 1]], -1), g)


def test_a_bias_is_noticed_at_every_point_of_the_run_not_only_at_its_ends():
    problem = BiasedBeyond(np.array([0.5, 1e-9]), FactorNoise(np.eye(2), "signs"), 0.5)
    run = seeded(adagrad(Diagonal((2,)), 0.7, 1e-6, Box(1.0)), problem, np.zeros(2), 100, seeds=20, seed=4)
    assert verify(SHARP, run).kind == "HYPOTHESIS_FAILED"


@dataclass(frozen=True, eq=False, repr=False)
class BiasedAway(Corner):
    def stochastic_gradient(self, x, draw):
        g = super().stochastic_gradient(x, draw)
        return np.where(np.abs(x) > 1e-6, g - 1.5 * self.gradient(x), g)


@dataclass(frozen=True, eq=False, repr=False)
class LouderAway(Corner):
    def stochastic_gradient(self, x, draw):
        noise = super().stochastic_gradient(x, draw) - self.gradient(x)
        return self.gradient(x) + np.where(np.abs(x) > 1e-6, 100.0 * noise, noise)


@pytest.mark.parametrize(("kind", "name"), [(BiasedAway, "unbiased"), (LouderAway, "noise"), (Corner, None)])
def test_gaussian_noise_is_looked_at_where_the_run_goes(kind, name):
    problem = kind(np.array([0.5]), EntryNoise(0.3), 0.5)
    for theorem, method in (
        (SHARP, adagrad(Diagonal((1,)), 0.7, 1e-6, Box(1.0))),
        (STEEPEST, sign_descent((1,), 0.01)),
    ):
        run = seeded(method, problem, np.zeros(1), 200, seeds=40)
        if name is None:
            assert verify(theorem, run).ok is not False
        else:
            hypothesis = next(a for a in theorem.assumptions if a.name == name)
            assert verify(theorem, run).kind == "HYPOTHESIS_FAILED" and hypothesis.check(run).ok is False


@dataclass(frozen=True, eq=False, repr=False)
class SpikeHidden(SmoothQuadratic):
    """A Hessian with one eigenvalue of 20 that declares 1.3 I."""

    @property
    def curvature(self):
        return DiagonalOperator(1.3 * np.ones(self.shape))


def test_a_hidden_eigenvalue_of_300_is_noticed_where_the_run_never_meets_it():
    d = 300
    hessian = DiagonalOperator(np.where(np.arange(d) == 0, 20.0, 1.0))
    x0 = np.where(np.arange(d) == 0, 0.0, 1.0)
    lying, honest = SpikeHidden(hessian, np.zeros(d)), SmoothQuadratic(hessian, np.zeros(d))
    assert any("curvature" in said for said in audit(lying)) and audit(honest) == []
    for theorem, method in (
        (SHARP, adagrad(Diagonal((d,)), 0.7)),
        (NONCONVEX, adagrad(Scalar((d,)), 0.7)),
        (FAST, accelerated(Scalar((d,)), 1.0)),
    ):
        assert verify(theorem, exactly(method, lying, x0, 10)).kind == "HYPOTHESIS_FAILED"
        assert verify(theorem, exactly(method, honest, x0, 10)).ok is not False


def test_all_paths_of_an_honest_problem_are_looked_at_once_each():
    from convex.theorems.stochastic.visited import moments

    problem = rotated((2,), line_noise((2,), 0.3, 2))
    run = every_path(adagrad(Diagonal((2,)), 0.5, 1e-2), problem, np.ones(2), 4)
    t, b = moments(run, 2)
    assert len(t) == 1 + 4 + 16 + 64
    assert len(np.unique(run.points[t, b], axis=0)) == len(np.unique(run.points.reshape(-1, 2), axis=0))


def test_noise_that_is_rounding_or_of_low_rank_is_seen_by_its_majorant():
    """One sample, whose gradient has no noise but rounding; fewer samples than parameters, in the full structure."""
    rng = np.random.default_rng(2)
    one = from_arrays(np.array([[-0.109, 0.602]]), np.array([2.5]), "least_squares", weights=np.array([0.8877]))
    few = from_arrays(rng.standard_normal((3, 5)), np.array([1, -1, 1]), alpha=0.1, sampling="importance")
    for problem, domain in ((one, L2Ball(30.0)), (few, L2Ball(20.0))):
        run = seeded(adagrad(Full(problem.shape), 0.5, 1e-4, domain), problem, np.zeros(problem.shape), 20, seeds=5)
        assert verify(SHARP, run).kind != "HYPOTHESIS_FAILED"


def test_a_run_is_judged_in_double_precision_only_and_has_a_step():
    problem = Corner(np.array([0.5]), NoNoise(), 0.5)
    with pytest.raises(ValueError, match="double precision"):
        exactly(adagrad(Diagonal((1,)), 1.0), problem, np.ones(1, dtype=np.float32), 3)
    with pytest.raises(ValueError, match="at least one step"):
        exactly(adagrad(Diagonal((1,)), 1.0), problem, np.ones(1), 0)
    run = exactly(adagrad(Diagonal((1,)), 1.0), problem, np.ones(1), 9)
    assert run.verify("stochastic-smooth-sharp").kind == verify(SHARP, run).kind
    with pytest.raises(KeyError):
        run.verify("no-such-theorem")
