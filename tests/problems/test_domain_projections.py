"""Laws of the projection in a structure's metric, for every structure with every domain that fits it."""

from __future__ import annotations

from itertools import product

import hard_metrics
import numpy as np
import pytest

from problems import Box, L2Ball, Product, Simplex, SpectralBall, oracles
from structures import (
    BlockDiagonal,
    ColumnScalar,
    Diagonal,
    DirectSum,
    Factor,
    Full,
    Layerwise,
    LeftKronecker,
    RowScalar,
    Scalar,
)
from structures.arrays import asarray_like, to_numpy, tree_map

PAIRS = hard_metrics.pairs()
EPS = float(np.finfo(np.float64).eps)


def _scale(factor: Factor) -> np.ndarray:
    """‖H‖ of each element."""
    return np.max(factor.spectrum(0.5), axis=-1)


def _points(domain, batch: int, seed: int, spread: float) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((batch, *domain.shape)) * (spread * domain.size)


def _worst_violation(domain, factor: Factor, Y, X, gap, seed: int = 5) -> np.ndarray:
    """max over many u in X of <H(X-Y), X-u> - gap, over ‖H‖·size·(size + |Y|): at most rounding for an honest gap."""
    scale, size = _scale(factor), domain.size
    unit = Factor(factor.structure, factor.values, factor.floor, factor.basis)
    S = unit.apply(0.5, X - Y)
    rng = np.random.default_rng(seed)
    worst = np.full(len(Y), -np.inf)
    for direction in [S, *rng.standard_normal((20, *Y.shape))]:
        u = domain.lmo(direction)
        slack = np.sum((S * (X - u)).reshape(len(Y), -1), axis=-1) - gap
        worst = np.maximum(worst, slack)
    length = np.linalg.norm(Y.reshape(len(Y), -1), axis=-1)
    return worst / np.where(scale > 0, scale, 1.0) / size / (size + length)


@pytest.mark.parametrize("kind", hard_metrics.KINDS)
@pytest.mark.parametrize(("structure", "domain"), PAIRS, ids=hard_metrics.name)
def test_the_gap_certifies_a_feasible_point(structure, domain, kind):
    factor = hard_metrics.factor(structure, kind)
    for spread in (0.6, 3.0, 1e8):
        Y = _points(domain, 3, 1, spread)
        X, gap = domain.project(Y, factor, iterations=200)
        assert np.all(np.isfinite(X)) and np.all(gap >= 0)
        assert np.all(domain.infeasibility(X) <= 64 * EPS * structure.dim * domain.size)  # roundings per coordinate
        assert np.all(_worst_violation(domain, factor, Y, X, gap) <= 64 * EPS * structure.dim)


@pytest.mark.parametrize("iterations", [0, 3, 1000])
@pytest.mark.parametrize(("structure", "domain"), PAIRS, ids=hard_metrics.name)
def test_the_gap_is_that_of_the_returned_point_in_the_units_of_the_metric(structure, domain, iterations):
    factor = hard_metrics.factor(structure, "generic")
    Y = _points(domain, 3, 7, 0.9)
    X, gap = domain.project(Y, factor, iterations=iterations)
    S = factor.apply(0.5, X - Y)
    expected = np.sum((S * X).reshape(3, -1), axis=-1) + domain.support(-S)
    assert np.allclose(
        gap, expected, rtol=1e-9, atol=256 * EPS * structure.dim * np.max(_scale(factor)) * domain.size**2
    )


def _has_closed_form(structure, domain) -> bool:
    if isinstance(domain, L2Ball):
        return True
    axis_aligned = isinstance(structure, Scalar | Diagonal | Layerwise | RowScalar | ColumnScalar)
    return axis_aligned and isinstance(domain, Box | Simplex | Product) or isinstance(structure, Scalar)


@pytest.mark.parametrize("kind", ["generic", "rank one", "condition 1e12"])
@pytest.mark.parametrize(
    ("structure", "domain"), [pair for pair in PAIRS if _has_closed_form(*pair)], ids=hard_metrics.name
)
def test_closed_forms_are_exact_to_rounding(structure, domain, kind):
    factor = hard_metrics.factor(structure, kind, batch=40)
    Y = _points(domain, 40, 13, 2.0)
    X, gap = domain.project(Y, factor, iterations=0)
    length = np.linalg.norm(Y.reshape(40, -1), axis=-1)
    assert np.all(gap <= 16 * EPS * structure.dim * _scale(factor) * domain.size * (domain.size + length))


