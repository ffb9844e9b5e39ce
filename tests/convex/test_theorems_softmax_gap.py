"""The gap of softmax regression: feasibility is exact, the bound is the engine's, and no point of the simplex breaks it."""

from __future__ import annotations

from dataclasses import replace
from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import entr

import theory
from convex.engine import minimise
from convex.theorems.softmax_gap import SoftmaxGap
from convex.theorems.softmax_points import SoftmaxPoints, SoftmaxProblem, softmax_descent

GAP = SoftmaxGap()


def problem(seed: int, l1: float, l2: float, intercept: bool, n: int = 24, classes: int = 3) -> SoftmaxProblem:
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    X = rng.standard_normal((n, 3)) * np.exp(rng.uniform(-2, 2, 3)) + rng.standard_normal(3)
    return SoftmaxProblem(X, codes, l1, l2, intercept, rng.uniform(0.2, 3.0, n))


@pytest.mark.parametrize("example", list(GAP.examples()), ids=lambda example: example.name)
def test_it_holds_on_its_examples(example):
    verdict = theory.verify(GAP, example.make())
    assert verdict.kind == "VERIFIED"
    assert not example.near_tight or verdict.ratio > 0.999


@pytest.mark.parametrize("control", list(GAP.controls()), ids=lambda control: control.name)
def test_its_controls_end_as_they_should(control):
    assert theory.verify(GAP, control.make(), ignoring=control.ignoring).kind in control.expect


@given(
    seed=st.integers(0, 10**6), l1=st.sampled_from([0.0, 0.03]), l2=st.sampled_from([0.0, 0.1]), intercept=st.booleans()
)
def test_a_flow_is_feasible_exactly_and_certifies(seed, l1, l2, intercept):
    if l1 == l2 == 0.0:
        l2 = 1e-3
    posed = problem(seed, l1, l2, intercept)
    coef, constant = softmax_descent(posed, 60)
    flow = posed.flow_at(coef[20], constant[20])
    assert all(fsum(row) == 0.0 for row in flow)
    assert not intercept or all(fsum(column) == 0.0 for column in flow.T)
    assert posed.probabilities(flow).min() >= 0.0
    assert posed.dual(flow) <= posed.primal(coef[-1], constant[-1]) + 1e-12


def test_the_dual_value_is_the_entropy_less_the_conjugate():
    posed = problem(3, 0.02, 0.1, True)
    q = np.full((24, 3), 1 / 3)
    V = sum(p * np.outer(e - r, x) for p, e, r, x in zip(posed.mass, posed.target, q, posed.X, strict=True))
    expected = float(posed.mass @ entr(q).sum(axis=1)) - float(np.sum(np.maximum(np.abs(V) - 0.02, 0) ** 2)) / 0.2
    np.testing.assert_allclose(posed.dual(posed.weights[:, None] * (posed.target - q)), expected, rtol=1e-13)


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.05), (0.02, 0.05), (0.03, 0.0)])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_engine_certifies_no_more_than_the_theorem(l1, l2, intercept):
    """At the same point: the engine's bracket [P - gap, P] contains the theorem's least value, and theirs its."""
    posed = problem(11, l1, l2, intercept)
    solution = minimise(
        posed.X, posed.codes.astype(float), loss="multinomial", l1=l1, l2=l2, sample_weight=posed.weights,
        fit_intercept=intercept, tol=1e-9,
    )  # fmt: skip
    value = float(posed.primal(solution.coef, np.asarray(solution.intercept)))
    np.testing.assert_allclose(solution.objective, value, rtol=1e-12)
    lower = float(posed.dual(posed.flow_at(solution.coef, np.asarray(solution.intercept))))
    assert solution.gap <= 1e-9
    assert value - lower < 1e-6  # the simple dual point is less good than the engine's, by little
    assert lower <= solution.objective + 1e-12


def test_a_dual_value_that_is_too_large_is_seen():
    """Entropies counted twice: a bound below the truth is VIOLATED, not VERIFIED."""

    class Doubled(SoftmaxGap):
        def bound(self, run: SoftmaxPoints) -> np.ndarray:
            extra = entr(run.problem.probabilities(run.flow)).sum(axis=-1) @ run.problem.mass
            return super().bound(run) - extra

    run = next(iter(GAP.examples())).make()
    assert theory.verify(GAP, run).kind == "VERIFIED"
    assert theory.verify(Doubled(), run).kind == "VIOLATED"
    other = replace(run, flow=run.flow * 0.5)
    assert theory.verify(GAP, other).kind in ("VERIFIED", "VACUOUS")
