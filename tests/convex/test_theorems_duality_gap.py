"""What needs no probability: duality gaps of exactly feasible dual points, and the guaranteed costs of mini-batches."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import inf, isqrt, sqrt

import numpy as np
import pytest

from convex.engine import minimise
from convex.engine.losses import CODES
from convex.solvers.constants import gamma_star, step_size
from convex.theorems.bounds import outer_bound
from convex.theorems.certificates import GapRun, LinearProblem, balanced, descent, is_balanced, scaled_inside
from convex.theorems.duality_gap import LOSSES, DualityGap
from convex.theorems.minibatch_complexity import MinibatchComplexity
from convex.theorems.plans import Plan
from theory import get, verify

GAP, COST = get("duality-gap"), get("dasvrda-minibatch")
PENALTIES = [(0.0, 0.2), (0.03, 0.1), (0.06, 0.0)]


def random_problem(rng: np.random.Generator, loss: str, l1: float, l2: float, intercept: bool) -> LinearProblem:
    n, d = int(rng.integers(4, 25)), int(rng.integers(1, 6))
    X = rng.standard_normal((n, d)) * np.exp(rng.standard_normal(d)) + rng.choice([0.0, 2.0])
    score = X @ rng.standard_normal(d) + 1.0 + rng.standard_normal(n)
    y = score if loss in ("squared_error", "huber") else np.where(rng.permutation(n) % 2 == 0, 1.0, -1.0)
    return LinearProblem(X, y, loss, l1, l2, intercept, rng.uniform(0.1, 3.0, n))


def pair(problem: LinearProblem, coef: np.ndarray, intercept: np.ndarray, best: tuple[np.ndarray, float]) -> GapRun:
    flow = problem.flow_at(best[0][None], np.array([best[1]]))[0]
    return GapRun(problem, coef, intercept, problem.flow_at(coef, intercept), best[0], best[1], flow)


@pytest.mark.parametrize(("loss", "penalty"), list(product(CODES, PENALTIES)))
def test_no_feasible_dual_point_is_above_any_point(loss, penalty):
    rng = np.random.default_rng(len(loss))
    for intercept in (True, False):
        problem = random_problem(rng, loss, *penalty, intercept)
        coef, shift = descent(problem, 1500)
        far = rng.standard_normal((6, coef.shape[1])) * 10.0 ** rng.integers(-3, 3, (6, 1))
        points = (
            np.concatenate([far, coef[[0, 1, 3, 20]]]),
            np.r_[rng.standard_normal(6) * 3 * intercept, shift[[0, 1, 3, 20]]],
        )
        run = pair(problem, *points, (coef[-1], float(shift[-1])))
        verdict = verify(GAP, run)
        assert verdict.kind == "VERIFIED", verdict
        dual, primal = problem.dual(run.flow), problem.primal(*points)
        assert np.max(dual) <= np.min(primal)  # any pair of them
        assert np.all(np.isfinite(dual))


@pytest.mark.parametrize("loss", CODES)
def test_the_gap_of_the_engine_is_above_the_certified_distance(loss):
    rng = np.random.default_rng(7)
    problem = random_problem(rng, loss, 0.02, 0.1, True)
    sharp = minimise(
        problem.X, problem.y, loss, problem.l1, problem.l2, problem.weights, True, problem.delta, tol=1e-11
    )
    for tol in (1e-1, 1e-3, 1e-6):
        found = minimise(
            problem.X, problem.y, loss, problem.l1, problem.l2, problem.weights, True, problem.delta, tol=tol
        )
        coef, shift = found.coef[None], np.array([found.intercept])
        run = pair(problem, coef, shift, (sharp.coef, float(sharp.intercept)))
        rounding = float(np.max(GAP.budget(run)))
        assert GAP.measured_lower(run)[0] <= found.gap + rounding
        assert GAP.measured(run)[0] <= GAP.bound(run)[0] + rounding
        # The engine's own dual point, put on the grid where its sum is exactly zero, certifies what the engine says.
        flow = balanced(problem.weights * found.dual)
        assert verify(GAP, replace(run, flow=flow[None])).kind in ("VERIFIED", "INCONCLUSIVE")
        claimed = problem.primal(coef, shift)[0] - problem.dual(flow[None])[0]
        assert claimed <= found.gap + rounding + 1e-9 * found.objective


@pytest.mark.parametrize("n", [1, 2, 3, 50, 3000])
def test_a_balanced_flow_has_a_sum_of_exactly_zero(n):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        flow = rng.standard_normal(n) * np.exp(6 * rng.standard_normal(n)) * 10.0 ** rng.integers(-200, 200)
        flow[rng.random(n) < 0.2] = 0.0
        fixed = balanced(flow)
        assert sum(Fraction(a) for a in fixed) == 0
        assert is_balanced(fixed[None])
        assert np.all(np.sign(fixed) * np.sign(flow) >= 0) and np.all(
            np.abs(fixed) <= np.abs(flow)
        )  # shrunk, never turned
        heavier = np.sign(np.sum(flow))
        lighter = np.sign(flow) == -heavier
        grid = np.max(np.abs(flow), initial=0.0) * 2.0**-40
        np.testing.assert_allclose(fixed[lighter], flow[lighter], rtol=0, atol=grid)


def test_the_losses_are_those_of_the_engine():
    assert set(LOSSES) == set(CODES)


def test_a_sum_of_an_ulp_is_noticed():
    assert is_balanced(np.array([[1.0, 2.0**-52, -1.0, -(2.0**-52)]]))
    assert not is_balanced(np.array([[1.0, 2.0**-52, -1.0]]))
    assert not is_balanced(np.array([[1e16, 1.0, -1e16]]))  # a plain sum would be 0


def test_a_scaled_flow_is_inside_by_more_than_rounding():
    rng = np.random.default_rng(0)
    for intercept in (False, True):
        problem = random_problem(rng, "log_loss", 0.06, 0.0, intercept)
        raw = balanced(rng.standard_normal(len(problem.y)))
        inside = scaled_inside(raw, problem)
        exact = [
            abs(sum(Fraction(a) * Fraction(x) for a, x in zip(inside, column, strict=True))) for column in problem.X.T
        ]
        assert max(exact) <= Fraction(problem.l1) * Fraction(float(np.sum(problem.weights))) * (1 - Fraction(1, 10**14))
        assert problem.slack(inside[None])[0] >= problem.slack(inside[None])[1]
        assert is_balanced(inside[None]) or not intercept
        assert float(np.max(np.abs(inside @ problem.X))) / np.sum(problem.weights) > 0.06 * (
            1 - 1e-9
        )  # and not needlessly far


def test_outside_of_its_domain_a_dual_point_has_no_value():
    problem = random_problem(np.random.default_rng(1), "log_loss", 0.0, 0.1, False)
    assert problem.dual(2.0 * (problem.weights * problem.y)[None])[0] == -inf
    assert np.isfinite(problem.dual((problem.weights * problem.y)[None])[0])


def test_an_unbalanced_dual_point_can_be_above_the_least_value():
    """The reason for exactness: with an intercept the free dual optimum is no lower bound at all."""
    violated = [c for c in DualityGap().controls() if "applied anyway" in c.name]
    assert len(violated) == 1
    run = violated[0].make()
    assert run.problem.dual(run.flow)[0] > run.problem.primal(run.best_coef[None], np.array([run.best_intercept]))[0]


# --- mini-batches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 10, 97, 1000])
def test_the_guaranteed_cost_is_below_its_closed_form_for_every_mini_batch(n):
    for gap, distance, target in product((0.0, 1.0), (0.0, 0.3, 30.0), (10.0, 1e-2, 1e-7)):
        plan = Plan(n, 2.5, gap, distance, target, tuple(range(1, n + 1)))
        verdict = verify(MinibatchComplexity(), plan)
        assert verdict.kind == "VERIFIED", (verdict, plan)


def test_the_number_of_stages_is_the_least_that_the_bound_allows():
    for n, b, target in product((7, 100), (1, 3, 7), (1e-1, 1e-5)):
        plan = Plan(n, 2.0, 0.7, 1.3, target, (b,))
        m, gamma = n // b, gamma_star(n // b, b)
        options = {"step": step_size(gamma, m, b, 2.0), "m": m, "c": 1 - 1 / gamma, "leading": 1.0}
        S = plan.stages(b)
        assert outer_bound(0.7, 1.69, stages=S, **options) <= target * (1 + 1e-12)
        assert S == 1 or outer_bound(0.7, 1.69, stages=S - 1, **options) > target


def test_up_to_the_square_root_mini_batches_cost_at_most_12_per_cent_of_the_guarantee():
    for n in (100, 10_000, 10**6):
        plan = Plan(n, 1.0, 0.0, 1.0, 1e-12, tuple(range(1, isqrt(n) + 1, max(1, isqrt(n) // 50))))
        closed, real = COST.bound(plan), plan.evaluations()
        assert np.max(closed) <= sqrt(5) / 2 * closed[0]
        assert np.max(real) <= 1.2 * real[0]
        beyond = Plan(n, 1.0, 0.0, 1.0, 1e-12, (n // 2,)).evaluations()
        assert beyond[0] > 2 * real[0]  # and larger ones do cost