@pytest.mark.parametrize(("structure", "domain"), PAIRS, ids=hard_metrics.name)
def test_projections_equal_the_definition_solved_by_cvxpy(structure, domain):
    factor = hard_metrics.factor(structure, "generic", batch=1, seed=3)
    H = structure.dense(factor.power(0.5))[0]
    Y = _points(domain, 1, 2, 1.5)
    X, gap = domain.project(Y, factor)
    reference = oracles.project(domain, Y[0], H)

    def distance(Z):
        z = (Z - Y[0]).reshape(-1)
        return 0.5 * z @ H @ z

    scale = np.linalg.norm(H, 2) * domain.size**2
    assert gap[0] <= 1e-11 * scale  # the default target is 1e-12
    assert abs(distance(X[0]) - distance(reference)) <= 1e-6 * (scale + distance(reference))  # accuracy of the oracle


@pytest.mark.parametrize(("structure", "domain"), PAIRS, ids=hard_metrics.name)
def test_points_inside_come_back_unchanged(structure, domain):
    rng = np.random.default_rng(8)
    vertices = domain.lmo(rng.standard_normal((3, *structure.shape)))
    centre = np.asarray(domain.start(structure.shape, 3, np.zeros(1)))
    for Y, kind in product((vertices, centre, 0.25 * vertices + 0.75 * centre), hard_metrics.KINDS):
        X, gap = domain.project(Y, hard_metrics.factor(structure, kind))
        assert np.array_equal(X, Y)
        assert np.array_equal(gap, np.zeros(3))


@pytest.mark.parametrize(("structure", "domain"), PAIRS, ids=hard_metrics.name)
def test_a_projected_point_projects_to_itself(structure, domain):
    factor = hard_metrics.factor(structure, "generic")
    X, _ = domain.project(_points(domain, 3, 4, 2.0), factor)
    again, gap = domain.project(X, factor)
    assert np.array_equal(again, X) and not np.any(gap)


@pytest.mark.parametrize("exponent", [-490, 490], ids=["1e-147", "1e147"])
@pytest.mark.parametrize("domain_class", [L2Ball, Box, SpectralBall, Simplex])
@pytest.mark.parametrize("structure", [Diagonal((2, 3)), LeftKronecker((2, 3)), Full((2, 3))], ids=hard_metrics.name)
def test_projection_is_homogeneous_at_extreme_scales(structure, domain_class, exponent):
    factor = hard_metrics.factor(structure, "generic")
    Y = np.random.default_rng(3).standard_normal((3, 2, 3))
    s = 2.0**exponent  # a power of two: every operation is exact
    X, gap = domain_class(1.0).project(Y, factor)
    scaled, scaled_gap = domain_class(s).project(Y * s, factor)
    assert np.array_equal(scaled, X * s)
    assert np.array_equal(scaled_gap, gap * s * s)


@pytest.mark.parametrize(("structure", "domain"), PAIRS, ids=hard_metrics.name)
def test_a_batch_is_its_elements_one_by_one(structure, domain):
    factor = hard_metrics.factor(structure, "generic")
    Y = _points(domain, 3, 6, 2.0)
    X, gap = domain.project(Y, factor)
    for b in range(3):
        own = Factor(structure, factor.values[b], factor.floor[b], _element(factor.basis, b))
        x, g = domain.project(Y[b], own)
        # Two solutions with gaps δ, δ' of one strongly convex objective: μ/2 ‖x - x'‖² ≤ δ + δ'. Rounding beside it.
        tolerance = np.sqrt(2 * (g + gap[b]) / np.min(factor.spectrum(0.5)[b])) + 64 * EPS * structure.dim * domain.size
        assert np.linalg.norm(x - X[b]) <= tolerance


def _element(basis, b: int):
    """One batch element of a factor's basis."""
    if basis is None:
        return None
    if isinstance(basis, tuple):
        return tuple((size, _element(own, b)) for size, own in basis)
    return basis[b]


@pytest.mark.parametrize(
    ("structure", "domain"), [(Diagonal((6,)), L2Ball(1.0)), (Full((6,)), Box(1.0)), (Full((6,)), Simplex())]
)
def test_the_euclidean_projection_in_place_of_the_metric_one_has_a_positive_gap(structure, domain):
    factor = hard_metrics.factor(structure, "generic")
    Y = _points(domain.on((6,)), 3, 9, 3.0)
    _, right_gap = domain.project(Y, factor)
    wrong = domain.on((6,)).project_euclidean(Y)
    S = factor.apply(0.5, wrong - Y)
    wrong_gap = np.sum(S * wrong, axis=-1) + domain.on((6,)).support(-S)
    assert np.max(wrong_gap / _scale(factor)) > 1e-2  # not all: two projections may be the same vertex
    assert np.all(right_gap < 1e-9 * _scale(factor))


