"""Bounds for parameters too many for a matrix: they bracket the closed forms, and say what they assume."""

from math import pi, sqrt

import numpy as np
import pytest

import convex.smoothness.matrix_free as matrix_free
from convex.smoothness import closed_form, envelope_smoothness, matrix_free_bracket, semidefinite_bracket
from convex.smoothness.largest_eigenvalue import chebyshev_upper, largest_eigenvalue
from problems.operators import DiagonalOperator, GramOperator, KroneckerOperator
from problems.smooth import from_arrays
from structures import Diagonal, LeftKronecker, RowScalar, Scalar
from structures.arrays import asarray_like

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(40, 30), (100, 100)])
def test_at_size_the_bracket_holds_the_closed_form_and_names_its_assumption(shape):
    m, n = shape
    L = (lambda q: q @ q.T)(RNG.standard_normal((m, 5)))
    R = np.diag(np.linspace(0.1, 1.0, n))
    cases = [
        (KroneckerOperator(L, R, shape), LeftKronecker(shape)),
        (GramOperator(RNG.standard_normal((1, *shape))), Diagonal(shape)),
        (GramOperator(RNG.standard_normal((3, *shape))), Scalar(shape)),
        (DiagonalOperator(np.abs(RNG.standard_normal(shape))), RowScalar(shape)),
    ]
    for A, K in cases:
        expected, found = closed_form(A, K), matrix_free_bracket([A], K)
        assert found.lower <= expected.upper and found.upper >= expected.lower
        assert found.width <= 0.25
        assert "probability at most 1e-06" in found.assumes and "exact arithmetic" in found.assumes


def test_the_probable_bracket_holds_the_verified_one(monkeypatch):
    A = GramOperator(RNG.standard_normal((4, 8, 6)) * np.logspace(0, -3, 8)[:, None])
    for K in (Diagonal((8, 6)), LeftKronecker((8, 6)), RowScalar((8, 6))):
        verified = matrix_free_bracket([A], K)
        monkeypatch.setattr(matrix_free, "VERIFIED_UP_TO", 0)
        probable = matrix_free_bracket([A], K, tol=1e-9)
        monkeypatch.undo()
        assert verified.assumes == "" and probable.assumes != ""
        assert probable.lower <= verified.upper and probable.upper >= verified.lower
        assert probable.width <= 0.05


def test_every_step_of_the_iteration_raises_the_lower_end():
    A, K = GramOperator(RNG.standard_normal((4, 5, 4))), Diagonal((5, 4))
    exact = semidefinite_bracket([A.dense()], K)
    lower = [matrix_free_bracket([A], K, iterations=k, tol=0.0).lower for k in (1, 2, 4, 8, 16, 200)]
    assert all(b >= a * (1 - 1e-12) for a, b in zip(lower, lower[1:], strict=False))
    assert lower[0] < 0.999 * exact.lower and lower[-1] <= exact.upper


def test_sparse_data_with_many_features_are_bracketed():
    from scipy import sparse

    X = sparse.random(100, 10000, 2e-3, random_state=0, format="csr")
    f = from_arrays(X, RNG.choice([-1, 1], 100), alpha=1e-3)
    for K in (Scalar((10000,)), Diagonal((10000,))):
        found = envelope_smoothness([f.curvature], K)
        assert f.curvature.trace * (1 - 1e-9) <= found.upper and found.width <= 0.3


@pytest.mark.parametrize("spectrum", ["gap", "flat", "edge", "rank one", "condition 1e12"])
def test_lanczos_from_a_random_start_bounds_the_largest_eigenvalue(spectrum):
    d = 400
    values = {
        "gap": np.append(np.linspace(0, 0.5, d - 1), 1.0),
        "flat": np.ones(d),
        "edge": 1.0 - np.linspace(0, 1, d) ** 2,
        "rank one": np.append(np.zeros(d - 1), 1.0),
        "condition 1e12": np.logspace(-12, 0, d),
    }[spectrum]
    top = float(values.max())
    for seed in range(20):
        found = largest_eigenvalue(lambda v: values * v, np.zeros(0), d, steps=40, seed=seed)
        assert found.lower <= top * (1 + 1e-12) <= found.upper * (1 + 1e-11)
        assert found.upper <= 1.3 * top
    few = largest_eigenvalue(lambda v: values * v, np.zeros(0), d, steps=3)
    if spectrum not in ("flat", "rank one"):
        assert few.upper == np.inf  # three products prove nothing at 1e-6


def test_the_ritz_value_alone_is_no_upper_bound():
    values = np.logspace(-2, 0, 400)
    found = largest_eigenvalue(lambda v: values * v, np.zeros(0), 400, steps=5)
    assert found.lower < 0.999 < found.upper


@pytest.mark.parametrize("d", [3, 4, 10, 300])
def test_a_random_direction_is_rarely_as_close_to_orthogonal_as_the_bound_says(d):
    x = RNG.standard_normal((20000, d))
    c = np.abs(x[:, 0]) / np.linalg.norm(x, axis=1)
    for s in (0.01, 0.05, 0.2):
        allowed = min(1.0, 2 * s * sqrt((d - 1) / (2 * pi)))
        error = 5 * sqrt(allowed * (1 - allowed) / 20000) + 1e-9  # five standard errors of a frequency
        assert np.mean(c < s) <= allowed + error


def test_the_chebyshev_inequality_holds_for_the_start_that_was_drawn():
    d, steps = 60, 12
    values = np.sort(RNG.uniform(size=d))
    for seed in range(10):
        start = np.random.default_rng(np.random.SeedSequence([seed, d])).standard_normal(d)
        c = abs(start[-1]) / np.linalg.norm(start)
        failure = min(1.0, 2 * c * sqrt((d - 1) / (2 * pi)))  # the level at which this very c is the worst one allowed
        theta = largest_eigenvalue(lambda v: values * v, np.zeros(0), d, steps=steps, seed=seed).lower
        assert values[-1] <= chebyshev_upper(theta, d, steps, failure) * (1 + 1e-12)


def test_two_dimensions_are_refused():
    with pytest.raises(ValueError, match="three dimensions"):
        largest_eigenvalue(lambda v: v, np.zeros(0), 2)


@pytest.mark.parametrize("K", [Diagonal((6, 5)), LeftKronecker((6, 5)), Scalar((6, 5))], ids=lambda K: type(K).__name__)
def test_torch_computes_the_same_bracket(K):
    import torch

    A = GramOperator(RNG.standard_normal((3, 6, 5)))
    moved = A.beside(torch.zeros(1, dtype=torch.float64))
    here, there = matrix_free_bracket([A], K), matrix_free_bracket([moved], K)
    assert there.lower == pytest.approx(here.lower, rel=1e-8) and there.upper == pytest.approx(here.upper, rel=1e-5)
    assert asarray_like([1.0], moved.like).dtype == torch.float64


def test_above_the_limit_of_the_exact_solver_scs_is_repaired():
    A = GramOperator(RNG.standard_normal((60, 64)))
    found = semidefinite_bracket([A.dense()], Diagonal((64,)))
    assert "SCS" in found.method and found.width <= 1e-4
    assert np.linalg.eigvalsh(found.element - A.dense())[0] >= 0
