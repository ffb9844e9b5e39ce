"""The negative controls are what they claim to be: certified numbers, definitions solved, failures to the printed digit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import isotonic_regression, linprog
from strategies import STRUCTURES, psd

from structures.arrays import dtype_name, to_numpy, tolerance
from structures.lemmas.definition import basis_of
from structures.not_structured import (
    DiagonalLinear,
    DiagonalPlusRankOne,
    HiddenJitter,
    KroneckerSet,
    KroneckerSum,
    LinearSet,
    MonotoneCone,
    PathSpan,
    Star,
    SymmetricToeplitz,
    Tridiagonal,
)
from structures.not_structured.certificates import indefinite_squares, monotonicity_failures
from structures.registry import controls
from structures.roots import NotPositiveError

LEAST = {  # λ_min(E(xxᵀ)) in closed form
    Tridiagonal: 1 - np.sqrt(2),
    SymmetricToeplitz: -1 / 3,
    Star: 2 - np.sqrt(10),
    DiagonalPlusRankOne: (1 - np.sqrt(3)) / 3,
    KroneckerSum: -1 / 4,
    PathSpan: -2 / 3,
    DiagonalLinear: -1 / 6,
}
LEAST_DIFFERENCE = {  # λ_min(P(N) - P(M)), to the digits that an independent solver gave
    Tridiagonal: -1.26818,
    SymmetricToeplitz: -1.08434,
    DiagonalPlusRankOne: -1.08316,
    KroneckerSum: -2.7985,
    Star: -1.62894,
    PathSpan: -2.59889,
    KroneckerSet: -0.89075,
}
PAIRS = {type(H): (H, M, N) for H, M, N in monotonicity_failures()}
PRINTED = 6e-6  # half a unit of the fifth decimal, and the solver's own 1e-12


def preconditioner(H, M):
    return H.dense(H.preconditioner(M))


@pytest.mark.parametrize(("L", "x"), indefinite_squares(), ids=str)
def test_a_projected_square_is_indefinite_by_exactly_this_much(L, x):
    least = np.linalg.eigvalsh(L.dense(L.outer(x.reshape(L.shape))))[0]
    assert abs(least - LEAST[type(L)]) < 1e-12  # entries below 10 and a hundred roundings
    assert least < 0


def test_the_diagonal_linear_projection_of_a_unit_square():
    L = DiagonalLinear((3,))
    np.testing.assert_allclose(np.diag(L.dense(L.outer(np.eye(3)[0]))), [5 / 6, 1 / 3, -1 / 6], atol=1e-15)


@pytest.mark.parametrize("kind", LEAST_DIFFERENCE)
def test_the_preconditioner_is_not_monotone_by_exactly_this_much(kind):
    H, M, N = PAIRS[kind]
    assert np.linalg.eigvalsh(N - M)[0] > -1e-13  # N - M = vvᵀ with entries below 20
    difference = np.linalg.eigvalsh(preconditioner(H, N) - preconditioner(H, M))[0]
    assert abs(difference - LEAST_DIFFERENCE[kind]) < (
        5e-5 if kind is KroneckerSum else PRINTED
    )  # one has four decimals


def test_the_tridiagonal_preconditioners_to_the_printed_digits():
    H, M, N = PAIRS[Tridiagonal]
    before = [[2.8126, 0.29879, 0], [0.29879, 0.7736, 0.33911], [0, 0.33911, 4.34569]]
    after = [[3.34855, 2.40567, 0], [2.40567, 3.80018, -1.1686], [0, -1.1686, 4.31675]]
    P = preconditioner(H, M)
    np.testing.assert_allclose(P, before, atol=PRINTED)
    np.testing.assert_allclose(preconditioner(H, N), after, atol=PRINTED)
    assert abs(np.linalg.norm(P @ P - H.dense(H.project(M))) - 2.2314) < 5e-5  # printed to four decimals


def test_the_toeplitz_preconditioners_to_the_printed_digits():
    H, M, N = PAIRS[SymmetricToeplitz]
    P = preconditioner(H, M)
    np.testing.assert_allclose(P[0], [2.35879, 0.1709, -1.31448], atol=PRINTED)
    np.testing.assert_allclose(preconditioner(H, N)[0], [3.32077, -0.49807, 0.73184], atol=PRINTED)
    assert abs(np.linalg.norm(P @ P - H.dense(H.project(M))) - 6.2565) < 5e-5  # printed to four decimals


def test_the_diagonal_plus_rank_one_preconditioners_to_the_printed_digits():
    H, M, N = PAIRS[DiagonalPlusRankOne]
    before, after = preconditioner(H, M), preconditioner(H, N)
    np.testing.assert_allclose(np.diag(before), [3.43412, 2.51357, 3.00815], atol=PRINTED)
    np.testing.assert_allclose(np.diag(after), [6.07765, 2.67315, 2.85489], atol=PRINTED)
    np.testing.assert_allclose([before[0, 1], after[1, 2]], [-0.58319, 0.48726], atol=PRINTED)


def test_the_commuting_path_preconditioners_to_the_printed_digits():
    H, M, N = PAIRS[PathSpan]
    found = [preconditioner(H, A)[0, :2] for A in (M, N)]
    np.testing.assert_allclose(found, [[3.5954, -0.7882], [4.46402, 1.6637]], atol=5e-5)  # printed to four decimals


def test_the_kronecker_preconditioners_to_the_printed_digits():
    H, M, N = PAIRS[KroneckerSet]
    traces = [float(H.trace(H.preconditioner(A))) for A in (M, N)]
    np.testing.assert_allclose(traces, [9.65029, 13.39356], atol=PRINTED)


def test_the_diagonal_linear_preconditioner_drops_where_the_statistic_grows():
    H = DiagonalLinear((3,))
    before, after = (np.diag(preconditioner(H, np.diag(m))) for m in ([0.01, 1, 0.0001], [0.01, 1, 0.0101]))
    np.testing.assert_allclose(before, [1.0529, 0.57909, 0.10529], atol=PRINTED)
    np.testing.assert_allclose(after, [0.58167, 0.58312, 0.58457], atol=PRINTED)
    assert after[0] < before[0]


def test_the_two_diagonal_linear_implementations_agree():
    closed, solved = DiagonalLinear((3,)), LinearSet([np.diag([1.0, 0.5, 0.0]), np.diag([0.0, 0.5, 1.0])])
    rng = np.random.default_rng(0)
    M = np.stack([A @ A.T for A in rng.standard_normal((5, 3, 3))])
    x = rng.standard_normal((5, 3))
    np.testing.assert_allclose(preconditioner(closed, M), preconditioner(solved, M), atol=1e-10)  # Newton's accuracy
    np.testing.assert_allclose(closed.dense(closed.project(M)), solved.dense(solved.project(M)), atol=1e-14)
    np.testing.assert_allclose(closed.norm(x), solved.norm(x), rtol=1e-6)  # the bracket's width
    np.testing.assert_allclose(closed.dual_norm(x), solved.dual_norm(x), rtol=solved.precision)


def test_the_kronecker_norms_are_not_dual():
    H = KroneckerSet((2, 2))
    for Y, smallest, nuclear in ((np.eye(2), 2.828, 2.0), (np.diag([1.0, 0.1]), 1.340, 1.1)):
        assert abs(float(H.dual_norm(Y)) - smallest) < 5e-4  # printed to three decimals
        assert abs(float(H.adaptive_norm(Y[None])) - float(H.dual_norm(Y))) < H.precision
        assert float(H.norm(Y)) == np.linalg.norm(Y, 2) and np.linalg.norm(Y, "nuc") == pytest.approx(nuclear)
        assert float(H.dual_norm(Y)) > 1.2 * nuclear  # the dual of the operator norm is the nuclear norm


def test_the_nearest_kronecker_product_of_a_kronecker_product_is_itself():
    rng = np.random.default_rng(1)
    H = KroneckerSet((2, 3))
    A, B = (C @ C.T for C in (rng.standard_normal((2, 2)), rng.standard_normal((3, 3))))
    M = np.kron(A, B)
    np.testing.assert_allclose(H.dense(H.project(M)), M, atol=tolerance(M, 6, np.linalg.norm(M)))
    X = rng.standard_normal((2, 3))
    np.testing.assert_allclose(H.apply((A, B), X).reshape(-1), M @ X.reshape(-1), atol=tolerance(M, 6, 100.0))
    root = H.dense(H.root((A, B)))
    np.testing.assert_allclose(root @ root, M, atol=H.precision * np.linalg.norm(M))


@given(m=hnp.arrays(float, (4,), elements=st.integers(0, 16).map(lambda k: k / 4.0)))
def test_the_cone_pools_like_isotonic_regression(m):
    H = MonotoneCone((4,))
    expected = isotonic_regression(m, increasing=False).x
    np.testing.assert_allclose(H.isotonic(m), expected, atol=tolerance(m, 4, 4.0))
    np.testing.assert_allclose(np.diag(preconditioner(H, np.diag(m))) ** 2, expected, atol=tolerance(m, 4, 4.0))


@given(x=hnp.arrays(float, (4,), elements=st.integers(-8, 8).map(lambda k: k / 4.0)))
def test_the_norm_of_the_cone_is_the_supremum_over_it(x):
    order = np.eye(4)[1:] - np.eye(4)[:-1]  # h_{k+1} - h_k ≤ 0
    best = linprog(-(x**2), A_ub=np.vstack([order, np.ones(4)]), b_ub=[0, 0, 0, 1], bounds=(0, None))
    assert float(MonotoneCone((4,)).norm(x)) ** 2 == pytest.approx(-best.fun, abs=1e-9)  # HiGHS' feasibility tolerance


def test_the_cone_at_extreme_scales_keeps_its_small_entries():
    H = MonotoneCone((3,))
    np.testing.assert_allclose(H.isotonic(np.asarray([1.0, 1e-30, 3e-30])), [1.0, 2e-30, 2e-30], rtol=1e-15)


CLOSED = [K for K in STRUCTURES if K.dim <= 6]


@pytest.mark.parametrize("K", CLOSED, ids=str)
def test_newton_on_a_closed_set_finds_its_closed_form(K):
    rng = np.random.default_rng(2)
    G = rng.standard_normal((3, K.dim, 8))
    M = G @ np.swapaxes(G, 1, 2)
    x = rng.standard_normal((3, K.dim))
    L = LinearSet(basis_of(K))
    np.testing.assert_allclose(preconditioner(L, M), preconditioner(K, M), atol=1e-10 * np.max(M))  # Newton's accuracy
    np.testing.assert_allclose(L.norm(x), K.norm(K.unflatten(x)), rtol=1e-6)  # the bracket's width
    np.testing.assert_allclose(L.dual_norm(x), K.dual_norm(K.unflatten(x)), rtol=L.precision)


@pytest.mark.parametrize("K", [K for K in controls() if isinstance(K, LinearSet)], ids=str)
def test_the_norm_bracket_is_narrow_and_bounds_every_element(K):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((20, *K.shape))
    low, high = K.norm_bracket(x)
    assert np.all(low <= high) and np.all(high <= (1 + 1e-6) * low)  # the barrier stops at a relative gap of d·1e-9
    elements = preconditioner(K, np.stack([A @ A.T for A in rng.standard_normal((20, K.dim, K.dim))]))
    elements /= np.trace(elements, axis1=1, axis2=2)[:, None, None]
    flat = x.reshape(20, K.dim)
    assert np.all(np.einsum("bi,bij,bj->b", flat, elements, flat) <= high**2)


@pytest.mark.parametrize("K", [K for K in controls() if not K.sufficient], ids=str)
def test_no_element_of_the_set_does_better_than_the_preconditioner(K):
    rng = np.random.default_rng(4)
    M = np.stack([A @ A.T for A in rng.standard_normal((10, K.dim, K.dim))])
    elements = preconditioner(K, M)
    for s in (0.5, 1.0, 1.5):
        values = np.einsum("aij,bji->ab", M, np.linalg.inv(s * elements)) + np.trace(s * elements, axis1=1, axis2=2)
        best = 2.0 * np.trace(elements, axis1=1, axis2=2)
        assert np.all(values >= best[:, None] * (1 - 1e-9))  # the solvers' accuracy


@given(M=psd(3), s=st.sampled_from([1e-300, 1e-8, 1e8, 1e300]))
def test_a_singular_statistic_has_a_finite_homogeneous_trace(M, s):
    K = Tridiagonal((3,))
    unit, scaled = float(K.trace(K.preconditioner(M))), float(K.trace(K.preconditioner(s * M)))
    assert np.isfinite(scaled) and scaled >= 0
    assert scaled / np.sqrt(s) == pytest.approx(unit, rel=K.precision, abs=1e-12)


@pytest.mark.parametrize("K", controls(), ids=str)
def test_controls_serve_every_array_library_alike(K, backend):
    rng = np.random.default_rng(5)
    G = rng.standard_normal((2, 1, *K.shape))
    A = rng.standard_normal((2, K.dim, K.dim))
    M = A @ np.swapaxes(A, 1, 2) + 0.1 * np.eye(K.dim)
    loose = tolerance(backend.like, K.dim, 100.0) + 10 * K.precision
    found = K.dense(K.preconditioner(backend.array(M)))
    assert type(found) is type(backend.like) and found.dtype == backend.like.dtype
    np.testing.assert_allclose(to_numpy(found), preconditioner(K, M), atol=loose * 10)
    for name in ("norm", "dual_norm"):
        value = getattr(K, name)(backend.array(G))
        assert value.shape == (2, 1) and value.dtype == backend.like.dtype
        np.testing.assert_allclose(to_numpy(value), getattr(K, name)(G), rtol=loose)
    np.testing.assert_allclose(to_numpy(K.adaptive_norm(backend.array(G))), K.adaptive_norm(G), rtol=loose)
    assert dtype_name(found) == backend.dtype


@pytest.mark.parametrize(
    "K", [K for K in controls() if type(K) not in {HiddenJitter, KroneckerSet, MonotoneCone}], ids=str
)
def test_controls_refuse_an_indefinite_statistic(K):
    with pytest.raises(NotPositiveError):
        K.preconditioner(-np.eye(K.dim))


def test_a_power_that_leaves_the_set_has_no_coordinates_but_still_acts():
    K = Tridiagonal((3,))
    c = K.project(np.asarray([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]]))
    with pytest.raises(ValueError, match="not closed under this power"):
        K.power(c, -1)
    x = np.asarray([1.0, 2.0, 3.0])
    np.testing.assert_allclose(K.dense(c) @ K.factor(c).apply(-1, x), x, atol=tolerance(x, 3, 10.0))


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([np.diag([1.0, 0.0])], "identity is not in the span"),
        ([np.eye(2), np.asarray([[0.0, 1.0], [0.0, 0.0]])], "symmetric matrices"),
        (np.eye(2), "symmetric matrices"),
    ],
)
def test_a_linear_set_needs_symmetric_elements_and_the_identity(elements, message):
    with pytest.raises(ValueError, match=message):
        LinearSet(elements)


def test_linear_sets_are_equal_when_their_elements_are():
    elements = [np.eye(2), np.asarray([[0.0, 1.0], [1.0, 0.0]])]
    assert LinearSet(elements) == LinearSet(elements) and hash(LinearSet(elements)) == hash(LinearSet(elements))
    assert LinearSet(elements) != LinearSet([2 * np.eye(2), elements[1]])
    assert Tridiagonal((3,)) == Tridiagonal((3,)) != Star((3,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KroneckerSet((4,)), "matrix parameter"),
        (lambda: KroneckerSum((4,)), "matrix parameter"),
        (lambda: DiagonalLinear((4,)), "three parameters"),
        (lambda: LinearSet([np.eye(4)], (3,)), "do not act on a parameter"),
    ],
)
def test_constructors_say_what_shape_they_need(make, message):
    with pytest.raises(ValueError, match=message):
        make()
