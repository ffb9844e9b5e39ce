"""The comparison and the choice: what they print, what they admit, and what they refuse."""

import csv
import io
import warnings

import numpy as np
import pytest

from convex.smoothness import choose_structure, compare_structures
from convex.smoothness.candidates import candidates, state_size
from convex.smoothness.choose import newton_step
from convex.smoothness.largest_eigenvalue import start_vector
from convex.smoothness.matrix_free import _start
from problems.domains import L2Ball, SpectralBall
from problems.matrix_quadratic import MatrixQuadratic, gaussian_matrix_quadratic
from problems.operators import DenseOperator, DiagonalOperator
from problems.smooth import EntryNoise, FiniteSum, SmoothMatrixQuadratic, SmoothQuadratic, from_arrays
from structures import (
    BlockDiagonal,
    Circulant,
    Conjugated,
    Diagonal,
    DirectSum,
    Full,
    Layerwise,
    LeftKronecker,
    ModeK,
    RightKronecker,
    RowScalar,
    Scalar,
)
from structures.arrays import tree_leaves

RNG = np.random.default_rng(0)
STEEP = np.logspace(0, -3, 12)
PLANE = SmoothMatrixQuadratic(
    MatrixQuadratic(STEEP, RNG.standard_normal((12, 12)), np.linalg.qr(RNG.standard_normal((12, 12)))[0])
)


def test_the_table_is_the_theorem_with_the_constants_of_each_row():
    x0 = np.zeros((12, 12))
    table = compare_structures(PLANE, x0, horizon=50)
    for row in table.rows:
        D = float(row.structure.norm(x0 - PLANE.solution))
        assert row.distance == D
        assert row.bound == pytest.approx(4 * row.smoothness.upper * D**2 / 50, rel=1e-12)
    assert [r.bound for r in table.rows] == sorted(r.bound for r in table.rows)
    by_kind = {type(r.structure): r for r in table.rows}
    square = np.linalg.norm(PLANE.solution) ** 2 / np.linalg.norm(PLANE.solution, 2) ** 2
    left, full = by_kind[LeftKronecker], by_kind[Full]
    assert full.bound / left.bound == pytest.approx(12 * square, rel=1e-9)  # n ‖E‖_F²/‖E‖_op², the theory's own factor


def test_the_text_and_the_csv_carry_the_warnings():
    table = compare_structures(PLANE, np.zeros((12, 12)))
    assert "no bound" in repr(table) and "docs/findings.md" in repr(table) and "LeftKronecker" in repr(table)
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert len(rows) == len(table.rows) and rows[0]["structure"] == type(table.best).__name__
    assert float(rows[0]["smoothness_lower"]) <= float(rows[0]["smoothness_upper"])
    softmax = FiniteSum.examples()[3]
    assert "reach nowhere" in repr(compare_structures(softmax, np.zeros((3, 4))))
    squares = FiniteSum.examples()[1]
    assert "pass a domain" in repr(compare_structures(squares, np.zeros(4)))


def test_on_a_domain_the_distance_is_its_diameter():
    table = compare_structures(PLANE, np.zeros((12, 12)), domain=SpectralBall(30.0))
    for row in table.rows:
        assert row.distance == SpectralBall(30.0).diameter(row.structure)
    assert "prediction" not in repr(table)
    squares = FiniteSum.examples()[1]
    assert all(np.isfinite(r.bound) for r in compare_structures(squares, np.zeros(4), domain=L2Ball(1.0)).rows)


def test_what_cannot_be_compared_is_refused():
    indefinite = SmoothQuadratic.examples()[4]
    with pytest.raises(ValueError, match="names no solution"):
        compare_structures(indefinite, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="at least one structure"):
        compare_structures(PLANE, np.zeros((12, 12)), [])


# --- the choice -------------------------------------------------------------------------------------------------------