@pytest.mark.parametrize(
    ("structure", "domain"),
    [(Full((30,)), Box(1.0)), (Full((30,)), Simplex()), (LeftKronecker((5, 6)), SpectralBall(1.0))],
    ids=hard_metrics.name,
)
def test_an_iteration_cap_is_confessed_by_the_gap(structure, domain):
    factor = hard_metrics.factor(structure, "generic")
    domain = domain.on(structure.shape)
    Y = _points(domain, 3, 10, 0.9)
    capped, capped_gap = domain.project(Y, factor, iterations=2)
    solved, gap = domain.project(Y, factor, iterations=5000)
    excess = factor.quad(0.5, capped - Y) / 2 - factor.quad(0.5, solved - Y) / 2
    assert np.all(gap <= 1e-11 * _scale(factor)) and np.all(capped_gap > 1e3 * gap)
    assert np.all(excess <= capped_gap * (1 + 1e-9))  # f(x) - min f ≤ gap(x)


def test_a_warm_start_needs_no_iteration():
    structure, domain = Full((8,)), Box(1.0)
    factor, Y = hard_metrics.factor(structure, "generic"), _points(Box(1.0).on((8,)), 3, 11, 2.0)
    X, gap = domain.project(Y, factor)
    warm, warm_gap = domain.project(Y, factor, start=X, iterations=0)
    _, cold_gap = domain.project(Y, factor, iterations=0)
    assert np.array_equal(warm, X) and np.array_equal(warm_gap, gap)
    assert np.all(cold_gap > 1e-6 * _scale(factor))


def test_far_points_saturate_the_spectral_ball_at_the_polar_factor():
    factor = hard_metrics.factor(LeftKronecker((3, 5)), "generic")
    Y = np.random.default_rng(0).standard_normal((3, 3, 5)) * 1e3
    X, _ = SpectralBall(2.0).project(Y, factor, iterations=0)
    U, _, Vt = np.linalg.svd(factor.apply(0.5, Y), full_matrices=False)
    assert np.allclose(X, 2.0 * U @ Vt, atol=1e-12)


def test_a_singular_metric_returns_the_nearest_of_its_minimisers():
    # H = diag(1, 0): minimisers of (x_1 - 0.6)² over the disc are (0.6, anything that fits); the nearest to 3 is 0.8.
    X, gap = L2Ball(1.0).project(np.array([0.6, 3.0]), Diagonal((2,)).factor(np.array([1.0, 0.0])))
    assert np.allclose(X, [0.6, 0.8], atol=4 * EPS) and gap <= 4 * EPS
    # The same as the limit of regular metrics.
    limit, _ = L2Ball(1.0).project(np.array([0.6, 3.0]), Diagonal((2,)).factor(np.array([1.0, 1e-24])))
    assert np.allclose(limit, X, atol=1e-11)
    # On the simplex the free coordinate takes the mass that is left.
    X, gap = Simplex().project(np.array([0.3, 5.0]), Diagonal((2,)).factor(np.array([1.0, 0.0])))
    assert np.allclose(X, [0.3, 0.7], atol=4 * EPS) and gap <= 4 * EPS


@pytest.mark.parametrize(
    "structure",
    [
        Scalar((7,)),
        Diagonal((7,)),
        Layerwise([(2, 2), (3,)]),
        BlockDiagonal([(4,), (3,)]),
        DirectSum([Full((2,)), Scalar((2,)), Full((3,))]),
        DirectSum([RowScalar((2, 2)), DirectSum([Full((2,)), Full((1,))])]),
    ],
)
def test_a_product_projects_layer_by_layer_where_the_metric_splits(structure):
    layers = [(SpectralBall(1.0), (2, 2)), (L2Ball(0.5), (3,))]
    factor, Y = hard_metrics.factor(structure, "generic"), np.random.default_rng(2).standard_normal((3, 7)) * 3
    X, gap = Product(layers).project(Y, factor)
    H = structure.dense(factor.power(0.5))
    assert not np.any(H[:, :4, 4:])
    parts = [(0, 4), (4, 7)]
    for (domain, shape), (a, b) in zip(layers, parts, strict=True):
        block = Full(shape).factor(H[:, a:b, a:b] @ H[:, a:b, a:b])
        alone, _ = domain.project(Y[:, a:b].reshape(3, *shape), block)
        assert np.allclose(alone.reshape(3, -1), X[:, a:b], atol=1e-6)  # two solvers with gaps of 1e-12: √gap
    assert np.all(gap <= 1e-11 * _scale(factor))


def test_far_points_of_the_simplex_keep_their_digits():
    # λ has a rounding of 1e-8 here; what is left of the three coordinates after it must not.
    y = 2.0**27 + np.array([0.5, 0.25, 0.125, -3.0])
    X, _ = Simplex().project(y, Scalar((4,)).factor(np.ones(1)))
    assert np.allclose(X[:3], np.array([0.5, 0.25, 0.125]) + 1 / 24, rtol=0, atol=8 * EPS) and X[3] == 0


