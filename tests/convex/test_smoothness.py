"""Adaptive smoothness: closed forms and the iteration equal the semidefinite program on hard inputs, from both sides."""

import numpy as np
import pytest

from convex.smoothness import (
    Bracket,
    adaptive_noise,
    adaptive_smoothness,
    closed_form,
    covariance_noise,
    envelope_smoothness,
    matrix_free_bracket,
    semidefinite_bracket,
)
from convex.smoothness.semidefinite import lower_end, upper_end
from problems import oracles
from problems.composite import Composite
from problems.domains import L2Ball
from problems.losses import Huber, Logistic
from problems.operators import (
    DenseOperator,
    DiagonalOperator,
    GramOperator,
    KroneckerOperator,
    NegatedOperator,
    ShiftedOperator,
)
from problems.smooth import EntryNoise, FactorNoise, FiniteSum, GemanMcClure, SmoothQuadratic
from structures import (
    Circulant,
    ColumnScalar,
    Conjugated,
    Diagonal,
    Exchangeable,
    Full,
    Layerwise,
    LeftKronecker,
    ModeK,
    RightKronecker,
    RowScalar,
    Scalar,
)
from structures.not_structured import DiagonalLinear

RNG = np.random.default_rng(0)
SHAPE = (3, 2)
L, R = RNG.standard_normal((3, 3)), RNG.standard_normal((2, 2))
Q = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
SIGNED = np.abs(RNG.standard_normal((6, 2))) * np.array([[1], [-1], [1], [1], [-1], [1]])
OPERATORS = {
    "kronecker": KroneckerOperator(L @ L.T, R @ R.T, SHAPE),
    "kronecker, rank one": KroneckerOperator(np.outer(L[0], L[0]), np.outer(R[0], R[0]), SHAPE),
    "kronecker, indefinite": KroneckerOperator(L + L.T, R + R.T, SHAPE),
    "kronecker, two negative factors": KroneckerOperator(-L @ L.T, -R @ R.T, SHAPE),
    "left": KroneckerOperator(L @ L.T, None, SHAPE),
    "right": KroneckerOperator(None, R @ R.T, SHAPE),
    "diagonal with zeros": DiagonalOperator(np.array([[1.0, 0.0], [3.0, 3.0], [0.0, 0.5]])),
    "diagonal, indefinite": DiagonalOperator(RNG.standard_normal(SHAPE)),
    "rank one": GramOperator(RNG.standard_normal((1, *SHAPE))),
    "rank one, a single entry": GramOperator(np.eye(6)[2].reshape(1, *SHAPE)),
    "rank two": GramOperator(RNG.standard_normal((2, *SHAPE))),
    "ridge": ShiftedOperator(GramOperator(RNG.standard_normal((1, *SHAPE))), 0.7),
    "ridge, indefinite": ShiftedOperator(DenseOperator(Q + Q.T, SHAPE), 0.3),
    "ridge, indefinite and diagonal": ShiftedOperator(DiagonalOperator(-np.arange(6.0).reshape(SHAPE)), 2.0),
    "signed": DenseOperator(SIGNED @ SIGNED.T, SHAPE),
    "condition 1e12": DenseOperator((Q * np.logspace(0, -12, 6)) @ Q.T, SHAPE),
    "repeated": DenseOperator((Q * np.array([2.0, 2, 2, 1, 1, 0])) @ Q.T, SHAPE),
    "indefinite": DenseOperator(Q + Q.T, SHAPE),
    "tiny": DenseOperator(1e-150 * (Q[:, :3] @ Q[:, :3].T + np.eye(6)), SHAPE),
    "huge": GramOperator(1e75 * RNG.standard_normal((2, *SHAPE))),
}
STRUCTURES = [
    Scalar(SHAPE),
    Diagonal(SHAPE),
    Full(SHAPE),
    LeftKronecker(SHAPE),
    RightKronecker(SHAPE),
    RowScalar(SHAPE),
    ColumnScalar(SHAPE),
    ModeK(SHAPE, 1),
    Conjugated(LeftKronecker(SHAPE), Q),
]
SOLVER = 2e-7  # the width of a bracket that is repaired from Clarabel's tolerance of 1e-8


def envelope(A):
    return (A,) if A.psd else (A, NegatedOperator(A))


@pytest.fixture(scope="module")
def program():
    """Brackets from the semidefinite program, each computed once."""
    known = {}

    def bracket(name, K):
        key = (name, repr(K))
        if key not in known:
            known[key] = semidefinite_bracket([A.dense() for A in envelope(OPERATORS[name])], K)
        return known[key]

    return bracket


