"""Radii and diameters are upper bounds for every structure, and equalities where they say so; facts are facts."""

from __future__ import annotations

from itertools import combinations

import hard_metrics
import numpy as np
import pytest

from problems import Box, L2Ball, Product, Simplex, SpectralBall
from problems.domains.facts import (
    is_axis_aligned,
    is_isotropic,
    is_left_operator,
    is_right_operator,
    smallest_multiplicity,
    summands,
)
from structures import (
    BlockDiagonal,
    Circulant,
    ColumnScalar,
    Conjugated,
    Diagonal,
    DirectSum,
    Exchangeable,
    Full,
    Layerwise,
    LeftKronecker,
    ModeK,
    RightKronecker,
    RowScalar,
    Scalar,
)
from structures.arrays import tree_map
from structures.registry import all_structures

ROUNDING = 64 * float(np.finfo(np.float64).eps)


def _members(domain, structure, count: int = 200) -> np.ndarray:
    """Vertices in random and in sparse directions, and points of the boundary and the interior."""
    rng = np.random.default_rng(4)
    sparse = rng.standard_normal((count, *structure.shape)) * (rng.random((count, *structure.shape)) < 0.3)
    units = np.eye(structure.dim).reshape(-1, *structure.shape)
    directions = np.concatenate([rng.standard_normal((count, *structure.shape)), sparse, units, -units])
    vertices = domain.lmo(directions)
    outside = (
        rng.standard_normal((count, *structure.shape))
        * domain.size
        * rng.choice([0.3, 1.0, 5.0], (count, 1))[(...,) + (None,) * (len(structure.shape) - 1)]
    )
    return np.concatenate([vertices, domain.project_euclidean(outside)])


@pytest.mark.parametrize(("structure", "domain"), hard_metrics.pairs(), ids=hard_metrics.name)
def test_no_member_exceeds_radius_and_diameter(structure, domain):
    points = _members(domain, structure)
    rng = np.random.default_rng(0)
    differences = points[rng.permutation(len(points))] - points
    opposite = domain.lmo(differences) - domain.lmo(-differences)
    assert np.max(structure.norm(points)) <= domain.radius(structure) * (1 + ROUNDING)
    assert np.max(structure.norm(differences)) <= domain.diameter(structure) * (1 + ROUNDING)
    assert np.max(structure.norm(opposite)) <= domain.diameter(structure) * (1 + ROUNDING)


def _unit(shape, *indices) -> np.ndarray:
    """1 at each index, 0 elsewhere."""
    x = np.zeros(shape)
    for index in indices:
        x[index] = 1.0
    return x


ROTATION = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]

