"""Certificates, positivity, the basin, probes, staleness and the window: attacked where they are sharp."""

from __future__ import annotations

from itertools import product
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizers.roots.certificate import residual as optimizers_residual
from optimizers.roots.certificate import staleness_bound
from optimizers.roots.series import sandwich_step
from optimizers.theorems.fixed_point_cases import basis
from optimizers.theorems.jorge_window import WindowRun, expected_square
from optimizers.theorems.loewner_certificate import bracket, perturbed, relative_spectrum, residual_error
from optimizers.theorems.probe_certificate import estimate, probe_factor, relative_probe_factor
from optimizers.theorems.rules import polish, residual, sandwich
from optimizers.theorems.sandwich_basin import (
    SandwichBasin,
    contraction_loss,
    polishing,
    safe_step,
    spread_of_root,
)
from optimizers.theorems.sandwich_positivity import jordan_floor, largest_condition, series_range, worst_pair
from optimizers.theorems.staleness import aged, refresh_interval
from optimizers.theorems.truncated import step_size
from structures.roots import inverse_root
from theory import verify

EPS = float(np.finfo(float).eps)
SEEDS = st.integers(0, 10**6)


def symmetric(A: np.ndarray) -> np.ndarray:
    return 0.5 * (A + A.T)


def definite(rng: np.random.Generator, n: int, cond: float) -> np.ndarray:
    V = basis(n, int(rng.integers(1 << 30)))
    return symmetric((V * np.exp(rng.uniform(0.0, np.log(cond), n))) @ V.T)


# The certificate


