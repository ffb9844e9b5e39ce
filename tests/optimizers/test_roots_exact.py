"""Exact inverse roots with a relative ridge, and what certifies a root without taking one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import fractional_matrix_power
from scipy.stats import ortho_group

from optimizers.reference import shampoo as literal
from optimizers.roots import ROOTS, root_rule
from optimizers.roots.certificate import CHANCE, POWER, probe_quantile, probed_bound, residual, staleness_bound
from optimizers.roots.exact import inverse_root, ridge_of
from structures.arrays import to_numpy, tolerance
from structures.roots import NotPositiveError


def spd(seed: int, n: int, cond: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    Q = ortho_group.rvs(n, random_state=rng)
    return (Q * np.geomspace(1.0 / cond, 1.0, n)) @ Q.T


@pytest.mark.parametrize("p", [2, 4])
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_roots_are_the_roots_of_another_method(backend, p, ridge):
    L = np.stack([spd(0, 6, 1e2), 3.0 * spd(1, 6, 10.0)])
    found = to_numpy(inverse_root(backend.array(L), p, ridge))
    for i in range(2):
        np.testing.assert_allclose(
            found[i], literal.inverse_root(L[i], p, ridge), rtol=0.0, atol=tolerance(backend.like, 6, 1e3)
        )
    assert np.array_equal(found, np.swapaxes(found, -1, -2))


def test_the_literal_root_is_the_power_of_a_third_method():
    L = spd(2, 6, 1e3)
    np.testing.assert_allclose(literal.inverse_root(L, 4), fractional_matrix_power(L, -0.25), rtol=1e-9, atol=1e-12)


def test_without_a_ridge_what_was_never_seen_stays_unseen():
    G = np.random.default_rng(3).standard_normal((5, 2))
    P = inverse_root(G @ G.T, 2)
    null = np.eye(5) - G @ np.linalg.pinv(G)
    assert np.linalg.norm(P @ null) < 1e-6 * np.linalg.norm(P)  # vectors of a null space are known to eps/gap
    ridged = inverse_root(G @ G.T, 2, 1e-3)
    assert np.linalg.norm(ridged @ null) > 10.0 * np.linalg.norm(P)


def test_the_ridge_is_linear_in_the_statistics():
    A, B = spd(4, 4, 10.0), spd(5, 4, 10.0)
    np.testing.assert_allclose(ridge_of(A + B, 0.1), ridge_of(A, 0.1) + ridge_of(B, 0.1), rtol=1e-14)
    np.testing.assert_allclose(ridge_of(A, 0.1)[0, 0], 0.1 * np.trace(A) / 4, rtol=1e-14)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_the_root_of_nothing_is_nothing(ridge):
    assert np.array_equal(inverse_root(np.zeros((2, 3, 3)), 4, ridge), np.zeros((2, 3, 3)))


def test_indefinite_statistics_are_refused_unless_a_ridge_covers_them():
    L = np.diag([1.0, 0.5, -0.1])
    with pytest.raises(NotPositiveError):
        inverse_root(L, 4)
    assert np.isfinite(inverse_root(L, 4, 1e-2)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_statistics_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        inverse_root(np.diag([1.0, bad]), 4, 1e-2)


def test_an_exact_root_has_no_residual_and_a_wrong_exponent_has(backend):
    L = backend.array(spd(6, 5, 50.0))
    assert np.abs(to_numpy(residual(inverse_root(L, 4), L))).max() < tolerance(backend.like, 5, 1e3)
    assert np.abs(to_numpy(residual(inverse_root(L, 2), L))).max() > 0.5


def test_a_probe_bounds_the_residual_but_for_its_chance_and_not_by_far():
    rng, missed, trials = np.random.default_rng(7), 0, 1000
    for seed in range(10):
        L = spd(seed, 6, 30.0)
        P = inverse_root(L, 4)
        P = P + 0.05 * spd(seed + 100, 6, 5.0)
        R = residual(P, L)
        rho = np.linalg.norm(R, 2)
        for _ in range(trials // 10):
            V = rng.standard_normal((6, 2))
            bound = float(probed_bound(lambda X, P=P: P @ (P @ X), L, V))
            most = (np.linalg.norm(V) / probe_quantile(2, CHANCE)) ** (1.0 / POWER)
            missed += bound < rho
            assert bound <= rho * most * (1.0 + 1e-9)
    assert missed <= 3 * CHANCE * trials  # 1 in 10^7 by chance


def test_a_probe_sees_the_shift():
    L, V = spd(8, 4, 10.0), np.eye(4)
    P = inverse_root(L + 0.3 * np.eye(4), 4)
    square = lambda X: P @ (P @ X)  # noqa: E731
    assert float(probed_bound(square, L, V, 0.3)) < 1e-12 < 1e-2 < float(probed_bound(square, L, V))


def test_staleness_bounds_the_residual_and_is_reached_by_one_direction():
    rng = np.random.default_rng(9)
    for seed in range(20):
        L0, kept = spd(seed, 5, 20.0), rng.uniform(0.5, 1.0)
        G = rng.standard_normal((5, int(rng.integers(1, 4)))) * 10.0 ** rng.uniform(-2, 0)
        P = inverse_root(L0, 4)
        rho = np.linalg.norm(residual(P, kept * L0 + G @ G.T), 2)
        bound = float(staleness_bound(np.asarray(kept), np.asarray(np.sum((P @ P @ G) ** 2))))
        assert rho <= bound * (1 + 1e-10)
        if G.shape[1] == 1:
            assert rho == pytest.approx(bound, rel=1e-9)


def test_the_registry_names_what_it_has():
    assert [type(root_rule(name)).__name__ for name in ROOTS] == ["Exact", "Sandwich", "JorgeSeries"]
    with pytest.raises(ValueError, match="'eigh', 'sandwich', 'jorge'"):
        root_rule("newton")


def test_a_rule_begins_with_the_state_that_it_names():
    from optimizers.roots.rules import KEPT, RULES, Side

    options = {"eps": None, "beta2": 0.9, "refresh": "certificate"}
    for rule in RULES.values():
        assert set(rule.begin(Side(3, 2), 2, torch.zeros(0), options)) <= set(KEPT)
