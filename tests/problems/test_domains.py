"""Laws of the linear oracle, the support function and the Euclidean projection of every domain."""

from __future__ import annotations

import hard_metrics
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import Box, L2Ball, Product, Simplex, SpectralBall
from problems.domains.vectors import direction, norm
from structures import Diagonal
from structures.arrays import asarray_like, to_numpy

ROUNDING = 64 * float(np.finfo(np.float64).eps)

DOMAINS = [
    L2Ball(1.5).on((4,)),
    L2Ball(1.5).on((2, 3)),
    Box(0.7).on((4,)),
    SpectralBall(1.3).on((2, 3)),
    SpectralBall(1.3).on((3, 2)),
    SpectralBall(1.3).on((1, 3)),
    Simplex(2.0).on((4,)),
    Simplex().on((2, 3)),
    Product([(SpectralBall(1.0), (2, 2)), (Simplex(2.0), (3,)), (Box(0.5), (2,))]),
]


def _inner(x, y, shape):
    return np.sum(x * y, axis=tuple(range(-len(shape), 0)))


def _batch(domain, count=50, seed=0, spread=2.0):
    return np.random.default_rng(seed).standard_normal((count, *domain.shape)) * spread


@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_the_linear_oracle_is_a_member_that_attains_the_support(domain):
    S = _batch(domain)
    vertex = domain.lmo(-S)
    assert np.max(domain.infeasibility(vertex)) <= ROUNDING * domain.size
    assert np.allclose(_inner(S, vertex, domain.shape), domain.support(S), rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_no_member_beats_the_support(domain):
    S, members = _batch(domain), domain.project_euclidean(_batch(domain, seed=1))
    slack = domain.support(S)[:, None] - _inner(S[:, None], members[None], domain.shape)
    assert np.min(slack) >= -ROUNDING * np.max(np.abs(S)) * domain.size
    with_half_the_set = domain.resized(2.0).support(S)
    assert np.any(_inner(S, domain.lmo(-S), domain.shape) > with_half_the_set * (1 + 1e-3))


@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_width_is_the_extent_in_a_direction(domain):
    G = _batch(domain)
    extent = _inner(G, domain.lmo(-G) - domain.lmo(G), domain.shape)
    assert np.allclose(domain.width(G), extent, rtol=ROUNDING, atol=ROUNDING * domain.size)
    assert np.allclose(domain.width(G), domain.width(-G), rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("spread", [0.1, 2.0, 1e8])
@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_the_euclidean_projection_satisfies_its_variational_inequality(domain, spread):
    Y = _batch(domain, spread=spread)
    X = domain.project_euclidean(Y)
    assert np.max(domain.infeasibility(X)) <= ROUNDING * domain.size
    gap = _inner(X - Y, X, domain.shape) + domain.support(Y - X)
    assert np.all(np.abs(gap) <= ROUNDING * domain.size * (domain.size + np.max(np.abs(Y))) * 10)  # sums of ten terms


@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_a_shrunken_projection_breaks_the_variational_inequality(domain):
    Y = _batch(domain)
    X = 0.99 * domain.project_euclidean(Y) + 0.01 * np.asarray(domain.start(domain.shape, 1, Y))
    gap = _inner(X - Y, X, domain.shape) + domain.support(Y - X)
    assert np.max(gap) > 1e-4 * domain.size


@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_infeasibility_is_the_distance(domain):
    inside = domain.project_euclidean(_batch(domain, spread=0.1))
    assert np.max(domain.infeasibility(inside)) <= ROUNDING * domain.size
    S = _batch(domain)
    vertex = domain.lmo(-S)
    unit = S / np.sqrt(_inner(S, S, domain.shape)).reshape(-1, *[1] * len(domain.shape))
    # S is a normal direction at the vertex that maximises <S, ·>: moving along it moves away at speed one.
    assert np.allclose(domain.infeasibility(vertex + 0.25 * unit), 0.25, atol=ROUNDING * 10)


@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_the_canonical_start_is_a_member(domain):
    x = domain.start(domain.shape, 3, np.zeros(1))
    assert x.shape == (3, *domain.shape)
    assert np.max(domain.infeasibility(x)) <= ROUNDING * domain.size
    assert np.allclose(domain.width(_batch(domain)[:1]) > 0, True)


@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_a_zero_direction_has_zero_support_or_the_mass_of_nothing(domain):
    zero = np.zeros((2, *domain.shape))
    assert np.array_equal(domain.support(zero), np.zeros(2))
    assert np.max(domain.infeasibility(domain.lmo(zero))) <= ROUNDING * domain.size


@pytest.mark.parametrize("namespace_name", ["torch", "array_api_strict"])
@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_every_namespace_gives_the_same_oracles(domain, namespace_name):
    xp = pytest.importorskip(namespace_name)
    device = xp.Device("device1") if namespace_name == "array_api_strict" else "cpu"
    S = _batch(domain, count=3)
    there = asarray_like(S, xp.zeros(1, dtype=xp.float64, device=device))
    for method in ("support", "lmo", "width", "project_euclidean", "infeasibility"):
        found = getattr(domain, method)(there)
        assert found.device == there.device
        expected = getattr(domain, method)(S)
        # Two LAPACK calls of one matrix: a few roundings of the result's size.
        assert np.allclose(to_numpy(found), expected, rtol=ROUNDING, atol=ROUNDING * 10)
    start = domain.start(domain.shape, 2, there)
    assert start.device == there.device and start.dtype == there.dtype


@pytest.mark.parametrize("exponent", [-490, 0, 490])
@pytest.mark.parametrize("domain", DOMAINS, ids=hard_metrics.name)
def test_oracles_are_homogeneous_at_extreme_scales(domain, exponent):
    s = 2.0**exponent
    S = _batch(domain, count=5)
    scaled = domain.resized(1 / s)
    assert np.allclose(scaled.support(S), domain.support(S) * s, rtol=ROUNDING, atol=0)
    assert np.allclose(domain.support(S * s), domain.support(S) * s, rtol=ROUNDING, atol=0)
    assert np.allclose(scaled.project_euclidean(S * s) / s, domain.project_euclidean(S), rtol=0, atol=ROUNDING * 10)


@given(st.lists(st.integers(-24, 24), min_size=1, max_size=8), st.integers(1, 24), st.data())
def test_the_weighted_simplex_projection_satisfies_its_optimality_conditions(numerators, mass, data):
    # Dyadic data: ties, zeros and repeated coordinates occur.
    y = np.array(numerators) / 8
    w = np.array(data.draw(st.lists(st.integers(0, 16), min_size=len(y), max_size=len(y)))) / 8
    K = Diagonal((len(y),))
    x, gap = Simplex(mass / 8).project(y, K.factor(w**2))
    assert np.all(x >= 0) and np.sum(x) == pytest.approx(mass / 8, rel=ROUNDING)
    assert gap <= ROUNDING * 16 * (mass / 8) * (np.max(np.abs(y)) + mass)
    active = x > 1e-9
    multiplier = (w * (y - x))[active]
    assert np.ptp(multiplier) <= 1e-9  # w_i (y_i - x_i) = λ on the support: the data are multiples of 1/64
    assert np.all((w * y)[~active] <= np.max(multiplier) + 1e-9)


def test_norms_survive_every_scale():
    x = np.array([3.0, 4.0])
    for s in (2.0**-1060, 2.0**-500, 1.0, 2.0**500, 2.0**1020):
        assert norm(x * s) == 5 * s
        assert np.allclose(direction(x * s), [0.6, 0.8], rtol=ROUNDING)
    assert norm(np.zeros(3)) == 0 and np.array_equal(direction(np.zeros(3)), np.zeros(3))


def test_a_matrix_domain_reads_the_last_two_axes_and_a_simplex_the_last():
    S = np.random.default_rng(0).standard_normal((4, 2, 3))
    assert np.array_equal(SpectralBall(1.0).support(S), SpectralBall(1.0).on((2, 3)).support(S))
    assert Simplex().support(S).shape == (4, 2)
    assert Simplex().on((2, 3)).support(S).shape == (4,)