def circulant(d):
    weights = np.fft.irfft(np.logspace(0, -2, d // 2 + 1), d)
    return np.stack([np.roll(weights, k) for k in range(d)])


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [(np.diag(np.logspace(0, -4, 12)), Diagonal), (circulant(12), Circulant), (np.eye(12), Scalar)],
    ids=["diagonal", "circulant", "identity"],
)
def test_a_hessian_that_lies_in_a_candidate_is_recognised(matrix, expected):
    f = SmoothQuadratic(DenseOperator(matrix, (12,)), RNG.choice([-1.0, 1.0], 12))
    choice = choose_structure(f)
    own = next(s for s in choice.scores if isinstance(s.structure, expected))
    assert own.outside <= 1e-20 and choice.screened
    assert next(s for s in choice.scores if s.structure == choice.structure).outside <= 0.1


def test_the_left_side_is_chosen_for_the_matrix_quadratic():
    assert isinstance(choose_structure(PLANE).structure, LeftKronecker)


def test_a_rotated_problem_is_said_not_to_be_screened():
    Q = np.linalg.qr(RNG.standard_normal((12, 12)))[0]
    f = SmoothQuadratic(DenseOperator((Q * np.logspace(0, -4, 12)) @ Q.T, (12,)), RNG.standard_normal(12))
    choice = choose_structure(f)
    assert not choice.screened and "not better than a guess" in repr(choice)


def test_gradients_alone_are_enough_and_their_noise_is_no_structure():
    rows = np.logspace(0, -2, 8)[:, None]
    G = RNG.standard_normal((400, 8, 6)) * rows
    scores = {type(s.structure): s for s in choose_structure(G).scores}
    assert scores[RowScalar].outside <= 0.1 and scores[LeftKronecker].outside <= 0.1
    assert scores[RightKronecker].outside > 0.5 and scores[Scalar].outside > 0.5
    assert scores[Full].outside <= 1e-9
    U = np.linalg.qr(RNG.standard_normal((8, 8)))[0]
    turned = {type(s.structure): s for s in choose_structure(U @ G).scores}
    assert turned[RowScalar].outside > 0.3 and turned[LeftKronecker].outside <= 0.1
    tiny = choose_structure(1e-150 * G)
    assert [s.structure for s in tiny.scores] == [s.structure for s in choose_structure(G).scores]


def test_the_memory_limit_is_kept_and_a_limit_too_small_is_refused():
    choice = choose_structure(PLANE, memory_limit=100)
    assert all(s.state <= 100 for s in choice.scores)
    with pytest.raises(ValueError, match="the smallest keeps 1"):
        choose_structure(PLANE, memory_limit=0)
    with pytest.raises(ValueError, match="not finite"):
        choose_structure(np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match="two gradients"):
        choose_structure(np.ones((1, 2)))


@pytest.mark.parametrize(
    "K",
    [
        *candidates((3, 2)),
        *candidates((5,)),
        ModeK((2, 3, 2), 1),
        Layerwise([(2,), (3,)]),
        BlockDiagonal([(2,), (3,)]),
        DirectSum([LeftKronecker((2, 2)), Diagonal((3,))]),
    ],
    ids=repr,
)
def test_the_state_size_is_the_number_of_coordinates(K):
    assert state_size(K) == sum(leaf.size for leaf in tree_leaves(K.identity(np.zeros(1))))


def test_a_rotation_is_remembered_as_well():
    assert state_size(Conjugated(Diagonal((4,)), np.eye(4))) == 4 + 16


def test_a_newton_step_finds_the_minimiser_of_a_quadratic():
    f = SmoothQuadratic.examples()[0]
    np.testing.assert_allclose(
        newton_step(f.hessian_product, np.ones(4), f.gradient(np.ones(4))), f.centre - np.ones(4), atol=1e-6
    )
    assert np.all(newton_step(f.hessian_product, f.centre, f.gradient(f.centre)) == 0)


def test_noise_enters_the_promise():
    quiet = SmoothMatrixQuadratic(gaussian_matrix_quadratic(6))
    loud = SmoothMatrixQuadratic(quiet.quadratic, EntryNoise(10.0))
    before, after = (choose_structure(f).scores[0].promise for f in (quiet, loud))
    assert after > 10 * before


def squares(centre):
    return SmoothQuadratic(DenseOperator(np.eye(2), (2,)), np.asarray(centre, dtype=float))


def test_the_best_structure_is_none_where_the_bounds_say_nothing():
    rng = np.random.default_rng(0)
    free = from_arrays(rng.standard_normal((20, 3)), rng.standard_normal(20), "least_squares")
    table = compare_structures(free, np.zeros(3))
    assert (
        all(row.bound == np.inf for row in table.rows) and table.best is None and "nothing is predicted" in repr(table)
    )
    there = compare_structures(squares([1, 2]), np.array([1.0, 2.0]))
    assert there.best is None and "the start is the minimiser" in repr(there)
    bent = compare_structures(SmoothQuadratic.examples()[4], np.zeros((2, 2)), domain=L2Ball(1.0))
    assert bent.best is None and "not convex" in repr(bent)
    assert compare_structures(squares([1, 2]), np.zeros(2)).best is not None


@pytest.mark.parametrize(
    ("centre", "x0", "message"),
    [([10, 10], [0, 0], "minimiser is outside"), ([0.1, 0], [100, 100], "x0 is outside"), ([0.5, 0.5], [0, 0], None)],
)
def test_a_domain_must_hold_the_start_and_the_minimiser(centre, x0, message):
    def call():
        return compare_structures(squares(centre), np.asarray(x0, dtype=float), domain=L2Ball(1.0))

    if message is None:
        assert call().best is not None
    else:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("x0", "horizon", "message"),
    [
        (np.zeros(2), 2.5, "integer"),
        (np.zeros(2), float("nan"), "integer"),
        (1.0, 10, "shape"),
        (np.ones(1), 10, "shape"),
    ],
)
def test_a_start_of_another_shape_and_a_horizon_that_is_no_number_of_steps_are_refused(x0, horizon, message):
    with pytest.raises(ValueError, match=message):
        compare_structures(squares([1, 2]), x0, horizon=horizon)