@given(SEEDS)
def test_a_certificate_is_never_wrong_whatever_the_root_is(seed):
    """Any positive definite P at all: the bracket is wide then, and holds."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    L, P = definite(rng, n, 100.0), definite(rng, n, 3.0)
    P = P * rng.uniform(0.2, 3.0)
    low, high = bracket(P, L)
    values = relative_spectrum(inverse_root(L, 4), P)
    assert values[0] >= (1.0 + high) ** -0.25 * (1.0 - 1e-12)  # cond(L) = 100 times a few roundings
    if low > -1.0:
        assert values[-1] <= (1.0 + low) ** -0.25 * (1.0 + 1e-12)


def test_two_factors_multiply():
    left, right = perturbed(0, 50.0, 0.02, n=3, B=5), perturbed(1, 20.0, 0.02, n=2, B=5)
    for P1, L1, P2, L2 in zip(left.P, left.L, right.P, right.L, strict=True):
        root = np.kron(inverse_root(L1, 4), inverse_root(L2, 4))
        values = relative_spectrum(root, np.kron(P1, P2))
        rho = [float(np.max(np.abs(bracket(P, L)))) for P, L in ((P1, L1), (P2, L2))]
        assert ((1.0 + rho[0]) * (1.0 + rho[1])) ** -0.25 <= values[0]
        assert values[-1] <= ((1.0 - rho[0]) * (1.0 - rho[1])) ** -0.25


def test_the_error_of_computing_a_residual_is_bounded_in_single_precision():
    run = perturbed(3, 1e4, 0.02)
    P, L = run.P.astype(np.float32), run.L.astype(np.float32)
    exact = residual(P.astype(float), L.astype(float))
    off = np.linalg.norm(residual(P, L).astype(float) - exact, 2, axis=(-2, -1))
    bound = residual_error(P, L)
    assert np.all(off <= bound)
    assert np.all(bound < 0.5)  # and it is not empty
    # Without it a residual below rounding certifies what is not so: the largest error exceeds what eps alone would say.
    assert np.max(off) > float(np.finfo(np.float32).eps)


def test_the_residual_is_the_optimizers_own():
    run = perturbed(4, 100.0, 0.05)
    np.testing.assert_allclose(optimizers_residual(run.P, run.L), residual(run.P, run.L), atol=1e-12)


# Staleness


def test_the_optimizers_staleness_bound_covers_the_residual_of_an_aged_root():
    run = aged(0, 1e3, 30, 0.9)
    P = run.P
    square = P @ P
    for L, kept in zip(run.L, run.kept, strict=True):
        rho = np.linalg.norm(residual(P, L), 2)
        added = np.trace(square @ (L - kept * run.L0) @ square)
        assert rho <= float(staleness_bound(np.float64(kept), np.float64(added))) * (1.0 + 1e-9)


@pytest.mark.parametrize(("beta2", "inflow", "tolerance"), [(0.95, 1.0, 0.1), (0.99, 5.0, 0.25), (0.9, 0.3, 0.05)])
def test_a_root_lasts_as_long_as_the_interval_says_and_not_a_step_longer(beta2, inflow, tolerance):
    """All of the inflow along one direction is the worst stream."""
    steps = int(refresh_interval(beta2, inflow, tolerance))
    assert steps >= 1

    def worst(k: int) -> float:
        statistic = 1.0
        for _ in range(k):
            statistic = beta2 * statistic + (1.0 - beta2) * inflow
        return (statistic / beta2**k) ** 0.25 - 1.0

    assert worst(steps) <= tolerance < worst(steps + 1)


def test_a_root_lasts_for_ever_without_inflow_and_nonsense_is_refused():
    assert refresh_interval(0.9, 0.0, 0.1) == inf
    for beta2, inflow, tolerance in ((1.0, 1.0, 0.1), (0.9, -1.0, 0.1), (0.9, 1.0, -0.1)):
        with pytest.raises(ValueError, match="beta2"):
            refresh_interval(beta2, inflow, tolerance)


# Positivity


@given(SEEDS)
def test_no_jordan_product_falls_below_its_floor(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    A, B = (definite(rng, n, float(np.exp(rng.uniform(0.1, 8.0)))) for _ in range(2))
    ends = [tuple(np.linalg.eigvalsh(M)[[0, -1]]) for M in (A, B)]
    floor = jordan_floor(*ends)
    size = ends[0][1] * ends[1][1]
    assert np.linalg.eigvalsh(0.5 * (A @ B + B @ A))[0] >= floor - 64.0 * n * EPS * size


@pytest.mark.parametrize(("order", "s", "cond"), [(1, 1.0, 5.0), (1, 1.0, 100.0), (2, 0.8, 1000.0), (3, 0.5, 400.0)])
def test_the_floor_is_attained_in_a_plane(order, s, cond):
    run = worst_pair(order, s, cond, turn=0.0)
    least = 0.5**0.25 * np.linalg.eigvalsh(run.after)[0, 0]
    floor = jordan_floor(series_range(s, order), (1.0, cond))
    assert least == pytest.approx(floor, abs=1e-9 * cond)  # P²CP² is formed from its inverse: cond² roundings


@pytest.mark.parametrize(("order", "limit"), [(1, (7.0 + 48.0**0.5) ** 2), (2, (19.0 + 360.0**0.5) ** 2)])
def test_beyond_the_largest_condition_some_gradient_makes_the_root_indefinite(order, limit):
    assert largest_condition(1.0, order) == pytest.approx(limit, rel=1e-12)
    s = 1.0 if order == 1 else 0.8
    inside, outside = (worst_pair(order, s, by * limit, turn=0.0) for by in (0.97, 1.03))
    assert np.linalg.eigvalsh(inside.after)[0, 0] > 0.0
    assert np.linalg.eigvalsh(outside.after)[0, 0] < 0.0


def test_the_dynamic_step_of_the_optimizer_keeps_a_root_definite_up_to_that_condition():
    rng = np.random.default_rng(0)
    for _ in range(200):
        P = definite(rng, 4, 1400.0)
        P = symmetric(sandwich_step(P, P @ P @ rng.standard_normal((4, int(rng.integers(1, 4)))), None, 2))
        assert np.linalg.eigvalsh(P)[0] > 0.0


# The basin


@given(SEEDS)
def test_one_step_contracts_as_promised_from_everywhere_in_the_basin(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    P = definite(rng, n, float(np.exp(rng.uniform(0.0, 3.0))))
    E = rng.standard_normal((n, int(rng.integers(1, n + 1))))
    S = symmetric(E @ np.diag(rng.choice([-1.0, 1.0], E.shape[1])) @ E.T)
    eps = float(rng.uniform(0.01, 0.6))
    inverse = np.linalg.inv(P @ P)
    L = symmetric(inverse @ (np.eye(n) + eps * S / np.linalg.norm(S)) @ inverse)
    rho = float(np.linalg.cond(P))
    g = float(rng.uniform(0.3, 1.0)) / float(1.0 + rho + 1.0 / rho + 0.5 * (rho**2 + rho**-2))
    b = contraction_loss(g, rho, eps)
    if eps * b >= 4.0:
        return
    after = np.linalg.norm(residual(polish(P, L, g), L))
    assert after <= (1.0 - g * (4.0 - eps * b)) * eps + 1e-12 * rho**4


@pytest.mark.parametrize("cond", [1.0, 10.0, 1e3, 1e5])
def test_the_basin_is_of_the_size_that_is_said(cond):
    """2.7/√cond at large condition numbers, and never empty."""
    grid = np.logspace(-5, -0.01, 400)
    inside = [eps for eps in grid if eps * contraction_loss(safe_step(cond, eps), spread_of_root(cond, eps), eps) < 4.0]
    assert 0.4 <= max(inside) * cond**0.5 <= 2.7


def test_every_start_in_the_basin_ends_at_the_root():
    for seed in range(10):
        run = polishing(seed, 30.0, 0.12, 100)
        assert verify(SandwichBasin(), run).kind in {"VERIFIED", "INCONCLUSIVE"}  # the last residuals are rounding
        assert np.linalg.norm(residual(run.P[-1], run.L[-1])) < 1e-10


def test_the_update_of_order_one_under_a_constant_gradient_is_polishing():
    """With α from the fixed point, P/α is polished with g = s/(4 - s)."""
    rng = np.random.default_rng(2)
    L = definite(rng, 4, 20.0)
    s = 0.3
    c, fourth = step_size(s, 1)
    alpha = fourth**0.25
    P = inverse_root(L, 4) @ (np.eye(4) + 0.05 * np.diag(rng.standard_normal(4)))
    P = symmetric(P)
    np.testing.assert_allclose(
        sandwich(alpha * P, L, 1.0 / (1.0 + c), 1) / alpha, polish(P, L, s / (4.0 - s)), rtol=1e-10, atol=1e-11
    )


# Probes


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_the_factors_of_the_probes_are_quantiles(columns):
    delta, n, draws = 0.1, 9, 20000
    V = np.random.default_rng(columns).standard_normal((draws, n, columns))
    seen = np.linalg.norm(V[:, 0], axis=-1)  # |RV|_F for R = e₁e₁ᵀ
    low = np.mean(seen < probe_factor(columns, delta))
    relative = np.mean(seen / np.linalg.norm(V, axis=(-2, -1)) < 1.0 / relative_probe_factor(n, columns, delta))
    assert low == pytest.approx(delta, abs=0.01)  # five standard deviations of the frequency
    assert relative == pytest.approx(delta, abs=0.01)


def test_two_columns_have_closed_forms():
    for delta in (0.5, 0.01, 1e-6):
        assert probe_factor(2, delta) ** 2 == pytest.approx(-2.0 * np.log1p(-delta), rel=1e-9)
        assert relative_probe_factor(1024, 2, delta) == pytest.approx(
            (-np.expm1(np.log1p(-delta) / 1023.0)) ** -0.5, rel=1e-9
        )
    assert relative_probe_factor(1024, 2, 0.01) > 300.0  # a relative probe of 0.1 certifies no residual below 1 there


def test_more_powers_of_the_residual_give_a_sharper_estimate():
    V = basis(64, 0)
    R = symmetric((V * np.where(np.arange(64) == 0, 0.2, 0.05)) @ V.T)
    probe = np.random.default_rng(0).standard_normal((64, 2))
    estimates = [float(estimate(R, probe, 0.01, power)) for power in (1, 2, 4, 8)]
    assert estimates == sorted(estimates, reverse=True)
    assert 0.2 <= estimates[-1] <= 0.2 * 2.0


@pytest.mark.parametrize("power", [1, 2, 3])
def test_at_rank_one_the_estimate_is_the_norm_times_a_chi_variable_s_root(power):
    v = basis(7, 0)[:, 0]
    V = np.random.default_rng(1).standard_normal((7, 3))
    expected = 0.4 * (np.linalg.norm(v @ V) / probe_factor(3, 0.1)) ** (1.0 / power)
    assert float(estimate(-0.4 * np.outer(v, v), V, 0.1, power)) == pytest.approx(expected, rel=1e-12)


def test_a_probe_without_columns_or_with_a_chance_outside_of_the_interval_is_refused():
    for columns, delta in ((0, 0.1), (2, 0.0), (2, 1.0)):
        with pytest.raises(ValueError, match="column"):
            probe_factor(columns, delta)


# The window


@pytest.mark.parametrize("rule", ["sandwich", "one-sided"])
def test_the_mean_square_of_the_step_matrix_is_exact(rule):
    """Over all sign matrices 3 × 3, and therefore to rounding."""
    spectrum = np.array([1.0, 0.1, 0.003])
    Z = np.array(list(product((-1.0, 1.0), repeat=9))).reshape(-1, 3, 3)
    run = WindowRun(rule, "signs", spectrum, spectrum**-0.25, Z, 0)
    rates = run.rates(Z)
    square = np.mean((rates / (1.0 - rates)) ** 2)
    assert square == pytest.approx(expected_square(rule, spectrum, 3, 1.0), rel=1e-11)


def test_the_one_sided_window_grows_with_the_condition_number_and_the_sandwich_s_does_not():
    wide, flat = (np.logspace(0.0, -end, 16) for end in (5.0, 0.0))
    assert expected_square("sandwich", wide, 64) == expected_square("sandwich", flat, 64)
    assert expected_square("one-sided", flat, 64) == pytest.approx(expected_square("sandwich", flat, 64))
    assert expected_square("one-sided", wide, 64) > 100.0 * expected_square("sandwich", wide, 64)
    with pytest.raises(ValueError, match="sandwich"):
        expected_square("two-sided", flat, 64)
