"""Constructors, coordinates and the table of closed forms, multiplicities included."""

from math import prod

import numpy as np
import pytest
from strategies import STRUCTURES

import structures
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
    NotPositiveError,
    RightKronecker,
    RowScalar,
    Scalar,
    Structure,
)
from structures.arrays import namespace, to_numpy, tolerance, tree_leaves, tree_map
from structures.registry import all_structures, by_name, classes

M, N = 2, 3
G = np.random.default_rng(0).standard_normal((4, M, N))
FLAT = G.reshape(4, -1)
EXACT = 1e-13  # a few dozen roundings of numbers of order ten


def nuclear(A):
    return np.sum(np.linalg.svd(A, compute_uv=False))


def trace_root(A):
    return np.sum(np.sqrt(np.clip(np.linalg.eigvalsh(A), 0, None)))


def unfold(T, k):
    return np.moveaxis(T, k, 0).reshape(T.shape[k], -1)


LEFT, RIGHT = sum(g @ g.T for g in G), sum(g.T @ g for g in G)
SPECTRA = np.abs(np.fft.fft(FLAT, axis=1, norm="ortho")) ** 2
MEAN = np.full((6, 6), 1 / 6)
TENSOR = np.random.default_rng(1).standard_normal((2, 3, 2))
X = G[0]
# structure, norm of X, dual norm of X, adaptive norm of G: the table, by hand
TABLE = {
    "scalar": (Scalar((M, N)), np.linalg.norm(X) / 6**0.5, 6**0.5 * np.linalg.norm(X), 6**0.5 * np.linalg.norm(G)),
    "diagonal": (Diagonal((M, N)), np.max(np.abs(X)), np.sum(np.abs(X)), np.sum(np.linalg.norm(G, axis=0))),
    "full": (Full((M, N)), np.linalg.norm(X), np.linalg.norm(X), trace_root(FLAT.T @ FLAT)),
    "left": (LeftKronecker((M, N)), np.linalg.norm(X, 2) / 3**0.5, 3**0.5 * nuclear(X), 3**0.5 * trace_root(LEFT)),
    "right": (RightKronecker((M, N)), np.linalg.norm(X, 2) / 2**0.5, 2**0.5 * nuclear(X), 2**0.5 * trace_root(RIGHT)),
    "rows": (
        RowScalar((M, N)),
        np.max(np.linalg.norm(X, axis=1)) / 3**0.5,
        3**0.5 * np.sum(np.linalg.norm(X, axis=1)),
        3**0.5 * np.sum(np.linalg.norm(G, axis=(0, 2))),
    ),
    "columns": (
        ColumnScalar((M, N)),
        np.max(np.linalg.norm(X, axis=0)) / 2**0.5,
        2**0.5 * np.sum(np.linalg.norm(X, axis=0)),
        2**0.5 * np.sum(np.linalg.norm(G, axis=(0, 1))),
    ),
    "mode": (
        ModeK((2, 3, 2), 1),
        np.linalg.norm(unfold(TENSOR, 1), 2) / 2,
        2 * nuclear(unfold(TENSOR, 1)),
        2 * trace_root(unfold(TENSOR, 1) @ unfold(TENSOR, 1).T),
    ),
    "circulant": (
        Circulant((6,)),
        np.sqrt(np.max(SPECTRA[0])),
        np.sum(np.sqrt(SPECTRA[0])),
        np.sum(np.sqrt(SPECTRA.sum(axis=0))),
    ),
    "exchangeable": (
        Exchangeable((M, N)),
        max(np.linalg.norm(MEAN @ FLAT[0]), np.linalg.norm(FLAT[0] - MEAN @ FLAT[0]) / 5**0.5),
        np.linalg.norm(MEAN @ FLAT[0]) + 5**0.5 * np.linalg.norm(FLAT[0] - MEAN @ FLAT[0]),
        np.linalg.norm(FLAT @ MEAN) + 5**0.5 * np.linalg.norm(FLAT - FLAT @ MEAN),
    ),
    "layers": (
        Layerwise([(2,), (4,)]),
        max(np.linalg.norm(FLAT[0, :2]) / 2**0.5, np.linalg.norm(FLAT[0, 2:]) / 2),
        2**0.5 * np.linalg.norm(FLAT[0, :2]) + 2 * np.linalg.norm(FLAT[0, 2:]),
        2**0.5 * np.linalg.norm(FLAT[:, :2]) + 2 * np.linalg.norm(FLAT[:, 2:]),
    ),
    "blocks": (
        BlockDiagonal([(2,), (4,)]),
        max(np.linalg.norm(FLAT[0, :2]), np.linalg.norm(FLAT[0, 2:])),
        np.linalg.norm(FLAT[0, :2]) + np.linalg.norm(FLAT[0, 2:]),
        trace_root(FLAT[:, :2].T @ FLAT[:, :2]) + trace_root(FLAT[:, 2:].T @ FLAT[:, 2:]),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_norms_are_those_of_the_table(name):
    K, norm, dual, adaptive = TABLE[name]
    x = TENSOR if name == "mode" else X.reshape(K.shape)
    gradients = TENSOR[None] if name == "mode" else G.reshape(4, *K.shape)
    # A gradient norm is the trace of the root of a singular matrix: half of the digits.
    loose = np.sqrt(tolerance(G, 6)) * adaptive
    assert float(K.norm(x)) == pytest.approx(norm, abs=EXACT)
    assert float(K.dual_norm(x)) == pytest.approx(dual, abs=loose)
    assert float(K.adaptive_norm(gradients)) == pytest.approx(adaptive, abs=loose)


def test_the_product_of_the_norms_is_free_of_multiplicities():
    products = {
        name: float(K.norm(X)) * float(K.adaptive_norm(G)) for name, (K, *_) in TABLE.items() if K.shape == (M, N)
    }
    assert products["scalar"] == pytest.approx(np.linalg.norm(X) * np.linalg.norm(G))
    assert products["left"] == pytest.approx(np.linalg.norm(X, 2) * trace_root(LEFT))
    assert products["right"] == pytest.approx(
        np.linalg.norm(X, 2) * trace_root(RIGHT), rel=1e-7
    )  # RIGHT has rank at most four: half of the digits


def test_the_one_sided_preconditioner_carries_the_factor_of_the_projection():
    K = LeftKronecker((M, N))
    c = K.outer(G).sum(axis=0)
    np.testing.assert_allclose(c, LEFT / N, atol=EXACT)
    np.testing.assert_allclose(K.dense(c), np.kron(LEFT / N, np.eye(N)), atol=EXACT)
    textbook = np.linalg.inv(np.linalg.cholesky(LEFT))  # (LLᵀ)^{-1/2} up to a rotation; compare the quadratic form
    energy = float(K.factor(c).quad(-1, X))
    assert energy == pytest.approx(N * np.linalg.norm(textbook @ X) ** 2)
    wrong = float(K.factor(LEFT).quad(-1, X))  # without 1/n
    assert energy == pytest.approx(N * wrong)


def test_row_major_vectorisation_and_its_column_major_mirror():
    rng = np.random.default_rng(2)
    A, B, Z = rng.standard_normal((M, M)), rng.standard_normal((N, N)), rng.standard_normal((M, N))
    product = A @ Z @ B.T
    np.testing.assert_allclose(np.kron(A, B) @ Z.reshape(-1), product.reshape(-1), atol=EXACT)
    np.testing.assert_allclose(np.kron(B, A) @ Z.reshape(-1, order="F"), product.reshape(-1, order="F"), atol=EXACT)
    S, T = A + A.T, B + B.T
    np.testing.assert_allclose(LeftKronecker((M, N)).dense(S), np.kron(S, np.eye(N)), atol=0)
    np.testing.assert_allclose(RightKronecker((M, N)).dense(T), np.kron(np.eye(M), T), atol=0)
    np.testing.assert_allclose(LeftKronecker((M, N)).apply(S, Z), S @ Z, atol=EXACT)
    np.testing.assert_allclose(RightKronecker((M, N)).apply(T, Z), Z @ T, atol=EXACT)


def test_left_and_right_are_the_two_modes_of_a_matrix():
    for K, k in ((LeftKronecker((M, N)), 0), (RightKronecker((M, N)), 1)):
        mode = ModeK((M, N), k)
        np.testing.assert_array_equal(K.outer(G), mode.outer(G))
        assert mode != K and K.rank == mode.rank


def test_a_direct_sum_preconditions_each_layer_alone():
    parts = [LeftKronecker((2, 2)), Diagonal((3,)), Scalar((2,))]
    K = DirectSum(parts)
    g = np.random.default_rng(3).standard_normal((5, 9))
    c = tree_map(lambda a: a.sum(axis=0), K.outer(g))
    layers = [g[:, :4].reshape(5, 2, 2), g[:, 4:7], g[:, 7:]]
    for part, own, layer in zip(parts, K.root(c), layers, strict=True):
        np.testing.assert_allclose(own, part.root(part.outer(layer).sum(axis=0)), atol=EXACT)
    assert float(K.norm(g[0])) == max(float(p.norm(layer[0])) for p, layer in zip(parts, layers, strict=True))
    total = sum(float(p.adaptive_norm(layer)) for p, layer in zip(parts, layers, strict=True))
    assert float(K.adaptive_norm(g)) == pytest.approx(total)


def test_conjugation_turns_everything():
    Q = np.linalg.qr(np.random.default_rng(4).standard_normal((6, 6)))[0]
    K, base = Conjugated(LeftKronecker((M, N)), Q), LeftKronecker((M, N))
    turned = (Q.T @ FLAT[0]).reshape(M, N)
    np.testing.assert_allclose(K.dense(K.outer(X)), Q @ base.dense(base.outer(turned)) @ Q.T, atol=EXACT)
    assert float(K.norm(X)) == pytest.approx(float(base.norm(turned)))
    assert K == Conjugated(base, Q.copy()) != Conjugated(base, np.eye(6)) and hash(K) == hash(Conjugated(base, Q))


def test_a_rotation_of_single_precision_is_made_exact():
    Q = np.linalg.qr(np.random.default_rng(5).standard_normal((40, 40)))[0]
    K = Conjugated(Diagonal((40,)), Q.astype(np.float32))
    np.testing.assert_allclose(K.Q.T @ K.Q, np.eye(40), atol=tolerance(Q, 40))
    np.testing.assert_allclose(K.Q, Q, atol=1e-6)  # single precision
    assert Conjugated(Diagonal((40,)), Q) == Conjugated(Diagonal((40,)), K.base.dim and Q)
    np.testing.assert_array_equal(
        Conjugated(Diagonal((3,)), np.eye(3)[::-1]).Q, np.eye(3)[::-1]
    )  # exact zeros stay exact


@pytest.mark.parametrize("K", STRUCTURES, ids=str)
def test_a_batch_is_its_elements(K, backend):
    rng = np.random.default_rng(6)
    gradients = backend.array(rng.standard_normal((3, 2, *K.shape)))
    c = K.outer(gradients)
    for leaf in tree_leaves(c):
        assert leaf.shape[:2] == (3, 2) and leaf.dtype == backend.like.dtype and type(leaf) is type(backend.like)
    values = [to_numpy(f(gradients)) for f in (K.norm, K.dual_norm, lambda g: K.trace(K.outer(g)))]
    one = [to_numpy(f(gradients[1, 1, ...])) for f in (K.norm, K.dual_norm, lambda g: K.trace(K.outer(g)))]
    loose = np.sqrt(tolerance(backend.like, K.dim)) * 10  # roots of singular matrices
    for batched, single in zip(values, one, strict=True):
        assert batched.shape == (3, 2)
        np.testing.assert_allclose(batched[1, 1], single, rtol=loose)
    assert K.adaptive_norm(gradients).shape == (2,)
    assert K.dense(K.preconditioner(K.dense(c))).shape == (3, 2, K.dim, K.dim)


@pytest.mark.parametrize("K", STRUCTURES, ids=str)
def test_a_structure_is_a_value(K):
    copy = next(other for other in all_structures() if other == K)
    assert copy is not K and hash(copy) == hash(K) and type(copy) is type(K)
    assert K.dim == prod(K.shape) and 1 <= K.rank <= K.dim
    with pytest.raises((AttributeError, TypeError)):
        K.shape = (1,)


@pytest.mark.parametrize("K", STRUCTURES, ids=str)
def test_the_rank_is_the_largest_number_of_distinct_eigenvalues(K):
    A = np.random.default_rng(7).standard_normal((K.dim, K.dim))
    values = np.linalg.eigvalsh(K.dense(K.project(A + A.T)))
    distinct = 1 + np.sum(
        np.diff(values) > 1e-9 * max(abs(values))
    )  # generic gaps are above 1e-4, rounding below 1e-14
    assert distinct == K.rank


@pytest.mark.parametrize("K", STRUCTURES, ids=str)
def test_the_multiplicities_of_a_factor_add_up_to_the_dimension(K):
    factor = K.factor(K.identity(np.zeros(K.shape)))
    assert factor.values.shape[-1] == K.spectrum_size == len(factor.weights)
    assert float(np.sum(factor.weights)) == K.dim == float(K.trace(K.identity(np.zeros(K.shape))))


def test_different_structures_are_different():
    assert len({*STRUCTURES}) == len(STRUCTURES)
    assert Scalar((2, 3)) != Diagonal((2, 3)) and Diagonal((6,)) != Diagonal((2, 3))


def test_every_public_structure_has_examples_and_a_name():
    public = [getattr(structures, name) for name in structures.__all__]
    kinds = {
        kind for kind in public if isinstance(kind, type) and issubclass(kind, Structure) and kind is not Structure
    }
    assert kinds <= set(classes()) and all(kind.examples() for kind in kinds)
    assert by_name("LeftKronecker") is LeftKronecker
    with pytest.raises(KeyError, match="there are .*LeftKronecker"):
        by_name("Left")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scalar(()), "positive sizes"),
        (lambda: Diagonal((2, 0)), "positive sizes"),
        (lambda: LeftKronecker((2, 3, 4)), "matrix parameter"),
        (lambda: RightKronecker((6,)), "matrix parameter"),
        (lambda: RowScalar((6,)), "matrix parameter"),
        (lambda: ModeK((2, 3), 2), "axis 0 ≤ k < 2"),
        (lambda: ModeK((2, 3), -1), "axis 0 ≤ k < 2"),
        (lambda: Exchangeable((1,)), "at least two"),
        (lambda: Layerwise([]), "list of layer shapes"),
        (lambda: Layerwise([(2, 0)]), "list of layer shapes"),
        (lambda: DirectSum([]), "non-empty list of structures"),
        (lambda: DirectSum([(2,)]), "non-empty list of structures"),
        (lambda: Conjugated(Diagonal((2,)), np.eye(3)), r"shape \(2, 2\)"),
        (lambda: Conjugated(Diagonal((2,)), 2 * np.eye(2)), "not orthogonal"),
        (lambda: Conjugated(Diagonal((2,)), np.full((2, 2), np.nan)), "not orthogonal"),
    ],
)
def test_constructors_say_what_they_need(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda K: K.project(np.eye(3)), r"\(3, 3\), but its last axes must be \(6, 6\)"),
        (lambda K: K.preconditioner(np.eye(3)), r"last axes must be \(6, 6\)"),
        (lambda K: K.outer(np.zeros((3, 2))), r"last axes must be \(2, 3\)"),
        (lambda K: K.norm(np.zeros((0, 2, 3))), "empty batch"),
        (lambda K: K.adaptive_norm(np.zeros((0, 2, 3))), "empty batch"),
        (lambda K: K.adaptive_norm(np.zeros((2, 3))), "leading axis over time"),
        (lambda K: K.norm(np.asarray([[1.0, np.nan, 0.0], [0.0, 0.0, 0.0]])), r"entry \(1,\) is nan"),
        (lambda K: K.dual_norm(np.full((2, 3), np.inf)), "6 of 6 entries"),
        (lambda K: K.adaptive_norm(np.full((1, 2, 3), np.nan)), "not finite"),
        (lambda K: K.power(np.nan * K.identity(np.zeros((2, 3))), -0.5), "not finite"),
    ],
)
@pytest.mark.parametrize(
    "K", [Scalar((2, 3)), Diagonal((2, 3)), Full((2, 3)), LeftKronecker((2, 3)), RowScalar((2, 3))], ids=str
)
def test_wrong_shapes_and_numbers_are_named(K, call, message):
    with pytest.raises(ValueError, match=message):
        call(K)