def test_huber_far_from_its_solution_is_measured_by_the_largest_curvature_and_says_so():
    """All residuals are on the straight part: the Hessian at the start is 0, a Newton step says nothing."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 4)) * np.array([1.0, 1.0, 0.1, 0.1])
    problem = from_arrays(X, X @ np.full(4, 1e4) + rng.standard_normal(200), "huber", delta=1.0)
    near, far = (choose_structure(problem, x0=x0) for x0 in (problem.solution + 1e-3, np.zeros(4)))
    assert near.warning == "" and "not what its Hessian" in far.warning and "not what its Hessian" in repr(far)
    assert all(np.isfinite(s.promise) and s.promise > 1e-6 for s in far.scores)
    assert np.all(newton_step(problem.hessian_product, np.zeros(4), problem.gradient(np.zeros(4))) == 0)


def test_a_start_where_the_gradient_vanishes_is_said_and_promises_are_not_all_zero():
    choice = choose_structure(SmoothQuadratic(DenseOperator(np.array([[2.0, 0.5], [0.5, 1.0]]), (2,)), np.zeros(2)))
    assert "gradient at the start is 0" in choice.warning and all(s.promise > 0 for s in choice.scores)


def test_a_candidate_without_a_method_does_not_end_the_choice():
    """The circulant matrices above an indefinite diagonal need a program that is too large here."""
    bent = SmoothQuadratic(DiagonalOperator(np.r_[-1.0, np.ones(999)]), np.zeros(1000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choice = choose_structure(bent, [Circulant((1000,)), Diagonal((1000,))], x0=np.ones(1000))
    assert choice.structure == Diagonal((1000,)) and max(s.promise for s in choice.scores) == np.inf
    with pytest.raises(ValueError, match="at least one candidate"):
        choose_structure(bent, [])
    assert choose_structure(np.eye(3).tolist()).structure is not None


def test_the_start_of_lanczos_is_no_part_of_the_operator():
    """The iteration starts from columns of the same generator; b must be independent of what they become."""
    d = 600
    start = start_vector(d, 0)
    (columns,) = _start([DiagonalOperator(np.ones(d))], Scalar((d,)), 16, 0)
    cosines = np.abs(columns @ start) / np.linalg.norm(columns, axis=1) / np.linalg.norm(start)
    assert np.max(cosines) < 6 / d**0.5