@pytest.mark.parametrize("name", OPERATORS)
def test_the_program_is_bracketed_and_its_witnesses_are_feasible(name, program):
    for K in STRUCTURES:
        found, matrices = program(name, K), [A.dense() for A in envelope(OPERATORS[name])]
        assert found.width <= SOLVER
        scale = max(np.linalg.norm(A, 2) for A in matrices)
        H = found.element / scale
        assert all(np.linalg.eigvalsh(H - A / scale)[0] >= -1e-13 for A in matrices)
        np.testing.assert_allclose(K.dense(K.project(H)), H, atol=1e-13 * np.linalg.norm(H))
        total = sum(W @ W.T for W in found.multipliers)
        assert np.linalg.eigvalsh(K.dense(K.project(total)))[-1] <= 1 + 1e-13


@pytest.mark.parametrize("name", OPERATORS)
def test_a_closed_form_equals_the_program(name, program):
    for K in STRUCTURES:
        found, expected = closed_form(OPERATORS[name], K), program(name, K)
        if found is not None:
            assert found.lower <= expected.upper * (1 + SOLVER) and found.upper >= expected.lower * (1 - SOLVER)
            assert found.width <= 1e-10


WORDS = {"scalar": 0, "diagonal": 1, "full": 2, "left": 3, "right": 4, "row": 5, "column": 6}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("kronecker", ["scalar", "diagonal", "full", "left", "right", "column"]),
        ("left", ["scalar", "full", "left", "right"]),
        ("kronecker, indefinite", ["scalar", "full", "left", "right"]),
        ("diagonal with zeros", list(WORDS)),
        ("diagonal, indefinite", list(WORDS)),
        ("rank one", list(WORDS)),
        ("ridge", list(WORDS)),
        ("signed", ["scalar", "diagonal", "full"]),
        ("indefinite", ["scalar", "full"]),
        ("rank two", ["scalar", "full"]),
    ],
)
def test_closed_forms_are_there_where_they_are_promised(name, kinds):
    for kind in kinds:
        assert closed_form(OPERATORS[name], STRUCTURES[WORDS[kind]]) is not None, kind


@pytest.mark.parametrize("name", OPERATORS)
def test_the_iteration_equals_the_program(name, program):
    A = OPERATORS[name]
    for K in STRUCTURES:
        if not A.psd:
            with pytest.raises(ValueError, match="positive semidefinite"):
                matrix_free_bracket([A], K)
            continue
        found, expected = matrix_free_bracket([A], K), program(name, K)
        assert found.width <= 1e-4  # the damping of P costs what the fixed point leaves; typically 1e-6
        assert found.lower <= expected.upper * (1 + SOLVER) and found.upper >= expected.lower * (1 - SOLVER)


@pytest.mark.parametrize(
    "K", [Circulant((5,)), Exchangeable((5,)), Layerwise([(2,), (3,)]), Diagonal((5,))], ids=lambda K: type(K).__name__
)
def test_other_structures_agree_as_well(K):
    A = GramOperator(RNG.standard_normal((2, 5)))
    found, expected = envelope_smoothness([A], K), semidefinite_bracket([A.dense()], K)
    assert found.lower <= expected.upper * (1 + SOLVER) and found.upper >= expected.lower * (1 - SOLVER)
    assert found.width <= 1e-4


def test_two_operators_are_dominated_at_once():
    A, B = (GramOperator(RNG.standard_normal((2, *SHAPE))) for _ in range(2))
    for K in STRUCTURES[:7]:
        found = envelope_smoothness([A, B], K)
        expected = semidefinite_bracket([A.dense(), B.dense()], K)
        assert found.lower <= expected.upper * (1 + SOLVER) and found.upper >= expected.lower * (1 - SOLVER)
        alone = max(envelope_smoothness([one], K).lower for one in (A, B))
        assert found.upper >= alone * (1 - 1e-12)


# --- inequalities that hold for every problem -------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATORS)
def test_smoothness_lies_between_the_trace_and_d_times_the_norm(name, program):
    A = OPERATORS[name].dense()
    for K in STRUCTURES:
        found = program(name, K)
        assert found.upper >= np.sum(np.abs(np.linalg.eigvalsh(A))) * (1 - 1e-12)
        assert found.lower <= 6 * np.linalg.norm(A, 2) * (1 + 1e-12)


