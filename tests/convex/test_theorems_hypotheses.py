"""The audits of a run: silent on honest problems at every scale, and not on constants, draws or records that lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from convex.theorems.audit import Sum, Terms, prox_fault, smoothness_faults
from convex.theorems.broken import Concave, DoubledProx, misdrawn, windows
from convex.theorems.comparator import minimiser, proximal_step, residual
from convex.theorems.draws import Draws, every_path, seeded
from convex.theorems.instances import tiny
from convex.theorems.outer_cases import walked
from convex.theorems.runs import outer_run, stage_run
from problems.composite import Composite
from problems.losses import LeastSquares, Logistic, Softmax
from problems.penalties import L1, BoxIndicator, ElasticNet, GroupL1, Penalty, SquaredL2, ZeroPenalty
from theory import get, verify

NS, SC, STAGE = get("dasvrda-ns"), get("dasvrda-sc"), get("dasvrda-stage-sharp")
PENALTIES = [ZeroPenalty, SquaredL2, ElasticNet, L1, BoxIndicator, GroupL1]


def honest(seed: int, scale: float, offset: float) -> list[Composite]:
    rng = np.random.default_rng(seed)
    rows = scale * rng.standard_normal((5, 3)) * np.exp(2.0 * rng.standard_normal((5, 1)))
    rows[4] = 0.0
    weights = np.array([1.0, 0.0, 2.0, 0.5, 1.0])
    losses = [
        LeastSquares(rows, offset + rng.standard_normal(5)),
        Logistic(rows, rng.choice([-1.0, 1.0], 5)),
        Softmax.from_labels(rows, rng.integers(0, 3, 5), 3),
    ]
    return [Composite(loss, weights=w) for loss in losses for w in (None, weights)]


@pytest.mark.parametrize("scale", [1e-100, 1e-3, 1.0, 1e4, 1e100])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_honest_constants_pass_at_every_scale(scale, offset):
    for seed in range(3):
        for problem in honest(seed, scale, offset):
            points = np.random.default_rng(seed).standard_normal((3, *problem.shape)) / scale
            for functions in (Terms(problem), Sum(problem)):
                found = smoothness_faults(functions, points)
                assert max(found.convexity, found.smoothness) <= 1e-9, (problem, found)


@dataclass(frozen=True, eq=False, repr=False)
class NearlyLogistic(Logistic):
    """Declares 99 per cent of its curvature."""

    curvature_bound: ClassVar[float] = 0.99 * 0.25


@dataclass(frozen=True, eq=False, repr=False)
class NearlySoftmax(Softmax):
    """Declares a third of its curvature."""

    @property
    def smoothness(self):
        return super().smoothness / 3.0


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_curvature_that_is_understated_by_one_per_cent_is_noticed(scale):
    rng = np.random.default_rng(0)
    rows, points = scale * rng.standard_normal((4, 2)), rng.standard_normal((3, 2)) / scale
    problem = Composite(NearlyLogistic(rows, np.ones(4)))
    assert smoothness_faults(Terms(problem), points).smoothness > 5e-3
    many = Composite(NearlySoftmax.from_labels(rows, np.array([0, 1, 2, 0]), 3))
    assert smoothness_faults(Terms(many), rng.standard_normal((3, 3, 2)) / scale).smoothness > 0.1
    bent = smoothness_faults(Terms(Composite(Concave(rows, np.ones(4)))), points)
    assert bent.convexity > 0.01


def test_an_understated_smoothness_of_the_sum_is_noticed():
    problem = tiny("squares", 3).problem
    lying = Composite(problem.loss)
    lying.__dict__["smoothness"] = 0.9 * Composite(problem.loss).smoothness  # a cached property, overwritten
    points = np.random.default_rng(0).standard_normal((3, 2))
    assert smoothness_faults(Sum(Composite(problem.loss)), points).smoothness <= 1e-9
    assert smoothness_faults(Sum(lying), points).smoothness > 0.05


def test_constants_that_are_too_large_pass():
    """The bound is then weaker, and true."""
    problem = Composite(tiny("squares", 3).problem.loss)
    problem.__dict__["smoothness"] = 7.0 * problem.smoothness
    assert smoothness_faults(Sum(problem), np.ones((2, 2))).smoothness <= 1e-9


@pytest.mark.parametrize("kind", PENALTIES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("scale", [1e-40, 1.0, 1e40])
def test_every_penalty_of_the_project_passes(kind, scale):
    rng = np.random.default_rng(1)
    for penalty in kind.examples((4,)):
        problem = Composite(LeastSquares(rng.standard_normal((3, 4)), np.ones(3)), penalty)
        points = scale * rng.standard_normal((5, 4))
        points[:2] = penalty.prox(points[:2], 1.0)
        assert prox_fault(problem, points, (0.1 * scale, scale)) <= 1e-9


@dataclass(frozen=True)
class Scad(Penalty):
    """The hard threshold: an exact proximal point of something that is not convex."""

    def flat_value(self, x):
        return np.sum(np.minimum(np.abs(x), 1.0) - 0.5 * np.minimum(np.abs(x), 1.0) ** 2, axis=-1)

    def flat_prox(self, v, step):
        return np.where(np.abs(v) > 1.0, v, 0.0)

    def flat_conjugate(self, s):
        return np.full(s.shape[:-1], np.inf)


@pytest.mark.parametrize("penalty", [DoubledProx(1.0), Scad()], ids=["another step", "not convex"])
def test_a_penalty_that_is_not_what_it_says_is_noticed(penalty):
    problem = Composite(LeastSquares(np.eye(2), np.zeros(2)), penalty)
    points = np.array([[2.0, -0.3], [0.6, 0.9], [0.0, 1.5]])
    assert prox_fault(problem, points, (0.5, 1.0)) > 1e-2


# --- draws --------------------------------------------------------------------------------------------------------------

Q = np.array([0.2, 0.3, 0.5])


def test_honest_draws_are_recognised():
    assert every_path(Q, 2, 2).departure(Q) == ""
    assert seeded(Q, 4, 3, 5, 7).departure(Q) == ""
    assert every_path(Q, 2, 2).probabilities.sum() == pytest.approx(1.0, rel=1e-14)


def without(draws: Draws) -> Draws:
    keep = np.array([len(set(path)) == len(path) for path in draws.indices[0].tolist()])
    return Draws(draws.indices[:, keep], draws.probabilities[keep] / draws.probabilities[keep].sum())


@pytest.mark.parametrize(
    ("draws", "words"),
    [
        (misdrawn(every_path(Q, 2, 1), np.full(3, 1 / 3)), "probability"),
        (replace(every_path(Q, 2, 1), probabilities=np.full(9, np.nan)), "probability"),
        (without(every_path(Q, 1, 2)), "paths are not"),
        (windows(3, 2), "paths are not"),
        (replace(every_path(Q, 1, 1), indices=np.zeros((1, 3, 1), dtype=np.int64)), "once each"),
        (replace(seeded(Q, 2, 2, 4, 1), seed=2), "seed 2"),
        (seeded(np.full(3, 1 / 3), 2, 2, 40, 0), "seed 0"),
        (Draws(np.zeros((2, 4, 1), dtype=np.int64)), "neither"),
    ],
)
def test_other_draws_are_noticed(draws, words):
    assert words in draws.departure(Q)


def test_an_enumeration_has_a_limit_that_does_not_wrap_around():
    with pytest.raises(ValueError, match="too many"):
        every_path(Q, np.int64(50), np.int64(1))


def test_probabilities_that_leave_a_curved_sample_out_are_noticed():
    case = tiny("squares", 3)
    run = stage_run(
        case.problem, np.ones(2), np.zeros(2), case.optimum, step=1e-3, length=2, sampling=np.array([0.5, 0.5, 0.0])
    )
    verdict = verify(STAGE, run)
    assert verdict.kind == "HYPOTHESIS_FAILED" and "iid-sampling" in verdict.evidence["failed"]


# --- records ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"step": 0.011}, "played"),
        ({"c": 0.71}, "played"),
        ({"x0": np.array([1.0, 1.5])}, "played"),
        ({"q": np.array([0.5, 0.5])}, "iid-sampling"),
        ({"gamma": 2.9}, "gamma"),
        ({"gamma": float("nan")}, "gamma"),
        ({"comparator": np.array([0.3, 0.1])}, "minimiser"),
        ({"comparator": np.array([np.nan, 0.1])}, "minimiser"),
        ({"problem": tiny("squares", seed=5).problem}, "played"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else next(iter(value)),
)
def test_a_record_that_was_edited_is_refused(change, failed):
    run = walked(tiny("squares"), 1.0, sharp=False, length=2, stages=2)
    assert verify(NS, run).kind == "CONFIRMED"
    with np.errstate(invalid="ignore"):
        verdict = verify(NS, replace(run, **change))
    assert verdict.kind == "HYPOTHESIS_FAILED" and failed in verdict.evidence["failed"], verdict


def test_snapshots_that_are_not_numbers_are_never_support():
    run = walked(tiny("squares"), 1.0, sharp=False, length=2, stages=2)
    broken = replace(run, snapshots=np.full_like(run.snapshots, np.nan))
    assert verify(NS, broken).kind == "HYPOTHESIS_FAILED"


def test_growth_is_tried_on_the_points_of_the_run():
    case = tiny("squares+ridge")
    options = {"sharp": False, "length": 2, "stages": 2, "restarts": 2}
    assert verify(SC, walked(case, 1.0, **options)).kind == "CONFIRMED"
    hessian = (case.problem.loss.features.T * case.problem.mass) @ case.problem.loss.features + 0.1 * np.eye(2)
    least, largest = np.linalg.eigvalsh(hessian)[[0, -1]]
    assert verify(SC, walked(case, 1.0, mu=float(least), **options)).kind == "CONFIRMED"
    assert verify(SC, walked(case, 1.0, mu=float(1.01 * largest), **options)).kind == "HYPOTHESIS_FAILED"
    assert verify(SC, walked(case, 1.0, mu=0.0, **options)).kind == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("penalty", ["l1", "ridge", "net", "box"])
def test_the_residual_bounds_what_a_point_lacks(penalty):
    case = tiny(f"squares+{penalty}", 4, 3)
    problem, best = case.problem, float(case.problem.value(case.optimum))
    assert residual(problem, case.optimum) <= 1e-12 * problem.mean_smoothness
    rng = np.random.default_rng(0)
    for size in 10.0 ** np.arange(-8, 2):
        u = problem.penalty.prox(case.optimum + size * rng.standard_normal(3), 1e-9)
        moved = proximal_step(problem, u)
        distance = np.linalg.norm(moved - case.optimum)
        assert problem.value(moved) - best <= residual(problem, u) * distance + 1e-14 * abs(best)


def test_the_minimiser_is_that_of_an_oracle():
    from problems import oracles

    for kind in ("squares+l1", "logistic+net", "squares+box"):
        problem = tiny(kind, 6, 3).problem
        least, _ = oracles.composite_minimum(problem)
        assert float(problem.value(minimiser(problem))) == pytest.approx(least, rel=1e-6, abs=1e-9)


def test_a_run_of_one_path_has_no_randomness():
    case = tiny("squares", 1)
    run = outer_run(case.problem, np.ones(2), case.optimum, step=0.01, c=0.7, gamma=10 / 3, length=3, stages=2)
    assert run.draws.probabilities.tolist() == [1.0]
