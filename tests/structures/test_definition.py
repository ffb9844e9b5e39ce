"""Closed forms against their definitions, solved by a conic solver that knows nothing of them."""

import numpy as np
import pytest
from strategies import STRUCTURES

from problems import oracles
from structures.not_structured import LinearSet
from structures.registry import controls

# The conic solver is asked for 1e-8 in the objective. A value inherits that; a minimiser of a smooth function, its root.
VALUE, MINIMISER = 1e-6, 1e-3
SOLVED = [K for K in controls() if isinstance(K, LinearSet) or type(K).__name__ == "DiagonalLinear"]


def statistic(K):
    """A well-conditioned M that does not lie in the set."""
    A = np.random.default_rng(0).standard_normal((K.dim, 2 * K.dim))
    return A @ A.T / K.dim + 0.2 * np.eye(K.dim)


@pytest.mark.parametrize("K", STRUCTURES + SOLVED, ids=str)
def test_the_preconditioner_is_the_minimiser(K):
    M = statistic(K)
    P, H = K.dense(K.preconditioner(M)), oracles.preconditioner(K, M)
    np.testing.assert_allclose(P @ P, H @ H, atol=MINIMISER * np.trace(M))
    value = np.trace(M @ np.linalg.inv(H)) + np.trace(H)
    assert value == pytest.approx(2.0 * np.trace(P), rel=VALUE)


@pytest.mark.parametrize("K", STRUCTURES + SOLVED, ids=str)
def test_the_three_norms_are_the_supremum_and_the_infima(K):
    x, y, *gradients = np.random.default_rng(1).standard_normal((5, *K.shape))
    assert float(K.norm(x)) == pytest.approx(oracles.norm(K, x), rel=VALUE)
    # A single gradient has its infimum at a singular H, where the solver and a damped minimiser keep fewer digits.
    assert float(K.dual_norm(y)) == pytest.approx(oracles.dual_norm(K, y), rel=10 * VALUE + K.precision)
    adaptive = oracles.adaptive_norm(K, np.stack(gradients))
    assert float(K.adaptive_norm(np.stack(gradients))) == pytest.approx(adaptive, rel=10 * VALUE + K.precision)


@pytest.mark.parametrize("K", SOLVED, ids=str)
def test_the_root_of_the_projection_is_not_the_minimiser_of_a_set_that_is_not_closed(K):
    A = np.random.default_rng(2).standard_normal((K.dim, K.dim))
    M = A @ A.T
    H = oracles.preconditioner(K, M)
    assert np.linalg.norm(H @ H - K.dense(K.project(M))) > 0.01 * np.trace(M)


@pytest.mark.parametrize("K", SOLVED, ids=str)
def test_the_largest_projected_eigenvalue_is_not_the_norm_of_a_set_that_is_not_closed(K):
    x = np.random.default_rng(3).standard_normal(K.shape)
    closed_form = np.sqrt(np.linalg.eigvalsh(K.dense(K.outer(x)))[-1])
    assert closed_form > 1.001 * oracles.norm(K, x)  # a thousand times the solver's error
