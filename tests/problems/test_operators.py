"""Every symmetric operator is the matrix that it says it is, in every array library."""

import numpy as np
import pytest
from scipy import sparse

from convex.smoothness import adaptive_smoothness, covariance_noise, semidefinite_bracket
from problems.operators import (
    DenseOperator,
    DiagonalOperator,
    GramOperator,
    HessianOperator,
    KroneckerOperator,
    NegatedOperator,
    ShiftedOperator,
    SparseGramOperator,
    absolute_value,
    shifted,
)
from problems.smooth import FiniteSum, SmoothQuadratic
from structures import ColumnScalar, Diagonal, Exchangeable, Full, LeftKronecker, RightKronecker, RowScalar, Scalar
from structures.arrays import to_numpy, tolerance, tree_leaves
from structures.registry import all_structures

RNG = np.random.default_rng(0)
SHAPE = (3, 2)
SQUARE, SMALL, WIDE = (RNG.standard_normal(s) for s in ((6, 6), (3, 3), (2, 2)))
OPERATORS = {
    "dense": DenseOperator(SQUARE + SQUARE.T, SHAPE),
    "diagonal": DiagonalOperator(RNG.standard_normal(SHAPE)),
    "kronecker": KroneckerOperator(SMALL + SMALL.T, WIDE @ WIDE.T, SHAPE),
    "left": KroneckerOperator(SMALL @ SMALL.T, None, SHAPE),
    "right": KroneckerOperator(None, WIDE + WIDE.T, SHAPE),
    "rank one": GramOperator(RNG.standard_normal((1, *SHAPE))),
    "many": GramOperator(RNG.standard_normal((9, *SHAPE))),
    "zero": GramOperator(np.zeros((1, *SHAPE))),
    "ridge": ShiftedOperator(GramOperator(RNG.standard_normal((2, *SHAPE))), 0.7),
    "negated": NegatedOperator(DiagonalOperator(RNG.standard_normal(SHAPE))),
}
KINDS = (Scalar, Diagonal, Full, LeftKronecker, RightKronecker, RowScalar, ColumnScalar)


@pytest.fixture(params=OPERATORS, ids=str)
def operator(request):
    return OPERATORS[request.param]


def test_apply_quadratic_form_and_trace_are_those_of_the_matrix(operator, backend):
    v = RNG.standard_normal((4, *SHAPE))
    A, moved = operator.dense(), operator.beside(backend.array(v))
    rtol = tolerance(moved.like, 36, 10.0)  # sums of 36 terms, of a size that norms overestimate
    image = to_numpy(moved.apply(backend.array(v))).reshape(4, 6)
    size = np.linalg.norm(A) * np.linalg.norm(v)
    assert np.linalg.norm(image - v.reshape(4, 6) @ A) <= rtol * (size + 1e-300)
    forms = np.einsum("bi,ij,bj->b", v.reshape(4, 6), A, v.reshape(4, 6))
    np.testing.assert_allclose(to_numpy(moved.quadratic(backend.array(v))), forms, atol=rtol * (size * 10 + 1e-300))
    assert moved.trace == pytest.approx(np.trace(A), abs=rtol * (np.linalg.norm(A) + 1e-300))
    np.testing.assert_allclose(to_numpy(moved.dense()), A, atol=rtol * (np.linalg.norm(A) + 1e-300))


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_the_projection_needs_no_matrix_and_equals_that_of_the_matrix(operator, kind, backend):
    K = kind(SHAPE)
    moved = operator.beside(backend.array(np.zeros(SHAPE)))
    found, expected = moved.project(K), K.project(operator.dense())
    scale = np.linalg.norm(operator.dense()) + 1e-300
    for a, b in zip(tree_leaves(found), tree_leaves(expected), strict=True):
        np.testing.assert_allclose(to_numpy(a), b, atol=tolerance(moved.like, 36, 10.0) * scale)


def test_the_norm_bound_is_the_norm(operator):
    norm = np.linalg.norm(operator.dense(), 2)
    assert norm * (1 - 1e-12) <= operator.norm_bound  # rounding of two SVDs of size 6
    assert operator.norm_bound <= norm * (1 + 1e-9) + 1e-300 or not operator.norm_is_exact


def test_psd_is_told_from_indefinite(operator):
    lowest, norm = np.linalg.eigvalsh(operator.dense())[0], np.linalg.norm(operator.dense(), 2)
    assert operator.psd == (lowest >= -1e-12 * norm) or isinstance(operator, NegatedOperator)
    np.testing.assert_allclose(
        absolute_value(operator).dense() @ absolute_value(operator).dense(),
        operator.dense() @ operator.dense(),
        atol=1e-12 * (norm**2 + 1e-300),
    )