# (domain, structure, radius, a member that attains it)
EXACT_RADII = [
    (L2Ball(3.0), Scalar((4,)), 3 / 2, 3 * _unit(4, 0)),
    (L2Ball(3.0), Diagonal((4,)), 3.0, 3 * _unit(4, 2)),
    (L2Ball(3.0), Full((4,)), 3.0, np.full(4, 1.5)),
    (L2Ball(3.0), Layerwise([(2,), (3,)]), 3 / 2**0.5, 3 * _unit(5, 0)),
    (L2Ball(3.0), LeftKronecker((2, 4)), 3 / 2, 3 * _unit((2, 4), (0, 0))),
    (L2Ball(3.0), RightKronecker((2, 4)), 3 / 2**0.5, 3 * _unit((2, 4), (0, 0))),
    (L2Ball(3.0), RowScalar((2, 4)), 3 / 2, 3 * _unit((2, 4), (1, 3))),
    (L2Ball(3.0), ModeK((2, 3, 2), 1), 3 / 2, 3 * _unit((2, 3, 2), (0, 1, 1))),
    (L2Ball(3.0), Circulant((6,)), 3.0, np.full(6, 3 / 6**0.5)),
    (L2Ball(3.0), Exchangeable((6,)), 3.0, np.full(6, 3 / 6**0.5)),
    (L2Ball(3.0), Conjugated(Diagonal((4,)), ROTATION), 3.0, 3 * ROTATION[:, 1]),
    (Box(3.0), Scalar((4,)), 3.0, np.full(4, 3.0)),
    (Box(3.0), Diagonal((4,)), 3.0, np.array([3.0, 0, 0, 0])),
    (Box(3.0), RowScalar((2, 4)), 3.0, np.full((2, 4), 3.0)),
    (Box(3.0), Full((4,)), 6.0, np.array([3.0, -3, 3, 3])),
    (Box(3.0), LeftKronecker((4, 2)), 6.0, np.full((4, 2), 3.0)),
    (Box(3.0), RightKronecker((2, 4)), 6.0, np.full((2, 4), 3.0)),
    (Box(3.0), BlockDiagonal([(1,), (4,)]), 6.0, np.array([0.0, 3, 3, 3, 3])),
    (Box(3.0), Circulant((4,)), 6.0, np.full(4, 3.0)),
    (Box(3.0), Exchangeable((4,)), 6.0, np.full(4, 3.0)),
    (SpectralBall(3.0), LeftKronecker((2, 4)), 3 / 2, 3 * np.eye(2, 4)),
    (SpectralBall(3.0), RightKronecker((4, 2)), 3 / 2, 3 * np.eye(4, 2)),
    (SpectralBall(3.0), Scalar((2, 8)), 3 * (2 / 16) ** 0.5, 3 * np.eye(2, 8)),
    (SpectralBall(3.0), Diagonal((2, 4)), 3.0, 3 * np.eye(2, 4)),
    (SpectralBall(3.0), RowScalar((2, 4)), 3 / 2, 3 * np.eye(2, 4)),
    (SpectralBall(3.0), ColumnScalar((2, 4)), 3 / 2**0.5, 3 * np.eye(2, 4)),
    (SpectralBall(3.0), Full((2, 4)), 3 * 2**0.5, 3 * np.eye(2, 4)),
    (Simplex(3.0), Scalar((4,)), 3 / 2, 3 * _unit(4, 0)),
    (Simplex(3.0), Full((40,)), 3.0, 3 * _unit(40, 7)),
    (Simplex(3.0), Circulant((4,)), 3 / 2, 3 * _unit(4, 0)),
    (
        Product([(L2Ball(3.0), (4,)), (L2Ball(1.0), (1,))]),
        Layerwise([(4,), (1,)]),
        3 / 2,
        np.array([3.0, 0, 0, 0, 0]),
    ),
    (
        Product([(SpectralBall(3.0), (2, 4)), (Box(1.0), (2,))]),
        DirectSum([LeftKronecker((2, 4)), Diagonal((2,))]),
        3 / 2,
        np.concatenate([3 * np.eye(2, 4).reshape(-1), np.zeros(2)]),
    ),
    (Product([(L2Ball(3.0), (2,)), (L2Ball(4.0), (2,))]), Scalar((4,)), 5 / 2, np.array([3.0, 0, 0, 4])),
    (Product([(L2Ball(3.0), (2,)), (L2Ball(4.0), (2,))]), Diagonal((4,)), 4.0, np.array([0.0, 0, 0, 4])),
]


@pytest.mark.parametrize(("domain", "structure", "radius", "member"), EXACT_RADII, ids=hard_metrics.name)
def test_exact_radii_are_attained_by_a_member(domain, structure, radius, member):
    assert domain.on(structure.shape).infeasibility(member) <= ROUNDING
    assert structure.norm(member) == pytest.approx(radius, rel=ROUNDING)
    assert domain.radius(structure) == pytest.approx(radius, rel=ROUNDING)
    if not isinstance(domain, Simplex):  # a set that is not symmetric: its own test below
        assert domain.diameter(structure) == pytest.approx(2 * radius, rel=ROUNDING)


@pytest.mark.parametrize(
    ("structure", "diameter", "pair"),
    [
        (Scalar((4,)), 2**0.5 / 2, (0, 1)),
        (Scalar((40,)), (2 / 40) ** 0.5, (0, 1)),
        (Diagonal((4,)), 1.0, (0, 1)),
        (Diagonal((40,)), 1.0, (0, 39)),
        (Full((4,)), 2**0.5, (1, 2)),
        (Full((40,)), 2**0.5, (1, 2)),
        (LeftKronecker((5, 8)), 2**0.5 / 8**0.5, (0, 1)),
        (Layerwise([(1,), (39,)]), 1.0, (0, 1)),
        (Layerwise([(20,), (20,)]), (2 / 20) ** 0.5, (0, 1)),
        (Circulant((6,)), None, None),
    ],
    ids=hard_metrics.name,
)
def test_the_diameter_of_the_simplex_is_the_largest_distance_of_two_vertices(structure, diameter, pair):
    vertices = np.eye(structure.dim).reshape(-1, *structure.shape)
    largest = max(structure.norm(vertices[i] - vertices[j]) for i, j in combinations(range(structure.dim), 2))
    assert Simplex().diameter(structure) == pytest.approx(largest, rel=ROUNDING)
    if pair is not None:
        assert structure.norm(vertices[pair[0]] - vertices[pair[1]]) == pytest.approx(diameter, rel=ROUNDING)


