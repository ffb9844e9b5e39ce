"""The spectral reduction takes the same steps as a dense simulation, and only for the methods that it is meant for."""

from __future__ import annotations

import numpy as np
import pytest

from problems.matrix_quadratic import MatrixQuadratic, gaussian_matrix_quadratic
from problems.spectral_reduction import reduce_to_spectrum, scalar_step
from structures.arrays import tolerance


def problem_with_repeats(seed: int = 0) -> MatrixQuadratic:
    """5×4, one eigenvalue twice, rotated."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    return MatrixQuadratic(np.array([1.0, 1.0, 0.5, 0.2, 0.05]), rng.standard_normal((5, 4))).rotated(U)


def inverse_root(M: np.ndarray) -> np.ndarray:
    """M^{-1/2}, pseudo-inverse below 1e-13 of the largest eigenvalue (rounding of a Gram matrix of order one)."""
    values, vectors = np.linalg.eigh(M)
    keep = values > 1e-13 * values[-1]
    return (vectors * np.where(keep, np.where(keep, values, 1.0) ** -0.5, 0.0)) @ vectors.T


def direction(method: str, gradients: list[np.ndarray], eps: float, d: int) -> np.ndarray:
    """The step direction from vectorised gradients, by the dense definition; d parameters for AdaGrad-Norm."""
    G = np.stack(gradients, axis=1)
    if method == "descent":
        return gradients[-1]
    if method == "scalar":
        return gradients[-1] / np.sqrt(eps + np.sum(G * G) / d)
    return inverse_root(eps * np.eye(len(G)) + G @ G.T) @ gradients[-1]


def simulate(problem: MatrixQuadratic, method: str, lr: float, eps: float, steps: int) -> list[np.ndarray]:
    """Iterates x_0 = 0, …, x_steps by dense linear algebra alone."""
    x, gradients, path = np.zeros(problem.shape), [], []
    for _ in range(steps + 1):
        path.append(x)
        gradients.append(problem.gradient(x).reshape(-1))
        x = x - lr * direction(method, gradients, eps, x.size).reshape(problem.shape)
    return path


# Full-matrix trajectories are chaotic when eps is small or lr large: at lr = 0.7 and eps = 1e-2·‖g_1‖² = 0.13 a difference
# of 1e-15 grows tenfold every two steps. At lr = 0.3 and the same eps it does not grow, and exactness can be seen.
CASES = [  # method, lr, eps, steps, condition number of the inverse root
    ("descent", 0.3, 0.0, 40, 1.0),
    ("scalar", 0.5, 0.0, 40, 1.0),
    ("scalar", 0.5, 1e-2, 40, 1.0),
    ("full", 0.3, 0.13, 25, 1e2),
    ("full", 0.7, 0.0, 3, 1e2),
]


@pytest.mark.parametrize(("method", "lr", "eps", "steps", "cond"), CASES)
def test_the_reduced_run_lifts_to_the_dense_run(method, lr, eps, steps, cond):
    problem = problem_with_repeats()
    reduction = reduce_to_spectrum(problem)
    small = reduction.problem
    assert small.shape == (4, 1)
    factor = scalar_step(reduction) if method == "scalar" else 1.0
    dense = simulate(problem, method, lr, eps, steps)
    reduced = simulate(small, method, lr * factor, eps * factor**2, steps)
    allowed = tolerance(problem.solution, 20 * steps, cond)  # 20 parameters, rounding added up over the steps
    for x, z in zip(dense, reduced, strict=True):
        np.testing.assert_allclose(reduction.lift(z), x, atol=allowed)
        np.testing.assert_allclose(small.value(z), problem.value(x), atol=allowed)


def test_without_its_factor_the_scalar_method_takes_other_steps():
    problem = problem_with_repeats()
    reduction = reduce_to_spectrum(problem)
    dense, wrong = simulate(problem, "scalar", 0.5, 0.0, 5)[-1], simulate(reduction.problem, "scalar", 0.5, 0.0, 5)[-1]
    assert np.abs(reduction.lift(wrong) - dense).max() > 0.1


def outside(reduction, X: np.ndarray) -> float:
    """Relative distance of X from the span of the b's."""
    basis = [reduction.lift(e[:, None]).reshape(-1) for e in np.eye(reduction.problem.shape[0])]
    B, x = np.stack(basis, axis=1), X.reshape(-1)
    return float(np.linalg.norm(x - B @ (B.T @ x)) / np.linalg.norm(x))


