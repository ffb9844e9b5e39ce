"""Honest runs are never refused for what chance or rounding does; what is not declared is refused with words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from convex.adaptive import SteepestDescent
from convex.theorems.stochastic import constants
from convex.theorems.stochastic.cases import accelerated, adagrad
from convex.theorems.stochastic.instances import Corner
from convex.theorems.stochastic.of_noise import NOISE, UNBIASED
from convex.theorems.stochastic.of_problem import MINIMISER
from convex.theorems.stochastic.of_run import DRAWN
from convex.theorems.stochastic.runs import exactly, seeded
from problems.domains import Box, L2Ball
from problems.operators import DiagonalOperator
from problems.smooth import EntryNoise, SmoothQuadratic, from_arrays
from structures import Diagonal, Full, Scalar
from theory import get, verify

SHARP, FAST, STEEPEST = (get(name) for name in ("stochastic-smooth-sharp", "accelerated", "steepest-descent"))


def rows(n, d, seed=0, rank=None):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, rank or d)) @ (np.eye(d) if rank is None else rng.standard_normal((rank, d)))


@dataclass(frozen=True, eq=False, repr=False)
class Louder(Corner):
    """The noise is five times of what is declared."""

    def stochastic_gradient(self, x, draw):
        return self.gradient(x) + 5.0 * (super().stochastic_gradient(x, draw) - self.gradient(x))


@pytest.mark.parametrize(("steps", "seeds"), [(1, 1), (1, 2), (16, 1), (3, 2)])
def test_a_few_draws_of_heavy_noise_accuse_nobody(steps, seeds):
    """One draw has no spread: an allowance in standard errors of what was seen would be none."""
    rng = np.random.default_rng(1)
    heavy = from_arrays(rng.standard_t(2, size=(200, 1)), np.arange(200) % 2, alpha=0.1, minibatch=7)
    assert heavy.outcomes() is None
    plain = Corner(np.array([0.5]), EntryNoise(0.3), 0.5)
    for problem in (heavy, plain):
        for seed in range(25):
            run = seeded(
                adagrad(Scalar((1,)), 0.7, 1e-6, Box(2.0)), problem, np.zeros(1), steps, seeds=seeds, seed=seed
            )
            assert NOISE.check(run).ok and DRAWN.check(run).ok and UNBIASED.check(run).ok


def test_noise_that_is_louder_than_declared_is_noticed():
    loud = Louder(np.array([0.5]), EntryNoise(0.3), 0.5)
    for steps, seeds in ((1, 1), (20, 10)):
        run = seeded(adagrad(Scalar((1,)), 0.7, 1e-6, Box(2.0)), loud, np.zeros(1), steps, seeds=seeds)
        assert NOISE.check(run).ok is False


def test_a_covariance_of_low_rank_is_seen_by_a_majorant_of_any_condition():
    for seed in range(6):
        y = np.random.default_rng(seed).standard_normal(50) * 3
        problem = from_arrays(rows(50, 6, seed, rank=1), y, "least_squares", alpha=1.0, sampling="importance")
        run = seeded(adagrad(Full((6,)), 0.1, 0.0, Box(20.0)), problem, np.ones(6), 2, seeds=5)
        assert NOISE.check(run).ok
        quarter = constants.noise_majorant(run) / 4.0
        assert NOISE.check(run.__class__(**{**vars(run), "noise": quarter})).ok is False


def test_a_gradient_that_cancels_leaves_no_noise_but_rounding():
    """One row with a weight: every gradient is exact, and small beside the products in it."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        target = rng.standard_normal(1) * 3
        problem = from_arrays(rng.standard_t(2, size=(1, 6)), target, "huber", alpha=1e-8, minibatch=7)
        start = np.asarray(problem.solution) + 0.1 * rng.standard_normal(6)
        run = seeded(adagrad(Full((6,)), 0.139, 0.01, Box(5.0)), problem, start, 10, seeds=20)
        assert verify(SHARP, run).kind != "HYPOTHESIS_FAILED"


def test_seeds_of_a_problem_without_noise_are_judged():
    """Their draws are empty, and all runs are the same one."""
    problem = SmoothQuadratic(DiagonalOperator(np.array([1.0, 3.0])), np.zeros(2))
    run = seeded(adagrad(Diagonal((2,)), 0.5, 0.0, L2Ball(3.0)), problem, np.ones(2), 50, seeds=6)
    assert run.draws is not None and run.draws.size == 0
    verdict = verify(SHARP, run)
    assert verdict.kind in ("CONFIRMED", "NOT_REFUTED", "VACUOUS"), verdict


@dataclass(frozen=True, eq=False, repr=False)
class Displaced(SmoothQuadratic):
    """Names a point beside the minimiser."""

    @property
    def solution(self):
        return self.centre + 1e-4


def test_a_run_that_starts_at_the_minimiser_is_judged_and_a_point_beside_it_is_noticed():
    problem = from_arrays(rows(20, 2), np.arange(20) % 2, alpha=0.1)
    for method in (adagrad(Diagonal((2,)), 0.5), accelerated(Diagonal((2,)), 0.5)):
        assert MINIMISER.check(exactly(method, problem, np.asarray(problem.solution), 3)).ok
    beside = Displaced(DiagonalOperator(np.ones(2)), np.zeros(2))
    for start in (beside.solution, beside.solution + 1.0):
        assert MINIMISER.check(exactly(accelerated(Diagonal((2,)), 0.5), beside, start, 3)).ok is False


def test_without_a_declared_covariance_or_a_minimiser_the_verdict_says_so():
    y = np.random.default_rng(0).standard_normal(20)
    unbounded = from_arrays(rows(20, 3), y, "least_squares", alpha=0.1, minibatch=7)
    run = seeded(SteepestDescent(Scalar((3,)), 0.1, 0.3), unbounded, np.zeros(3), 2, seeds=2)
    verdict = verify(STEEPEST, run)
    assert verdict.kind == "HYPOTHESIS_FAILED" and "keep the iterates in a domain" in str(verdict)
    apart = from_arrays(np.array([[1.0], [-1.0]]), [1, -1])
    assert apart.solution is None
    for theorem, method in (
        (SHARP, adagrad(Scalar((1,)), 0.5, 0.0, L2Ball(1.0))),
        (FAST, accelerated(Scalar((1,)), 0.5)),
    ):
        verdict = verify(theorem, exactly(method, apart, np.zeros(1), 3))
        assert verdict.kind == "HYPOTHESIS_FAILED" and "minimiser" in str(verdict)
