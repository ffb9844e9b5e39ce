"""The series rules: their coefficients, where they agree, what they keep, and the two ways in which the literal rule fails."""

from __future__ import annotations

from fractions import Fraction
from math import factorial, prod

import numpy as np
import pytest
import torch
from scipy.linalg import fractional_matrix_power
from scipy.stats import ortho_group

from optimizers.reference.jorge import COEFFICIENTS, root_step
from optimizers.roots.series import binomial, dynamic_beta2, jorge_step, sandwich_step
from structures.arrays import to_numpy, tolerance

N = 5


def pair(seed: int, n: int = N, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """A positive definite P and a positive semidefinite E of rank n - 1 that do not commute."""
    rng = np.random.default_rng(seed)
    Q = ortho_group.rvs(n, random_state=rng)
    B = rng.standard_normal((n, n - 1))
    return (Q * np.exp(spread * rng.uniform(-0.5, 0.5, n))) @ Q.T, B @ B.T


def root_of(E: np.ndarray) -> np.ndarray:
    """A square root G, so that E = G Gᵀ."""
    values, vectors = np.linalg.eigh(E)
    return vectors * np.sqrt(np.maximum(values, 0.0))


@pytest.mark.parametrize("p", [1, 2, 3, 4, 8])
def test_coefficients_are_the_binomial_ones(p):
    exact = [prod((Fraction(-1, p) - i for i in range(k)), start=Fraction(1)) / factorial(k) for k in range(9)]
    assert binomial(8, p) == tuple(float(a) for a in exact)


def test_the_printed_coefficients():
    assert binomial(4) == COEFFICIENTS


@pytest.mark.parametrize(("order", "p"), [(-1, 4), (2, 0)])
def test_no_series_of_a_negative_order(order, p):
    with pytest.raises(ValueError, match="binomial needs"):
        binomial(order, p)


@pytest.mark.parametrize("beta2", [None, 0.97])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_both_rules_are_the_printed_formulas_on_every_array_library(backend, order, beta2):
    P, E = pair(1)
    P, E = np.stack([P, pair(2)[0]]), np.stack([E, pair(2)[1]])
    H = P @ P @ np.stack([root_of(E[0]), root_of(E[1])])
    one = to_numpy(jorge_step(backend.array(P), backend.array(E), beta2, order))
    two = to_numpy(sandwich_step(backend.array(P), backend.array(H), beta2, order))
    atol = tolerance(backend.like, N, cond=1e2)  # |P|⁴|E| of these pairs
    for i in range(2):
        np.testing.assert_allclose(one[i], root_step(P[i], E[i], beta2, order), rtol=0.0, atol=atol)
        np.testing.assert_allclose(two[i], root_step(P[i], E[i], beta2, order, symmetric=True), rtol=0.0, atol=atol)


def test_a_beta2_for_each_matrix():
    P, E = pair(3)
    beta2 = np.array([0.9, 0.99])[:, None, None]
    together = jorge_step(np.stack([P, P]), np.stack([E, E]), beta2)
    for i in range(2):
        np.testing.assert_allclose(together[i], jorge_step(P, E, float(beta2[i, 0, 0])), rtol=1e-14)


def test_the_dynamic_rule_is_its_own_beta2():
    P, E = pair(4)
    X = np.linalg.matrix_power(P, 4) @ E
    np.testing.assert_allclose(jorge_step(P, E), jorge_step(P, E, dynamic_beta2(X)), rtol=1e-13)
    np.testing.assert_allclose(dynamic_beta2(X)[0, 0], np.linalg.norm(X) / (1 + np.linalg.norm(X)), rtol=1e-15)


@pytest.mark.parametrize("step", [jorge_step, sandwich_step])
def test_the_least_beta2_is_a_floor(step):
    P, E = pair(5)
    E = E if step is jorge_step else P @ P @ root_of(E)
    dynamic = float(dynamic_beta2(np.linalg.matrix_power(P, 4) @ E if step is jorge_step else E @ E.T)[0, 0])
    np.testing.assert_allclose(step(P, E, least=0.5 * dynamic), step(P, E), rtol=1e-13)
    np.testing.assert_allclose(step(P, E, least=0.5 + 0.5 * dynamic), step(P, E, 0.5 + 0.5 * dynamic), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_error_is_of_the_order_after_the_last_where_everything_commutes(order):
    rng = np.random.default_rng(0)
    L, E = np.diag(rng.uniform(0.5, 2.0, N)), np.diag(rng.uniform(0.5, 2.0, N))
    P = fractional_matrix_power(L, -0.25)

    def error(c: float) -> float:
        beta2 = 1.0 / (1.0 + c)
        exact = fractional_matrix_power(beta2 * L + (1.0 - beta2) * E, -0.25)
        return float(np.linalg.norm(jorge_step(P, E, beta2, order) - exact))

    slope = np.log2(error(0.04) / error(0.02))
    assert slope == pytest.approx(order + 1, abs=0.1)  # the next term of the series is a tenth of this one at c = 0.04


def test_the_rules_agree_on_diagonal_matrices_and_on_no_others():
    rng = np.random.default_rng(6)
    P, g = np.diag(rng.uniform(0.5, 2.0, N)), rng.uniform(0.5, 2.0, N)
    for order in (1, 2, 3):
        one, two = jorge_step(P, np.diag(g**2), order=order), sandwich_step(P, P @ P @ np.diag(g), order=order)
        np.testing.assert_allclose(one, two, rtol=tolerance(P, N), atol=0.0)
    P, E = pair(6)
    difference = np.linalg.norm(jorge_step(P, E) - sandwich_step(P, P @ P @ root_of(E)))
    assert difference > 1e-2 * np.linalg.norm(P)


def test_only_the_sandwich_stays_symmetric():
    P, E = pair(7)
    two = sandwich_step(P + P.T, (P + P.T) @ (P + P.T) @ root_of(E))
    assert np.array_equal(two, two.T)
    one = jorge_step(P, E)
    assert np.linalg.norm(one - one.T) > 1e-2 * np.linalg.norm(one)


@pytest.mark.parametrize("step", [jorge_step, sandwich_step])
def test_both_rules_turn_with_the_basis(step):
    P, E = pair(8)
    U = ortho_group.rvs(N, random_state=8)
    given = (lambda P, E: E) if step is jorge_step else (lambda P, E: P @ P @ root_of(E))
    turned = step(U @ P @ U.T, given(U @ P @ U.T, U @ E @ U.T))
    np.testing.assert_allclose(turned, U @ step(P, given(P, E)) @ U.T, rtol=0.0, atol=tolerance(P, N, 1e2))


def test_a_rule_for_each_entry_does_not_turn_with_the_basis():
    P, E = pair(8)
    U = ortho_group.rvs(N, random_state=8)
    diagonal = lambda P, E: jorge_step(P * np.eye(N), E * np.eye(N))  # noqa: E731
    assert np.linalg.norm(diagonal(U @ P @ U.T, U @ E @ U.T) - U @ diagonal(P, E) @ U.T) > 1e-2


def test_a_gradient_of_another_scale_changes_the_scale_of_the_root_alone():
    P, E = pair(9)
    for k in (1e-3, 1e3):
        np.testing.assert_allclose(jorge_step(P / k**0.5, k**2 * E), jorge_step(P, E) / k**0.5, rtol=1e-9)


def test_a_ridge_is_more_columns():
    P, E = pair(10)
    H = P @ P @ root_of(E)
    with_columns = sandwich_step(P, np.concatenate([H, np.sqrt(0.3) * P @ P], axis=-1))
    np.testing.assert_allclose(
        with_columns, root_step(P, E + 0.3 * np.eye(N), None, 2, True), atol=tolerance(P, N, 1e2)
    )


def test_the_literal_rule_fails_at_once_on_a_zero_gradient():
    with pytest.warns(RuntimeWarning):
        after = jorge_step(np.eye(N), np.zeros((N, N)))
    assert not np.isfinite(after).any()


def test_the_literal_rule_overflows_when_a_row_is_always_zero():
    n, rng = 16, np.random.default_rng(11)
    P, last = np.eye(n, dtype=np.float32), 0
    with np.errstate(all="ignore"):
        for t in range(700):
            G = rng.standard_normal((n, n)).astype(np.float32)
            G[0] = 0.0
            P, last = jorge_step(P, G @ G.T), t
            if not np.isfinite(np.linalg.norm(np.linalg.matrix_power(P, 4) @ (G @ G.T))):
                break
    assert 400 < last < 650  # β₂ ≈ 0.83 at n = 16, and P⁴ leaves float32 at β₂^(-t) = 3e38: t near 480


def test_a_ridge_keeps_that_row_alive():
    n, rng = 16, np.random.default_rng(11)
    P = np.eye(n, dtype=np.float32)
    for _ in range(1000):
        G = rng.standard_normal((n, n)).astype(np.float32)
        G[0] = 0.0
        E = G @ G.T
        P = jorge_step(P, E + np.float32(1e-2 * np.trace(E) / n) * np.eye(n, dtype=np.float32))
    assert np.isfinite(P).all()
    assert np.abs(P).max() < 4.0  # (1e-2)^(-1/4) = 3.2 times the root of the mean, which is below 1


@pytest.mark.parametrize("step", [jorge_step, sandwich_step])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_a_stack_of_torch_matrices_takes_the_steps_of_numpy_s(step, order):
    rng = np.random.default_rng(order)
    P, G = rng.standard_normal((3, 4, 4)), rng.standard_normal((3, 4, 5))
    P = P @ P.transpose(0, 2, 1) + 0.1 * np.eye(4)  # far from a scaled identity, so that the sides of a product matter
    given = G @ G.transpose(0, 2, 1) if step is jorge_step else P @ P @ G
    expected = step(P, given, 0.9, order)
    np.testing.assert_allclose(step(torch.tensor(P), torch.tensor(given), 0.9, order), expected, rtol=1e-12)
    assert (order == 0) == np.allclose(expected, 0.9**-0.25 * P)