def test_the_left_preconditioner_leaves_the_span_in_one_step_and_full_does_not():
    problem = problem_with_repeats()
    reduction = reduce_to_spectrum(problem)
    G = problem.gradient(np.zeros(problem.shape))
    assert outside(reduction, G) <= tolerance(G, 20)
    assert outside(reduction, simulate(problem, "full", 0.7, 1e-2, 3)[-1]) <= tolerance(G, 20, 1e2)
    assert outside(reduction, inverse_root(1e-2 * np.eye(5) + G @ G.T / 4) @ G) > 0.1
    assert outside(reduction, G / np.abs(G)) > 0.1  # the diagonal method's first step


def test_the_lift_is_an_isometry_onto_the_solution():
    problem = problem_with_repeats()
    reduction = reduce_to_spectrum(problem)
    allowed = tolerance(problem.solution, 20)
    np.testing.assert_allclose(reduction.lift(reduction.problem.solution), problem.solution, atol=10 * allowed)
    x = np.random.default_rng(1).standard_normal((3, *reduction.problem.shape))
    norms = np.linalg.norm(reduction.lift(x), axis=(1, 2))
    np.testing.assert_allclose(norms, np.linalg.norm(x, axis=(1, 2)), rtol=allowed)


def test_equal_eigenvalues_share_a_coordinate_and_empty_ones_drop_out():
    solution = np.array([[1.0, 2.0], [2.0, 1.0], [0.0, 0.0], [3.0, 4.0]])
    small = reduce_to_spectrum(MatrixQuadratic(np.array([1.0, 1.0, 0.5, 0.25]), solution)).problem
    np.testing.assert_array_equal(small.spectrum, [0.25, 1.0])
    np.testing.assert_allclose(small.solution[:, 0], [5.0, np.sqrt(10.0)])
    assert reduce_to_spectrum(gaussian_matrix_quadratic(100)).problem.shape == (90, 1)


def test_there_is_nothing_to_reduce_when_the_solution_is_the_start():
    with pytest.raises(ValueError, match="nothing to minimise"):
        reduce_to_spectrum(MatrixQuadratic(np.ones(2), np.zeros((2, 2))))


def polar_column(gradients: np.ndarray) -> np.ndarray:  # (d, t) -> (d,)
    """The step direction of full-matrix AdaGrad at eps = 0, from singular values (no squares, no cut-off)."""
    U, _, W = np.linalg.svd(gradients, full_matrices=False)
    return U @ W[:, -1]


def test_a_tiny_gradient_in_a_new_direction_is_answered_by_a_long_step():
    rng = np.random.default_rng(2)
    Q = np.linalg.qr(rng.standard_normal((12, 5)))[0]
    earlier, c, u = Q[:, :4] @ rng.standard_normal((4, 4)), rng.standard_normal(4), Q[:, 4]
    for delta in (1e-4, 1e-6):
        step = polar_column(np.column_stack([earlier, earlier @ c + delta * u]))
        assert u @ step == pytest.approx((1 + c @ c) ** -0.5, rel=10 * delta)
    no_news = np.column_stack([earlier, earlier @ c])
    assert abs(u @ (no_news @ inverse_root(no_news.T @ no_news)[:, -1])) <= tolerance(no_news, 12, 1e2)


def losses_of_full_adagrad(problem: MatrixQuadratic, lr: float, steps: int, noise: float) -> np.ndarray:
    """Losses of full-matrix AdaGrad at eps = 0 in Gram form, every gradient perturbed by a relative `noise`."""
    rng, x, gradients, losses = np.random.default_rng(3), np.zeros(problem.shape), [], []
    for _ in range(steps):
        value, gradient = problem.value_and_gradient(x)
        losses.append(float(value))
        gradients.append((gradient * (1 + noise * rng.standard_normal(gradient.shape))).reshape(-1))
        G = np.stack(gradients, axis=1)
        x = x - lr * (G @ inverse_root(G.T @ G)[:, -1]).reshape(x.shape)
    return np.array(losses)


def test_full_matrix_adagrad_is_stable_inside_the_span_and_not_outside():
    problem = gaussian_matrix_quadratic(20)
    clean, perturbed = (losses_of_full_adagrad(reduce_to_spectrum(problem).problem, 2.0, 40, e) for e in (0.0, 1e-8))
    direct = losses_of_full_adagrad(problem, 2.0, 40, 0.0)
    assert np.abs(perturbed / clean - 1).max() < 1e-4  # 1e-8 of noise at each of 40 steps, with room for its growth
    assert np.abs(direct[:5] / clean[:5] - 1).max() < 1e-8  # they begin together
    assert direct[20:].mean() > 10 * clean[20:].mean()  # and rounding alone takes the direct one away