def test_the_weighted_simplex_survives_weights_of_every_size():
    rng = np.random.default_rng(0)
    y = rng.integers(-24, 25, (2000, 6)) / 8 * 10.0 ** rng.integers(-6, 6, (2000, 6))
    w = rng.integers(0, 17, (2000, 6)) / 16 * 10.0 ** rng.integers(-12, 12, (2000, 6))  # with exact zeros
    X, gap = Simplex(0.75).project(y, Diagonal((6,)).factor(w**2))
    assert np.allclose(np.sum(X, axis=-1), 0.75, rtol=8 * EPS) and np.all(X >= 0)
    assert np.all(gap <= 64 * EPS * np.max(w, axis=-1) * (0.75 + np.max(np.abs(y), axis=-1)))


def test_a_product_whose_layers_are_coupled_uses_the_generic_method():
    structure = Full((5,))
    factor, Y = hard_metrics.factor(structure, "generic"), np.random.default_rng(2).standard_normal((3, 5)) * 3
    X, gap = Product([(L2Ball(1.0), (2,)), (Box(0.5), (3,))]).project(Y, factor)
    assert np.all(gap <= 1e-11 * _scale(factor))
    layer_by_layer = Product([(L2Ball(1.0), (2,)), (Box(0.5), (3,))]).project_euclidean(Y)
    assert np.all(np.linalg.norm(X - layer_by_layer, axis=1) > 1e-3)


def _elsewhere(namespace_name: str):
    """An array to convert to: torch on the CPU, or the strict namespace on a device that is not the default."""
    if namespace_name == "torch":
        return pytest.importorskip("torch").zeros(1, dtype=pytest.importorskip("torch").float64)
    strict = pytest.importorskip("array_api_strict")
    return strict.zeros(1, dtype=strict.float64, device=strict.Device("device1"))


@pytest.mark.parametrize("namespace_name", ["torch", "array_api_strict"])
@pytest.mark.parametrize(("structure", "domain"), PAIRS, ids=hard_metrics.name)
def test_every_namespace_gives_the_same_projection(structure, domain, namespace_name):
    x = _elsewhere(namespace_name)
    rng = np.random.default_rng(12)
    c = tree_map(
        lambda a: a.sum(axis=0), structure.outer(rng.standard_normal((structure.dim + 2, 2, *structure.shape)))
    )
    Y = rng.standard_normal((2, *structure.shape)) * 2
    expected, expected_gap = domain.project(Y, structure.factor(c))
    there = tree_map(lambda a: asarray_like(a, x), c)
    X, gap = domain.project(asarray_like(Y, x), structure.factor(there))
    assert type(X) is type(x) and X.device == x.device and gap.device == x.device
    smallest = np.min(structure.factor(c).spectrum(0.5), axis=-1)
    tolerance = np.sqrt(2 * (to_numpy(gap) + expected_gap) / smallest) + 64 * EPS * structure.dim * domain.size
    distance = np.linalg.norm((to_numpy(X) - expected).reshape(2, -1), axis=1)
    assert np.all(distance <= tolerance)


def test_single_precision_projects_in_single_precision():
    structure = Full((4,))
    rng = np.random.default_rng(1)
    c = structure.outer(rng.standard_normal((6, 4)).astype(np.float32)).sum(axis=0)
    for domain in (L2Ball(1.0), Box(0.5), Simplex()):
        X, gap = domain.project(np.ones(4, dtype=np.float32) * 2, structure.factor(c))
        assert X.dtype == np.float32 and gap.dtype == np.float32 and gap <= 1e-4  # 16 eps · size², times ‖H‖ ≈ 3


def test_wrong_input_is_an_error_that_says_what_to_do():
    factor = Diagonal((2,)).factor(np.ones(2))
    with pytest.raises(ValueError, match="not finite"):
        L2Ball(1.0).project(np.array([np.nan, 0.0]), factor)
    with pytest.raises(ValueError, match="last axes must be"):
        L2Ball(1.0).project(np.zeros(3), factor)
    with pytest.raises(ValueError, match=r"call \.on\(shape\)"):
        L2Ball(1.0).support(np.zeros(2))
    with pytest.raises(ValueError, match="positive finite number"):
        Box(-1.0)
    with pytest.raises(ValueError, match="holds matrices"):
        SpectralBall(1.0).on((3,))
    with pytest.raises(ValueError, match="holds vectors of shape"):
        Product([(Box(1.0), (2,))]).on((3,))