def test_a_simplex_of_one_point_has_no_diameter():
    assert Simplex(2.0).diameter(Scalar((1,))) == 0.0
    assert Simplex(2.0).radius(Scalar((1,))) == 2.0


def test_dividing_by_the_largest_multiplicity_would_be_exceeded():
    structure, domain = Layerwise([(2,), (3,)]), L2Ball(3.0)
    wrong = domain.r / 3**0.5
    assert np.max(structure.norm(_members(domain.on((5,)), structure))) > 1.2 * wrong


def test_the_radius_of_a_direct_sum_is_not_its_euclidean_bound():
    structure = BlockDiagonal([(2,), (3,)])
    assert Box(1.0).radius(structure) == pytest.approx(3**0.5, rel=ROUNDING)  # not √5


# --- facts --------------------------------------------------------------------------------------------------------------


def _elements(structure) -> np.ndarray:
    """Dense generic elements of J."""
    rng = np.random.default_rng(6)
    return structure.dense(tree_map(lambda c: c, structure.outer(rng.standard_normal((5, *structure.shape)))))


@pytest.mark.parametrize("structure", all_structures(), ids=hard_metrics.name)
def test_facts_agree_with_dense_matrices(structure):
    A = _elements(structure)
    d = structure.dim
    diagonal = np.allclose(A * (1 - np.eye(d)), 0, atol=1e-12)
    assert is_axis_aligned(structure) == diagonal
    assert is_isotropic(structure) == np.allclose(A, np.trace(A, axis1=1, axis2=2)[:, None, None] * np.eye(d) / d)
    if len(structure.shape) == 2:
        m, n = structure.shape
        blocks = A.reshape(-1, m, n, m, n)
        left = np.einsum("bij,kl->bikjl", blocks[:, :, 0, :, 0], np.eye(n))
        right = np.einsum("ij,bkl->bikjl", np.eye(m), blocks[:, 0, :, 0, :])
        assert is_left_operator(structure) == np.allclose(blocks, left, atol=1e-12)
        assert is_right_operator(structure) == np.allclose(blocks, right, atol=1e-12)


@pytest.mark.parametrize("structure", all_structures(), ids=hard_metrics.name)
def test_the_smallest_multiplicity_is_that_of_a_generic_element(structure):
    rng = np.random.default_rng(2)
    g = rng.standard_normal((3 * structure.dim, *structure.shape))
    generic = structure.dense(tree_map(lambda c: c.sum(axis=0), structure.outer(g)))
    values = np.linalg.eigvalsh(generic)
    gaps = np.diff(values) > 1e-9 * values[-1]
    multiplicities = np.diff(np.flatnonzero(np.concatenate([[True], gaps, [True]])))
    assert smallest_multiplicity(structure) == np.min(multiplicities)


@pytest.mark.parametrize(
    ("structure", "shapes", "expected"),
    [
        (Diagonal((5,)), [(2,), (3,)], [Diagonal((2,)), Diagonal((3,))]),
        (Layerwise([(2, 2), (3,)]), [(4,), (3,)], [Scalar((4,)), Scalar((3,))]),
        (Layerwise([(2, 2), (3,)]), [(2,), (5,)], None),
        (BlockDiagonal([(2,), (1,), (3,)]), [(3,), (3,)], [DirectSum([Full((2,)), Full((1,))]), Full((3,))]),
        (BlockDiagonal([(2,), (3,)]), [(3,), (2,)], None),
        (DirectSum([Full((2,)), DirectSum([Scalar((1,)), Full((3,))])]), [(3,), (3,)],
         [DirectSum([Full((2,)), Scalar((1,))]), Full((3,))]),
        (Full((5,)), [(2,), (3,)], None),
        (Scalar((5,)), [(2,), (3,)], None),
        (Full((5,)), [(5,)], [Full((5,))]),
    ],
)  # fmt: skip
def test_summands_are_those_of_a_direct_sum(structure, shapes, expected):
    parts = summands(structure, shapes)
    assert parts == expected
    if parts is not None:
        x = np.random.default_rng(0).standard_normal(structure.shape)
        layers = np.split(x, np.cumsum([part.dim for part in parts])[:-1])
        norms = [part.norm(layer.reshape(part.shape)) for part, layer in zip(parts, layers, strict=True)]
        assert structure.norm(x) == pytest.approx(max(norms), rel=ROUNDING)


def test_blocks_that_do_not_fill_the_parameter_are_an_error():
    with pytest.raises(ValueError, match="do not fill"):
        summands(Diagonal((5,)), [(2,), (2,)])
    with pytest.raises(ValueError, match="has 6 parameters"):
        Box(1.0).on((2, 3)).radius(Diagonal((5,)))