@pytest.mark.parametrize("kind", [Scalar, Diagonal, Full], ids=lambda k: k.__name__)
def test_a_sparse_gram_operator_is_its_dense_one(kind):
    X, w = sparse.random(15, 7, 0.3, random_state=1).tocsr(), RNG.uniform(size=15)
    found, expected = SparseGramOperator(X, w), GramOperator(X.toarray() * np.sqrt(w)[:, None])
    v = RNG.standard_normal((2, 3, 7))
    np.testing.assert_allclose(found.apply(v), expected.apply(v), atol=1e-13)
    np.testing.assert_allclose(found.quadratic(v), expected.quadratic(v), rtol=1e-12)
    np.testing.assert_allclose(found.dense(), expected.dense(), atol=1e-14)
    np.testing.assert_allclose(found.project(kind((7,))), expected.project(kind((7,))), atol=1e-14)
    assert found.norm_bound >= expected.norm_bound * (1 - 1e-12)
    assert not found.norm_is_exact


def test_a_hessian_is_an_operator():
    f = FiniteSum.examples()[3]
    x, v = RNG.standard_normal(f.shape), RNG.standard_normal((2, *f.shape))
    A = HessianOperator(f, x)
    np.testing.assert_allclose(A.apply(v).reshape(2, -1), v.reshape(2, -1) @ A.dense(), atol=1e-14)
    assert A.psd and np.linalg.eigvalsh(A.dense())[0] > 0


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: GramOperator(np.zeros((0, 3))), "r ≥ 1"),
        (lambda: GramOperator(np.array([[np.nan]])), "not finite"),
        (lambda: KroneckerOperator(None, None, (2, 2)), "two identities"),
        (lambda: KroneckerOperator(np.eye(3), None, (2, 2)), "left has shape"),
        (lambda: ShiftedOperator(GramOperator(np.ones((1, 2))), -1.0), "at least 0"),
        (lambda: DenseOperator(np.eye(3), (2,)), "matrix has shape"),
        (lambda: GramOperator(np.ones((1, 2))).project(Diagonal((3,))), "for parameters of shape"),
        (lambda: SparseGramOperator(sparse.eye(2).tocsr(), np.array([1.0, -1.0])), "nonnegative"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_a_shift_of_zero_is_no_shift():
    A = GramOperator(np.ones((1, 2)))
    assert shifted(A, 0.0) is A


def operators_of(shape):
    """One of every kind that acts on parameters of this shape."""
    rng, d = np.random.default_rng(1), int(np.prod(shape))
    root = rng.standard_normal((d, d))
    rows = rng.standard_normal((3, *shape))
    yield DenseOperator(root @ root.T, shape)
    yield DiagonalOperator(rng.standard_normal(shape))
    yield GramOperator(rows)
    yield ShiftedOperator(GramOperator(rows), 0.7)
    yield NegatedOperator(DiagonalOperator(rng.standard_normal(shape)))
    if len(shape) == 1:
        yield SparseGramOperator(sparse.csr_array(rows), np.ones(3))
    if len(shape) == 2:
        left, right = (rng.standard_normal((n, n)) for n in shape)
        yield KroneckerOperator(left @ left.T, right @ right.T, shape)
        yield KroneckerOperator(left + left.T, None, shape)
        yield KroneckerOperator(None, right + right.T, shape)


@pytest.mark.parametrize("structure", all_structures(), ids=repr)
def test_every_operator_projects_onto_every_structure_as_its_matrix_does(structure):
    """Short cuts hold where they apply and nowhere else: the exchangeable matrices once took the diagonal's."""
    for operator in operators_of(structure.shape):
        found = structure.dense(operator.project(structure))
        expected = structure.dense(structure.project(operator.dense()))
        np.testing.assert_allclose(
            found, expected, atol=tolerance(expected, structure.dim) * np.max(np.abs(operator.dense()))
        )


def test_the_exchangeable_matrices_have_the_smoothness_of_the_semidefinite_program():
    for operator in (DiagonalOperator(np.array([1.0, 3.0])), DiagonalOperator(np.array([1.0, 3.0, 0.5]))):
        K = Exchangeable(operator.shape)
        found = adaptive_smoothness(SmoothQuadratic(operator, np.zeros(operator.shape)), K)
        exact = semidefinite_bracket([operator.dense()], K)
        assert found.lower <= exact.upper and exact.lower <= found.upper
        assert covariance_noise(operator, K) == pytest.approx(
            covariance_noise(DenseOperator(operator.dense(), operator.shape), K)
        )
    assert found.upper == pytest.approx(exact.upper, rel=1e-5)