@pytest.mark.parametrize("name", OPERATORS)
def test_a_larger_structure_is_never_less_smooth(name, program):
    chain = [
        (Scalar, RowScalar),
        (RowScalar, Diagonal),
        (RowScalar, LeftKronecker),
        (Diagonal, Full),
        (LeftKronecker, Full),
    ]
    for small, large in chain:
        wide, narrow = program(name, small(SHAPE)), program(name, large(SHAPE))
        assert narrow.lower <= wide.upper * (1 + 1e-12)


@pytest.mark.parametrize(("m", "n"), [(2, 2), (3, 3), (4, 4), (3, 5)])
def test_the_rank_bound_is_attained_on_the_left(m, n):
    corner = np.zeros((n, n))
    corner[0, 0] = 1.0
    K = LeftKronecker((m, n))
    found = closed_form(KroneckerOperator(None, corner, (m, n)), K)
    assert found.upper == pytest.approx(m * n, rel=1e-12)
    x = RNG.standard_normal((2000, m, n))
    ratios = np.sum(x[..., 0] ** 2, axis=-1) / K.norm(x) ** 2
    assert np.max(ratios) <= n * (1 + 1e-12)  # L is n: Λ = rank · L
    spike = np.zeros((m, n))
    spike[:, 0] = 1.0
    assert m / K.norm(spike) ** 2 == pytest.approx(n, rel=1e-12)


# --- what is not a bound is found out ---------------------------------------------------------------------------------


def test_an_infeasible_element_is_raised_and_infeasible_multipliers_are_divided():
    A, K = OPERATORS["rank two"].dense(), Diagonal(SHAPE)
    exact = semidefinite_bracket([A], K)
    element, upper = upper_end([A], K, 0.5 * exact.element)
    assert np.linalg.eigvalsh(element - A)[0] >= 0 and upper > exact.lower
    factors, lower = lower_end([A], K, [3.0 * W for W in exact.multipliers])
    assert lower == pytest.approx(exact.lower, rel=1e-9)
    assert np.linalg.eigvalsh(K.dense(K.project(factors[0] @ factors[0].T)))[-1] <= 1


def test_a_bracket_out_of_order_is_refused():
    with pytest.raises(ValueError, match="lower <= upper"):
        Bracket(1.0, 0.5, "none")
    with pytest.raises(ValueError, match="lower <= upper"):
        Bracket(float("nan"), 1.0, "none")