def test_an_indefinite_statistic_is_refused_even_where_its_projection_is_positive():
    with pytest.raises(NotPositiveError):
        Scalar((2,)).preconditioner(np.diag([2.0, -1.0]))


def test_half_precision_gradients_are_measured_in_single():
    import torch

    x = torch.ones((2, 3), dtype=torch.bfloat16)
    for K in (Scalar((2, 3)), Diagonal((2, 3)), LeftKronecker((2, 3)), Circulant((2, 3))):
        assert float(K.norm(x)) == pytest.approx(float(K.norm(np.ones((2, 3)))), rel=1e-6)  # single precision
        assert float(K.dual_norm(x)) == pytest.approx(
            float(K.dual_norm(np.ones((2, 3)))), rel=1e-3
        )  # of a singular root
        moved = K.factor(K.outer(x.float())).apply(-0.5, x)
        assert moved.dtype == torch.bfloat16


def test_norms_of_zero_are_zero(backend):
    for K in STRUCTURES:
        zero = backend.array(np.zeros((2, *K.shape)))
        xp = namespace(zero)
        assert bool(xp.all(K.norm(zero) == 0)) and bool(xp.all(K.dual_norm(zero) == 0))
        assert bool(xp.all(K.adaptive_norm(zero[None, ...]) == 0))
