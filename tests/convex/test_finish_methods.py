"""Every second-order or coordinate method ends at the optimum, certified, and never goes up on its way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import LOSSES, ORACLE, PENALTIES, data, dual_objective, objective, optimum
from finish_methods import SMOOTH, SPARSE, run

TOL = 1e-10
FORMS = {"dense": np.asarray, "csr": sp.csr_array}
CASES = [
    *((method, penalty, form) for penalty in ("elastic net", "lasso") for method in SPARSE for form in FORMS),
    *((method, "ridge", form) for method in SMOOTH for form in FORMS),
    ("dual ascent", "ridge", "csr"),
]


def solved(method: str, loss: str, penalty: str, form: str, intercept: bool, **more):
    X, y, weights = data(loss)
    l1, l2 = PENALTIES[penalty]
    more.setdefault("tol", TOL)
    return run(method, FORMS[form](X), y, loss=loss, l1=l1, l2=l2, weights=weights, intercept=intercept, **more)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("method", "penalty", "form"), CASES)
def test_a_method_ends_at_the_optimum_with_a_dual_point_that_proves_it(method, penalty, form, loss, intercept):
    solution = solved(method, loss, penalty, form, intercept)
    assert solution.converged and solution.gap <= TOL
    value = objective(loss, penalty, solution.coef, solution.intercept)
    assert value == pytest.approx(optimum(loss, penalty, intercept), abs=ORACLE)
    # Both sides written out anew; their rounding is of the size of P times machine epsilon times a few sums.
    assert value - dual_objective(loss, penalty, solution.dual, intercept) <= TOL + 1e-12


@pytest.mark.parametrize(("method", "penalty", "form"), CASES)
def test_a_method_that_is_cut_short_certifies_less(method, penalty, form):
    solution = solved(method, "log_loss", penalty, form, True, max_passes=2)
    assert not solution.converged and solution.gap > 1e-6


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("method", "penalty", "form"), [case for case in CASES if case[0] != "dual ascent"])
def test_no_step_goes_up(method, penalty, form, loss):
    X, _, _ = data(loss)
    rng = np.random.default_rng(3)
    for size in (0.0, 1.0, 30.0):
        start = (size * rng.standard_normal(X.shape[1]), size * rng.standard_normal())
        solution = solved(method, loss, penalty, form, True, start=start)
        values = np.array([record.objective for record in solution.history])
        assert np.all(np.diff(values) <= 1e-12 * values[:-1])
        assert solution.converged


@pytest.mark.parametrize(("method", "penalty", "form"), CASES)
def test_at_the_optimum_there_is_nothing_to_do(method, penalty, form):
    first = solved(method, "log_loss", penalty, form, True, tol=1e-12)
    again = solved(method, "log_loss", penalty, form, True, start=(first.coef, first.intercept))
    assert again.converged and len(again.history) == 1
    assert again.objective <= first.objective * (1 + 1e-14)


@pytest.mark.parametrize(("method", "penalty", "form"), CASES)
def test_a_tolerance_out_of_reach_ends_with_the_best_that_rounding_allows(method, penalty, form):
    best = solved(method, "log_loss", penalty, form, True)
    solution = solved(method, "log_loss", penalty, form, True, tol=0.0)
    assert math.isfinite(solution.gap)
    assert solution.passes < 5000
    assert solution.objective <= best.objective * (1 + 1e-14)
    assert solution.gap <= 1e-12


@pytest.mark.parametrize(("method", "penalty", "form"), CASES)
def test_a_callback_ends_a_run(method, penalty, form):
    seen = []
    solution = solved(
        method, "squared_hinge", penalty, form, True, callback=lambda line: seen.append(line) or len(seen) == 2
    )
    assert len(seen) == len(solution.history) == 2


@pytest.mark.parametrize(("method", "penalty", "form"), [case for case in CASES if case[0] != "dual ascent"])
def test_compiled_or_not_the_answers_agree(method, penalty, form):
    """All methods but dual ascent, which exists only compiled."""
    compiled, plain = (solved(method, "log_loss", penalty, form, True, tol=1e-13, compiled=c) for c in (True, False))
    assert plain.converged
    # A gap of 1e-13 with curvature of about 0.1 leaves 1e-6 in the coefficients.
    np.testing.assert_allclose(plain.coef, compiled.coef, rtol=0, atol=2e-6)
