"""Data on which second-order methods go wrong: flat and steep directions, separated classes, repeated and empty columns."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import LOSSES, REGRESSION, data
from finish_methods import SMOOTH, SPARSE, run

from convex.engine import minimise

PENALTIES = {"ridge": (0.0, 1e-3), "elastic net": (1e-3, 1e-3), "lasso": (1e-3, 0.0)}
CASES = [
    *((method, penalty) for penalty in ("elastic net", "lasso") for method in SPARSE),
    *((method, "ridge") for method in (*SMOOTH, "dual ascent")),
]
# A gap of 1e-12 where the curvature is at least 1e-3 leaves sqrt(2e-12 / 1e-3) < 5e-5 in the coefficients at worst.
TOL, NEAR = 1e-12, 5e-5


def both(n: int = 120, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns and labels that no hyperplane separates."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + 0.5 * rng.standard_normal((n, 1))
    return X, np.sign(X[:, 0] - X[:, 1] + rng.standard_normal(n))


def sparse_rows(n: int, d: int, seed: int) -> tuple[sp.csr_array, np.ndarray]:
    """Unit rows with 20 entries, a few columns in most of them, and a sparse rule with noise."""
    rng = np.random.default_rng(seed)
    share = 1.0 / (np.arange(d) + 3.0)
    X = np.zeros((n, d))
    for row in X:
        row[rng.choice(d, 20, replace=False, p=share / share.sum())] = rng.lognormal(size=20)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    rule = np.where(rng.random(d) < 0.1, rng.standard_normal(d), 0.0)
    return sp.csr_array(X), np.sign(X @ rule + 0.05 * rng.standard_normal(n))


def form_of(method: str):
    """Dual ascent has only a sparse form."""
    return sp.csr_array if method == "dual ascent" else np.asarray


@pytest.mark.parametrize(("method", "penalty"), CASES)
def test_dense_and_sparse_rows_have_one_answer(method, penalty):
    X, y = both()
    X[np.abs(X) < 0.4] = 0.0
    l1, l2 = PENALTIES[penalty]
    sparse = run(method, sp.csr_array(X), y, l1=l1, l2=l2, tol=TOL)
    dense = run("newton", X, y, l1=l1, l2=l2, tol=TOL)
    assert sparse.converged and dense.converged
    np.testing.assert_allclose(sparse.coef, dense.coef, rtol=0, atol=NEAR)


@pytest.mark.parametrize(("method", "penalty"), CASES)
def test_float32_data_are_the_numbers_that_they_are(method, penalty):
    """Not a coarser problem: the answer is that of the same numbers in float64."""
    X, y = both()
    X = X.astype(np.float32)
    l1, l2 = PENALTIES[penalty]
    form = form_of(method)
    single, double = (run(method, form(data), y, l1=l1, l2=l2, tol=TOL) for data in (X, X.astype(np.float64)))
    assert single.converged
    np.testing.assert_allclose(single.coef, double.coef, rtol=0, atol=NEAR)


@pytest.mark.parametrize(("method", "penalty"), CASES)
def test_a_weight_of_three_is_a_row_three_times(method, penalty):
    X, y = both()
    weights = np.random.default_rng(1).integers(1, 4, y.size)
    l1, l2 = PENALTIES[penalty]
    form = form_of(method)
    weighted = run(method, form(X), y, l1=l1, l2=l2, weights=weights.astype(float), tol=TOL)
    repeated = run(method, form(np.repeat(X, weights, axis=0)), np.repeat(y, weights), l1=l1, l2=l2, tol=TOL)
    np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=0, atol=NEAR)
    ignored = run(method, form(X), y, l1=l1, l2=l2, tol=TOL)
    assert np.abs(ignored.coef - weighted.coef).max() > 100 * NEAR


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("method", "penalty"), CASES)
def test_repeated_collinear_and_empty_columns(method, penalty, loss):
    X, y, weights = data(loss)
    X = np.column_stack([X, X[:, 0], X[:, 1] - 2 * X[:, 2], np.zeros(60), X[:, 4]])
    l1, l2 = PENALTIES[penalty]
    solution = run(method, form_of(method)(X), y, loss=loss, l1=l1, l2=l2, weights=weights, tol=1e-10)
    assert solution.converged
    np.testing.assert_array_equal(solution.coef[[3, 9]], 0.0)
    if l2:  # strictly convex: twins have one weight, to the accuracy that a gap of 1e-10 and l2 = 1e-3 give
        assert solution.coef[0] == pytest.approx(solution.coef[7], abs=1e-3)


@pytest.mark.parametrize(("method", "penalty"), [case for case in CASES if case[1] != "ridge"])
def test_a_strong_l1_penalty_leaves_exact_zeros_and_one_a_little_weaker_does_not(method, penalty):
    X, y = both()
    share = (y > 0).mean()
    largest = np.abs(X.T @ (y / 2 + 0.5 - share)).max() / y.size  # |∇F(0, b)|: the slopes at the best intercept
    l2 = PENALTIES[penalty][1]
    zero = run(method, X, y, l1=1.0001 * largest, l2=l2, start=(np.ones(12), 1.0))
    assert zero.converged and not zero.coef.any()
    assert zero.intercept == pytest.approx(np.log(share / (1 - share)), abs=1e-4)
    assert run(method, X, y, l1=0.99 * largest, l2=l2, start=(np.ones(12), 1.0)).coef.any()


@pytest.mark.parametrize("loss", LOSSES)
def test_six_decades_of_curvature(loss):
    rng = np.random.default_rng(2)
    Q, _ = np.linalg.qr(rng.standard_normal((20, 20)))
    X = np.ascontiguousarray((rng.standard_normal((400, 20)) * np.geomspace(1, 1e-3, 20)) @ Q)
    rule = Q.T @ (rng.standard_normal(20) * np.geomspace(1, 1e3, 20))
    t = X @ rule + rng.standard_normal(400)
    y = t if loss in REGRESSION else np.sign(t)
    for l1, l2 in ((0.0, 1e-7), (1e-4, 1e-7), (1e-4, 0.0)):
        solution = run("finish", X, y, loss=loss, l1=l1, l2=l2, tol=1e-10 * max(1.0, y.var()))
        assert solution.converged
        assert solution.passes < 3000


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "modified_huber"])
def test_classes_far_apart_with_hardly_a_penalty(loss):
    rng = np.random.default_rng(3)
    y = np.sign(rng.standard_normal(100))
    X = rng.standard_normal((100, 8)) + 3.0 * y[:, None]
    for l1, l2 in ((0.0, 1e-7), (1e-6, 1e-7), (1e-6, 0.0)):
        solution = run("finish", X, y, loss=loss, l1=l1, l2=l2, tol=1e-10)
        assert solution.converged
        assert solution.objective < 1e-4
        assert np.all(y * (X @ solution.coef + solution.intercept) > 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_targets_far_from_where_the_loss_is_curved(loss):
    """Every row begins on a linear part of the Huber losses: the Hessian is 0, and steps need another curvature."""
    X, y = both()
    y = 1000.0 + 50.0 * y if loss in REGRESSION else y
    for l1, l2 in PENALTIES.values():
        start = (np.zeros(12), -40.0 * y[0])
        solution = run("finish", X, y, loss=loss, l1=l1, l2=l2, tol=1e-8, start=start)
        assert solution.converged


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_wide_sparse_rows_with_a_ridge(loss, intercept):
    """More features than a Gram matrix is for: dual ascent and conjugate gradients against the same rows as a narrow problem."""
    X, y = sparse_rows(300, 60, 4)
    wide = sp.csr_array((X.data, X.indices * 31, X.indptr), shape=(300, 60 * 31))  # empty columns in between
    arguments = {"loss": loss, "l2": 1e-3, "intercept": intercept, "tol": TOL}
    narrow, answer = run("newton", X, y, **arguments), run("finish", wide, y, **arguments)
    assert answer.converged and narrow.converged
    np.testing.assert_allclose(answer.coef[::31], narrow.coef, rtol=0, atol=NEAR)
    assert answer.intercept == pytest.approx(narrow.intercept, abs=NEAR)


def test_dual_ascent_alone_is_enough_where_rows_are_short():
    X, y = sparse_rows(300, 60, 4)
    for intercept in (False, True):
        solution = run("dual ascent alone", X, y, l2=1e-2, intercept=intercept)
        assert solution.converged
    assert not run(
        "dual ascent alone", 30.0 * X, y, l2=1e-9, intercept=True, tol=TOL
    ).converged  # and knows where it is not


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("penalty", ["elastic net", "lasso"])
def test_wide_rows_with_an_l1_penalty(penalty, form):
    X, y = sparse_rows(200, 1500, 5)
    l1, l2 = PENALTIES[penalty]
    X = form(X.toarray())
    few, many = (run(method, X, y, l1=l1, l2=l2, tol=TOL) for method in ("finish", "many columns"))
    assert few.converged and many.converged
    assert 10 < np.count_nonzero(few.coef) < 300
    np.testing.assert_allclose(few.coef, many.coef, rtol=0, atol=1e-3)
    assert few.objective == pytest.approx(many.objective, abs=2 * TOL)


def test_samples_of_rows_spare_passes():
    """On many rows the first steps see few of them: fewer passes than from the same start with the samples forbidden."""
    rng = np.random.default_rng(6)
    X = rng.standard_normal((6000, 10))
    y = np.sign(X @ rng.standard_normal(10) + rng.standard_normal(6000))
    cold = run("newton", X, y, l2=1e-6)
    warm = run("newton", X, y, l2=1e-6, start=(np.full(10, 1e-12), 0.0))  # not 0: no samples
    assert cold.converged and warm.converged
    assert cold.passes < 0.8 * warm.passes


def test_the_whole_solver_ends_with_the_finish():
    X, y = both(400)
    solution = minimise(X, y, l1=1e-3, l2=1e-6, tol=1e-12)
    assert solution.converged
    assert solution.history[-1].phase == "finish"


def test_without_numba_every_method_works():
    script = """
        import sys
        sys.modules["numba"] = None
        import numpy as np, scipy.sparse as sp
        from convex.engine.compiled import HAS_NUMBA
        from finish_methods import SMOOTH, SPARSE, run
        assert not HAS_NUMBA
        rng = np.random.default_rng(0)
        X = rng.standard_normal((80, 6)) * (rng.random((80, 6)) < 0.7)
        y = np.sign(X[:, 0] + rng.standard_normal(80))
        for methods, l1, l2 in ((SMOOTH, 0.0, 1e-3), (SPARSE, 1e-3, 1e-3), (SPARSE, 1e-3, 0.0)):
            for method in methods:
                for form in (np.asarray, sp.csr_array):
                    solution = run(method, form(X), y, l1=l1, l2=l2, compiled=False)
                    assert solution.converged, (method, l1, l2)
        print("solved")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert done.stdout.strip() == "solved", done.stderr
