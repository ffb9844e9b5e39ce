"""The matrix quadratic: its value and gradient, its constants against a semidefinite program, its two bases."""

from __future__ import annotations

import numpy as np
import pytest

from problems.matrix_quadratic import MatrixQuadratic, gaussian_matrix_quadratic, remembered_spectrum
from structures import Diagonal, Full, LeftKronecker, RightKronecker, Scalar
from structures.arrays import asarray_like, to_numpy, tolerance


def instance(m: int = 4, n: int = 3, seed: int = 0, rotated: bool = True) -> MatrixQuadratic:
    """A small problem with a repeated and a zero eigenvalue."""
    rng = np.random.default_rng(seed)
    spectrum = np.concatenate([[0.0, 2.0, 2.0], rng.uniform(0.1, 1.0, m - 3)])
    problem = MatrixQuadratic(spectrum, rng.standard_normal((m, n)))
    return problem.rotated(np.linalg.qr(rng.standard_normal((m, m)))[0]) if rotated else problem


@pytest.mark.parametrize("rotated", [False, True])
def test_the_value_is_the_trace_form(rotated):
    problem = instance(rotated=rotated)
    X = np.random.default_rng(1).standard_normal((5, 4, 3))
    E = X - problem.solution
    expected = [np.trace(e.T @ problem.curvature @ e) for e in E]
    np.testing.assert_allclose(problem.value(X), expected, rtol=tolerance(X, 12))


def central_difference(problem: MatrixQuadratic, X: np.ndarray, direction: np.ndarray) -> float:
    """(f(X + D) − f(X − D))/2, which for a quadratic is <∇f(X), D> exactly."""
    return float(problem.value(X + direction) - problem.value(X - direction)) / 2


@pytest.mark.parametrize("rotated", [False, True])
def test_the_gradient_is_the_exact_central_difference_and_half_of_it_is_not(rotated):
    problem = instance(rotated=rotated)
    X, D = np.random.default_rng(2).standard_normal((2, 4, 3))
    slope = float(np.sum(problem.gradient(X) * D))
    difference = central_difference(problem, X, D)
    allowed = tolerance(X, 12) * (float(problem.value(X + D)) + float(problem.value(X - D)))
    assert abs(slope - difference) <= allowed
    assert abs(slope / 2 - difference) > 1e3 * allowed  # the factor 2 is not decoration


def test_the_value_at_the_solution_is_zero_and_is_never_negative():
    problem = instance()
    assert float(problem.value(problem.solution)) == 0.0
    near = problem.solution + 1e-12 * np.random.default_rng(3).standard_normal((200, 4, 3))
    assert (problem.value(near) >= 0).all()


def test_rotating_is_a_change_of_coordinates_that_moves_the_solution():
    plain = instance(rotated=False)
    U = np.linalg.qr(np.random.default_rng(4).standard_normal((4, 4)))[0]
    turned, X = plain.rotated(U), np.random.default_rng(5).standard_normal((4, 3))
    value, gradient = plain.value_and_gradient(X)
    value_turned, gradient_turned = turned.value_and_gradient(U @ X)
    np.testing.assert_allclose(value_turned, value, rtol=tolerance(X, 16))
    np.testing.assert_allclose(gradient_turned, U @ gradient, atol=tolerance(X, 16) * np.abs(gradient).max())
    assert np.abs(turned.solution - plain.solution).max() > 0.1
    np.testing.assert_allclose(turned.rotated(U.T).curvature, plain.curvature, atol=tolerance(X, 16))


def smallest_trace(problem: MatrixQuadratic, structure) -> float:
    """min{Tr H : H ∈ J, H ⪰ ∇²f} by a semidefinite program over a basis of J."""
    import cvxpy as cp

    m, n = problem.shape
    hessian = 2.0 * np.kron(problem.curvature, np.eye(n))
    if isinstance(structure, Scalar):
        H = cp.Variable() * np.eye(m * n)
    elif isinstance(structure, Diagonal):
        H = cp.diag(cp.Variable(m * n))
    elif isinstance(structure, LeftKronecker):
        H = cp.kron(cp.Variable((m, m), symmetric=True), np.eye(n))
    elif isinstance(structure, RightKronecker):
        H = cp.kron(np.eye(m), cp.Variable((n, n), symmetric=True))
    else:
        H = cp.Variable((m * n, m * n), symmetric=True)
    return float(cp.Problem(cp.Minimize(cp.trace(H)), [H - hessian >> 0]).solve(solver=cp.CLARABEL))


