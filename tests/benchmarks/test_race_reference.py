"""The optimum of the race is certified, and agrees with an independent solver."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks.race.certificate import duality_gap, smooth_gradient, violation
from benchmarks.race.data import DATA_SETS, PENALTIES, Missing, problems
from benchmarks.race.problem import Problem
from benchmarks.race.reference import facts, optimum
from benchmarks.race.synthetic import steep_spectrum, wide_text


def small(penalty: str, n: int = 120, d: int = 15) -> Problem:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, d))
    y = np.where(X @ rng.standard_normal(d) + rng.standard_normal(n) > 0.0, 1.0, -1.0)
    l1, l2 = {"l2": (0.0, 1e-2), "elastic net": (2e-2, 1e-2), "l1": (2e-2, 0.0)}[penalty]
    return Problem("small", penalty, X, y, l1, l2)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_reference_agrees_with_cvxpy(penalty: str) -> None:
    import cvxpy as cp

    problem = small(penalty)
    w = cp.Variable(problem.X.shape[1])
    losses = cp.sum(cp.logistic(-cp.multiply(problem.y, problem.X @ w))) / len(problem.y)
    penalties = problem.l1 * cp.norm1(w) + 0.5 * problem.l2 * cp.sum_squares(w)
    found = cp.Problem(cp.Minimize(losses + penalties)).solve(solver=cp.CLARABEL)
    best = optimum(problem)
    # Clarabel stops at a relative gap of 1e-8; it may not come out below by more than that either.
    assert abs(found - best.value) <= 1e-7 * best.value
    assert abs(best.relative_gap) <= 1e-13


@pytest.mark.parametrize("penalty", PENALTIES)
def test_rows_in_a_sparse_matrix_have_the_same_optimum(penalty: str) -> None:
    problem = small(penalty)
    sparse = replace(problem, X=csr_matrix(problem.X))
    assert optimum(sparse).value == pytest.approx(optimum(problem).value, rel=1e-13)  # twice the certified gap


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_gap_bounds_the_distance_to_the_optimum_everywhere(penalty: str) -> None:
    problem = small(penalty)
    best, rng = optimum(problem).value, np.random.default_rng(0)
    for scale in (0.0, 1e-3, 0.3, 3.0, 100.0):
        w = scale * rng.standard_normal(problem.X.shape[1])
        assert duality_gap(problem, w) >= (problem.objective(w) - best) * (1.0 - 1e-12)


def test_a_point_that_is_not_optimal_has_a_gap_and_a_violation() -> None:
    problem = small("elastic net")
    w = np.full(problem.X.shape[1], 0.1)
    assert duality_gap(problem, w) > 1e-3
    assert np.abs(violation(problem, w, smooth_gradient(problem, w))).max() > 1e-3


def test_a_gap_that_was_asked_too_small_is_refused() -> None:
    with pytest.raises(ArithmeticError, match="relative duality gap"):
        optimum(small("l1"), relative_gap=-1.0)


def test_a_solver_below_the_optimum_refutes_the_reference() -> None:
    problem = small("l2")
    best = optimum(problem)
    assert facts(problem, best, lowest=-1e-15, seconds=0.0).optimum == best.value
    with pytest.raises(ArithmeticError, match="below the certified optimum"):
        facts(problem, best, lowest=-1e-9, seconds=0.0)


def test_coefficients_that_are_not_finite_are_never_good() -> None:
    problem = small("l2")
    assert problem.objective(np.full(problem.X.shape[1], np.nan)) == math.inf


def test_absent_files_are_named_with_the_reason() -> None:
    found = dict(problems(("a9a", "breast_cancer"), None))
    assert "no a9a.bz2" in str(found["a9a"])
    assert [problem.penalty for problem in found["breast_cancer"]] == list(PENALTIES)
    with pytest.raises(Missing):
        next(data for data in DATA_SETS if data.name == "news20").load(None)


def test_the_wide_text_has_unit_rows_and_rare_words() -> None:
    X, y = wide_text(samples=400, features=3000)
    assert np.sqrt(X.multiply(X).sum(axis=1)) == pytest.approx(1.0, rel=1e-12)
    counts = np.sort(np.bincount(X.indices, minlength=3000))[::-1]
    assert counts[0] > 20 * counts[1000]
    assert 0.4 < (y > 0).mean() < 0.6
    assert (wide_text(samples=400, features=3000)[0] != X).nnz == 0  # the same seed, the same data


def test_the_steep_spectrum_is_steep() -> None:
    X, _ = steep_spectrum(samples=2000, features=20, decades=6.0)
    eigenvalues = np.linalg.eigvalsh(X.T @ X)
    assert 5.0 < np.log10(eigenvalues[-1] / eigenvalues[0]) < 7.0  # sampling moves the ends a little
    assert (X * X).sum() / 2000 == pytest.approx(1.0, rel=0.2)
