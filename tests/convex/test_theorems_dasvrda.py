"""The theorems on DASVRDA: enumerated on hundreds of small problems; their records, ranges and budgets."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest

from convex.solvers import DASVRDA
from convex.solvers.constants import gamma_star, sharpened, step_size
from convex.solvers.sampling import variance_constant
from convex.solvers.stage import acc_svrda
from convex.theorems.bounds import largest_step
from convex.theorems.comparator import minimiser
from convex.theorems.instances import orthogonal, slope, tiny
from convex.theorems.outer_cases import downhill, walked
from convex.theorems.runs import of_solver, outer_loop, outer_run, stage_run
from convex.theorems.stage_cases import far_step
from problems.composite import Composite
from problems.losses import LeastSquares, Logistic, Softmax
from problems.penalties import L1, BoxIndicator, ElasticNet, GroupL1, SquaredL2, ZeroPenalty
from theory import get, verify

PUBLISHED_STAGE, SHARP_STAGE = get("dasvrda-stage"), get("dasvrda-stage-sharp")
NS, SHARP_NS, SC, SHARP_SC = get("dasvrda-ns"), get("dasvrda-ns-sharp"), get("dasvrda-sc"), get("dasvrda-sc-sharp")
MOST = 700  # paths


def random_problem(rng: np.random.Generator) -> Composite:
    """Unequal rows, weights with zeros among them, every penalty, at some scale."""
    n, d = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    rows = rng.standard_normal((n, d)) * np.exp(rng.normal(size=(n, 1))) * rng.choice([0.01, 1.0, 30.0])
    rows[rng.random(n) < 0.1] = 0.0
    rows[0, 0] += 0.1
    loss = [
        lambda: LeastSquares(rows, 3.0 * rng.standard_normal(n)),
        lambda: Logistic(rows, rng.choice([-1.0, 1.0], n)),
    ][rng.integers(2)]()
    curved = float(np.max(loss.smoothness))
    penalties = [ZeroPenalty(), L1(0.05 * curved), SquaredL2(0.1 * curved), ElasticNet(0.1 * curved, 0.02 * curved)]
    penalties += [BoxIndicator(-0.4, 0.7), GroupL1(0.1 * curved, [j % 2 for j in range(d)] if d > 1 else [0])]
    weights = rng.choice([0.0, 0.3, 1.0, 2.0], n)
    weights[0] = 1.0
    # No minimiser exists for separable data without a penalty, and the theorems then say nothing about x*.
    first = 2 if isinstance(loss, Logistic) else 0
    return Composite(loss, penalties[rng.integers(first, len(penalties))], weights if rng.random() < 0.5 else None)


def sizes(rng: np.random.Generator, n: int, stages: int) -> tuple[int, int, int]:
    """(m, b, S) with at most MOST paths."""
    while True:
        m, b, S = int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(1, stages + 1))
        if n ** (m * b * S) <= MOST:
            return m, b, S


def excess(theorem, run) -> float:
    """How far the exact expectation is above the bound, in units of the budget."""
    return (theorem.exact(run) - theorem.bound(run)) / theorem.budget(run)


def random_stage(rng, problem, step_of, comparator):
    m, b, _ = sizes(rng, problem.samples, 1)
    sampling = str(rng.choice(["importance", "uniform"]))
    gamma = float(rng.choice([0.76, 1.5, 3.0, 10.0]))
    far = rng.choice([0.01, 1.0, 10.0], 2)
    start, xtil = (problem.penalty.prox(s * rng.standard_normal(problem.shape), 0.1) for s in far)
    ytil = rng.choice([0.1, 3.0]) * rng.standard_normal(problem.shape)  # it may be outside of a box
    q = stage_run(problem, ytil, xtil, xtil, step=1.0, length=1, sampling=sampling).q
    ell = variance_constant(problem, q)
    points = {"optimum": comparator, "snapshot": xtil, "elsewhere": start}
    return lambda which: stage_run(
        problem,
        ytil,
        xtil,
        points[which],
        step=step_of(gamma, m, b, ell),
        gamma=gamma,
        length=m,
        minibatch=b,
        sampling=sampling,
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_stage_lemmas_hold_on_every_enumerated_problem(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng)
    optimum = minimiser(problem, 4000)
    L = problem.smoothness

    def largest(gamma, m, b, ell):  # the sharp lemma allows much more than the published step
        return largest_step(m, b, L, ell) * rng.choice([0.5, 0.9, 0.99])

    published = random_stage(rng, problem, lambda g, m, b, ell: step_size(g, m, b, ell), optimum)
    for which in ("optimum", "snapshot"):
        run = published(which)
        assert excess(PUBLISHED_STAGE, run) <= 0
        assert excess(SHARP_STAGE, run) <= 0
        assert SHARP_STAGE.bound(run) <= PUBLISHED_STAGE.bound(run) + PUBLISHED_STAGE.budget(run)
    for step_of in (lambda g, m, b, ell: step_size(g, m, b, ell, L), largest):
        wide = random_stage(rng, problem, step_of, optimum)
        assert all(excess(SHARP_STAGE, wide(which)) <= 0 for which in ("optimum", "snapshot", "elsewhere"))


@pytest.mark.parametrize("seed", range(40))
def test_the_outer_theorems_hold_on_every_enumerated_problem(seed):
    rng = np.random.default_rng(1000 + seed)
    problem = random_problem(rng)
    optimum = minimiser(problem, 20_000)
    m, b, S = sizes(rng, problem.samples, 6)
    x0 = problem.penalty.prox(optimum + rng.choice([0.1, 1.0, 10.0]) * rng.standard_normal(problem.shape), 0.01)
    z0 = x0 if rng.random() < 0.5 else optimum + rng.standard_normal(problem.shape)
    ell = problem.mean_smoothness
    for gamma in (gamma_star(m, b), 3.0, 20.0):
        options = {"step": step_size(gamma, m, b, ell), "c": 1 - 1 / gamma, "gamma": gamma}
        run = outer_run(problem, x0, optimum, z0=z0, length=m, minibatch=b, stages=S, **options)
        assert NS.exact(run) - NS.bound(run) <= NS.budget(run)
        assert SHARP_NS.exact(run) - SHARP_NS.bound(run) <= SHARP_NS.budget(run)
    found = sharpened(m, b, ell, problem.smoothness)
    for c in (found.c, 2 / 3):
        run = outer_run(problem, x0, optimum, z0=z0, length=m, minibatch=b, stages=S, step=found.step, c=c)
        assert SHARP_NS.exact(run) - SHARP_NS.bound(run) <= SHARP_NS.budget(run)
        assert {check.ok for check in verify(SHARP_NS, run).checks} == {True}


@pytest.mark.parametrize("seed", range(20))
def test_restarts_contract_on_every_enumerated_problem(seed):
    rng = np.random.default_rng(2000 + seed)
    problem = random_problem(rng)
    problem = Composite(problem.loss, ElasticNet(0.02, float(rng.choice([0.01, 0.3, 2.0]))), problem.weights)
    optimum = minimiser(problem, 20_000)
    choices = [c for c in product((1, 2, 3), (1, 2), (1, 2, 4), (2, 3)) if problem.samples ** prod(c) <= MOST]
    m, b, S, T = choices[rng.integers(len(choices))]
    x0 = optimum + rng.standard_normal(problem.shape)
    found = sharpened(m, b, problem.mean_smoothness, problem.smoothness)
    run = outer_run(problem, x0, optimum, step=found.step, c=found.c, length=m, minibatch=b, stages=S, restarts=T)
    assert SHARP_SC.exact(run) - SHARP_SC.bound(run) <= SHARP_SC.budget(run)
    assert {check.ok for check in verify(SHARP_SC, run).checks} == {True}


# --- runs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [1, 3])
def test_the_record_of_a_solver_is_its_run(restarts):
    case = tiny("logistic+net", 7, 3)
    solver = DASVRDA(minibatch=2, restart=2 if restarts > 1 else None, sharp=True)
    run = of_solver(solver, case.problem, np.ones(3), case.optimum, stages=2, restarts=restarts, seeds=4)
    np.testing.assert_allclose(run.replayed(), run.snapshots, rtol=0, atol=1e-13)
    theorem = SHARP_SC if restarts > 1 else SHARP_NS
    assert {check.ok for check in verify(theorem, run).checks} == {True}


def test_a_path_of_the_outer_loop_is_the_definition_written_out():
    case = tiny("squares+l1", 3)
    problem, c, step, m, S = case.problem, 0.7, 0.05, 2, 3
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 3, (S * m, 1, 2))
    x0, z0, q = np.array([1.0, -2.0]), np.array([0.3, 0.4]), np.array([0.2, 0.3, 0.5])
    points = outer_loop(problem, x0, z0, indices, step=step, c=c, q=q, length=m, stages=S)
    x, before, z = x0, z0, z0
    for s in range(1, S + 1):
        last, theta = c * (s + 1) / 2, c * (s + 2) / 2
        ytil = x + (last - 1) / theta * (x - before) + last / theta * (z - x)
        end = acc_svrda(problem, ytil, x, step=step, indices=indices[(s - 1) * m : s * m], q=q)
        before, x, z = x, end.x[0], end.z[0]
        np.testing.assert_allclose(points[s, 0], x, rtol=0, atol=1e-14)


def test_a_sampled_run_with_a_wild_step_is_refuted():
    case = tiny("logistic+ridge", 6, 2)
    problem, ones = case.problem, np.ones(2)
    step = 4000.0 * step_size(3.0, 2, 1, problem.mean_smoothness)
    run = stage_run(problem, 3 * ones, -ones, case.optimum, step=step, gamma=3.0, length=2, seeds=60)
    verdict = verify(PUBLISHED_STAGE, run, ignoring=("step",))
    assert verdict.kind == "REFUTED", verdict


@pytest.mark.parametrize("theorem", [PUBLISHED_STAGE, SHARP_STAGE], ids=lambda theorem: theorem.id)
def test_the_declared_range_holds_for_every_path(theorem):
    checked = 0
    for seed in range(25):
        rng = np.random.default_rng(3000 + seed)
        problem = random_problem(rng)
        stage = random_stage(rng, problem, lambda g, m, b, ell: step_size(g, m, b, ell), minimiser(problem, 4000))
        for which in ("optimum", "snapshot"):
            run = stage(which)
            low, high = theorem.support(run)
            samples = theorem.measured(run)
            assert low <= np.min(samples) and np.max(samples) <= high
            checked += np.isfinite(low) and np.isfinite(high)
    assert checked == 50


def test_the_declared_range_of_the_outer_loop_holds_in_a_box():
    case = tiny("squares+box", 3)
    run = walked(case, 1.0, sharp=False, length=2, stages=3)
    low, high = NS.support(run)
    gaps = NS.measured(run)
    assert low <= np.min(gaps) and np.max(gaps) <= high < np.inf
    corners = np.array(list(product((-0.3, 0.5), repeat=2)))
    assert np.max(case.problem.value(corners)) - case.problem.value(case.optimum) <= high
    assert NS.support(walked(tiny("squares"), 1.0, sharp=False, length=1, stages=1))[1] == np.inf


def test_a_comparator_is_a_minimiser_only_to_rounding():
    case = tiny("squares+net", 3)
    good = walked(case, 1.0, sharp=False, length=2, stages=2)
    assert verify(NS, good).kind == "CONFIRMED"
    for off, kind in ((1e-3, "HYPOTHESIS_FAILED"), (1e-14, "CONFIRMED")):
        moved = walked(case._replace(optimum=case.optimum + off), 1.0, sharp=False, length=2, stages=2)
        assert verify(NS, moved).kind == kind, off


def test_the_budget_is_a_rounding_and_excuses_nothing():
    for theorem, run in (
        (NS, walked(tiny("squares"), 1.0, sharp=False, length=3, stages=3)),
        (PUBLISHED_STAGE, far_step()),
        (SHARP_NS, downhill(True)),
    ):
        assert theorem.budget(run) < 1e-9 * abs(theorem.bound(run))


def test_a_vanishing_problem_is_not_divided_by():
    """No curvature at all: F is constant, every sample has L_i = 0."""
    problem = Composite(LeastSquares(np.zeros((2, 1)), np.ones(2)), SquaredL2(1.0))
    run = stage_run(
        problem, np.ones(1), np.ones(1), np.zeros(1), step=0.3, gamma=3.0, length=2, sampling=np.array([0.5, 0.5])
    )
    assert SHARP_STAGE.bound(run) == 0.0
    assert SHARP_STAGE.exact(run) <= 0


def test_a_softmax_stage_is_covered_as_well():
    rng = np.random.default_rng(0)
    problem = Composite(Softmax.from_labels(rng.standard_normal((3, 2)), np.array([0, 1, 2]), 3), SquaredL2(0.3))
    optimum = minimiser(problem)
    found = sharpened(2, 2, problem.mean_smoothness, problem.smoothness)
    x0 = rng.standard_normal(problem.shape)
    stage = stage_run(problem, x0, -x0, optimum, step=found.step, gamma=found.gamma, length=2, minibatch=2)
    assert verify(SHARP_STAGE, stage).kind == "CONFIRMED"
    loop = outer_run(problem, x0, optimum, step=found.step, c=found.c, length=2, stages=2, restarts=1, minibatch=2)
    assert verify(SHARP_SC, loop).kind == "CONFIRMED"
    assert slope(1.0).problem.value(np.array([-20.5])) == pytest.approx(20.5)
    assert orthogonal(3).problem.mean_smoothness == 1.0