@pytest.mark.parametrize("structure", [Scalar, Diagonal, LeftKronecker, RightKronecker, Full])
@pytest.mark.parametrize("rotated", [False, True])
def test_adaptive_smoothness_is_the_value_of_its_semidefinite_program(structure, rotated):
    problem = instance(rotated=rotated)
    K = structure(problem.shape)
    closed, solved = problem.adaptive_smoothness(K), smallest_trace(problem, K)
    if closed is None:
        assert structure is Diagonal and rotated
        trace = 2.0 * problem.shape[1] * problem.spectrum.sum()
        assert solved > 1.01 * trace  # in a rotated basis the Hessian's trace is no longer enough
    else:
        assert closed == pytest.approx(solved, rel=1e-5)  # accuracy of the interior-point solver


def test_smoothness_is_attained_on_the_top_eigenvector():
    problem = instance()
    D = problem.basis[:, 1:2] * np.ones((1, 3))  # eigenvalue 2, the largest
    change = problem.gradient(problem.solution + D)
    assert np.linalg.norm(change) == pytest.approx(problem.smoothness * np.linalg.norm(D), rel=tolerance(D, 12))


def test_the_remembered_spectrum_has_ten_ones_and_then_inverse_squares():
    spectrum = remembered_spectrum(13)
    np.testing.assert_array_equal(spectrum, [1.0] * 11 + [1 / 4, 1 / 9])


def test_the_gaussian_instance_is_reproducible_and_its_rotation_is_the_same_instance():
    plain, again, turned = (gaussian_matrix_quadratic(30, seed=1, rotated=r) for r in (False, False, True))
    np.testing.assert_array_equal(plain.solution, again.solution)
    assert abs(plain.solution.var() * 30 - 1) < 0.2  # 900 samples: standard deviation of the variance is 5 %
    np.testing.assert_allclose(turned.eigen_rows(turned.solution), plain.solution, atol=tolerance(plain.solution, 30))
    assert np.abs(turned.solution - plain.solution).max() > 0.1
    assert np.abs(gaussian_matrix_quadratic(30, seed=2).solution - plain.solution).max() > 0.1


def _strict():
    strict = pytest.importorskip("array_api_strict")
    return strict.ones((1,), dtype=strict.float64, device=strict.Device("device1"))


def _torch():
    torch = pytest.importorskip("torch")
    return torch.ones(1, dtype=torch.float64)


@pytest.mark.parametrize("like", [_torch, _strict])
def test_other_namespaces_and_devices_give_the_same_numbers(like):
    sample = like()
    host, here = (gaussian_matrix_quadratic(12, rotated=True, like=x) for x in (None, sample))
    X = np.random.default_rng(6).standard_normal((2, 12, 12))
    value, gradient = here.value_and_gradient(asarray_like(X, sample))
    assert type(gradient) is type(sample) and gradient.device == sample.device
    np.testing.assert_allclose(to_numpy(value), host.value(X), rtol=tolerance(X, 144))
    np.testing.assert_allclose(to_numpy(gradient), host.gradient(X), atol=tolerance(X, 144))
    np.testing.assert_allclose(to_numpy(here.curvature), host.curvature, atol=tolerance(X, 12))


@pytest.mark.parametrize(
    ("spectrum", "solution", "basis", "said"),
    [
        ([-1.0, 1.0], np.zeros((2, 3)), None, "at least 0"),
        ([np.nan, 1.0], np.zeros((2, 3)), None, "not finite"),
        ([1.0, 1.0, 1.0], np.zeros((2, 3)), None, "spectrum"),
        ([1.0, 1.0], np.zeros(2), None, "one axis"),
        ([1.0, 1.0], np.zeros((2, 3)), np.eye(3), "basis"),
    ],
)
def test_a_wrong_problem_is_refused(spectrum, solution, basis, said):
    with pytest.raises(ValueError, match=said):
        MatrixQuadratic(np.array(spectrum), solution, basis)


def test_a_wrong_shape_of_iterate_or_structure_is_refused():
    problem = instance()
    with pytest.raises(ValueError, match="X has shape"):
        problem.value(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="structure"):
        problem.adaptive_smoothness(Scalar((3, 4)))