def test_a_set_that_is_not_well_structured_gets_the_program_only():
    K = DiagonalLinear.examples()[0]
    A = GramOperator(np.ones((1, *K.shape)))
    with pytest.raises(ValueError, match="well-structured"):
        matrix_free_bracket([A], K)
    with pytest.raises(ValueError, match="well-structured"):
        covariance_noise(A, K)
    found = envelope_smoothness([A], K)
    assert found.method.startswith("semidefinite")
    square = float(K.dual_norm(np.ones(K.shape))) ** 2
    assert found.lower <= square * (1 + SOLVER)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: envelope_smoothness([OPERATORS["rank one"]], Diagonal((6,))), "for parameters of shape"),
        (lambda: envelope_smoothness([OPERATORS["rank one"]], Diagonal(SHAPE), method="guess"), "method must be"),
        (lambda: envelope_smoothness([OPERATORS["rank two"]], Diagonal(SHAPE), method="closed"), "no closed form"),
        (
            lambda: envelope_smoothness(
                [GramOperator(-np.ones((1, 200))), NegatedOperator(GramOperator(np.ones((1, 200))))], Circulant((200,))
            ),
            "too many",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- problems ---------------------------------------------------------------------------------------------------------


def test_an_attained_envelope_is_exact_and_another_says_so():
    loss = Logistic.examples()[0]
    sharp = adaptive_smoothness(FiniteSum(Composite(loss)), Diagonal((4,)))
    assert sharp.assumes == "" and sharp.width <= 1e-4
    far = FiniteSum(Composite(Huber(loss.features, 100.0 * loss.targets, 1.0)))
    loose = adaptive_smoothness(far, Diagonal((4,)))
    assert loose.lower == 0 and "trivial" in loose.assumes
    x = np.linalg.lstsq(loss.features, 100.0 * loss.targets, rcond=None)[0]
    better = adaptive_smoothness(far, Diagonal((4,)), points=np.stack([x, np.zeros(4)]))
    assert 0 <= better.lower <= better.upper
    assert (
        "Hessians at the given points"
        in adaptive_smoothness(FiniteSum.examples()[3], Diagonal((3, 4)), points=np.zeros((1, 3, 4))).assumes
    )


def test_points_give_a_lower_end_that_the_program_of_their_hessians_confirms():
    f, K = FiniteSum.examples()[3], LeftKronecker((3, 4))
    points = RNG.standard_normal((3, 3, 4))
    found = adaptive_smoothness(f, K, points=points)
    units = np.eye(12).reshape(12, 3, 4)
    matrices = [f.hessian_product(x, units).reshape(12, 12) for x in points]
    expected = semidefinite_bracket([(A + A.T) / 2 for A in matrices], K)
    assert found.lower == pytest.approx(expected.lower, rel=1e-5)
    assert found.lower < found.upper


def test_a_robust_loss_that_is_not_convex_has_the_constant_of_its_curvature():
    f = FiniteSum(Composite(GemanMcClure.examples()[1]))
    found = adaptive_smoothness(f, Diagonal((3,)))
    H = found.element
    for x in 3.0 * RNG.standard_normal((50, 3)):
        hessian = f.hessian_product(x, np.eye(3))
        assert np.linalg.eigvalsh(H - hessian)[0] >= -1e-12 and np.linalg.eigvalsh(H + hessian)[0] >= -1e-12


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_single_precision_data_get_the_bracket_of_their_exact_values(library):
    import torch

    thin = RNG.standard_normal((2, *SHAPE)).astype(np.float32)
    stored = GramOperator(thin if library == "numpy" else torch.asarray(thin))
    wide = GramOperator(thin.astype(np.float64))
    for K in (Scalar(SHAPE), Diagonal(SHAPE), Full(SHAPE), LeftKronecker(SHAPE)):
        found, expected = envelope_smoothness([stored], K), envelope_smoothness([wide], K)
        assert found.upper == pytest.approx(expected.upper, rel=1e-5) and found.lower <= expected.upper
        assert found.upper >= expected.lower and covariance_noise(stored, K) == pytest.approx(
            covariance_noise(wide, K),
            rel=1e-6,  # √eps for each null direction
        )


# --- noise ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", STRUCTURES, ids=lambda K: type(K).__name__)
def test_the_noise_constant_is_the_smallest_variance_over_the_structure(K):
    factors = RNG.standard_normal((3, *SHAPE))
    f = SmoothQuadratic(DiagonalOperator(np.ones(SHAPE)), np.zeros(SHAPE), FactorNoise(factors, "signs"))
    found = adaptive_noise(f, K)
    assert found.lower <= oracles.adaptive_norm(K, factors) * (1 + 1e-6)
    assert found.upper >= oracles.adaptive_norm(K, factors) * (1 - 1e-6)


def test_the_rounding_of_a_singular_covariance_is_in_the_bracket():
    thin = np.zeros((1, *SHAPE))
    thin[0, 0, 0] = 1.0
    f = SmoothQuadratic(DiagonalOperator(np.ones(SHAPE)), np.zeros(SHAPE), FactorNoise(thin, "signs"))
    for K in (Full(SHAPE), Conjugated(Diagonal(SHAPE), Q), LeftKronecker(SHAPE)):
        found = adaptive_noise(f, K)
        exact = float(K.dual_norm(thin[0]))
        assert found.lower <= exact * (1 + 1e-12) and exact * (1 - 1e-12) <= found.upper and found.width <= 1e-5


def test_noise_at_a_point_is_below_the_declared_bound_and_entry_noise_is_exact():
    f = FiniteSum.examples()[0]
    points = RNG.standard_normal((4, 4))
    for K in (Scalar((4,)), Diagonal((4,)), Full((4,)), Circulant((4,))):
        found = adaptive_noise(f, K, points=points)
        assert 0 < found.lower <= found.upper < np.inf
        assert adaptive_noise(f, K).lower == 0
    squares = FiniteSum.examples()[1]
    assert adaptive_noise(squares, Diagonal((4,))).upper == np.inf
    assert adaptive_noise(squares, Diagonal((4,)), L2Ball(1.0)).upper < np.inf
    quadratic = SmoothQuadratic(DiagonalOperator(np.ones(4)), np.zeros(4), EntryNoise(0.5))
    assert adaptive_noise(quadratic, Diagonal((4,))).upper == pytest.approx(2.0, rel=1e-12)
