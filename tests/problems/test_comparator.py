"""The best point in hindsight: a bracket that contains the truth, whatever the solver did."""

from __future__ import annotations

import hard_metrics
import numpy as np
import pytest

from problems import (
    Box,
    L2Ball,
    LeastSquares,
    Linear,
    LinearFunction,
    Logistic,
    Product,
    Quadratic,
    Simplex,
    Softmax,
    SpectralBall,
    best_in_hindsight,
    oracles,
)
from problems.matrix_quadratic import MatrixQuadratic
from structures.arrays import asarray_like, to_numpy

EPS = float(np.finfo(np.float64).eps)
RNG = np.random.default_rng(0)
A = RNG.standard_normal((15, 6))
OBJECTIVES = [
    Logistic(A, np.where(RNG.random(15) < 0.5, -1.0, 1.0)).total(np.ones(15)),
    LeastSquares(A, RNG.standard_normal(15)).total(RNG.integers(0, 3, 15).astype(float)),
    LeastSquares(A.reshape(15, 2, 3), RNG.standard_normal(15) * 5).total(np.ones(15)),
    Quadratic(A.T @ np.diag(np.logspace(0, -8, 15)) @ A, RNG.standard_normal(6) * 3, offset=1.0),
    LinearFunction(RNG.standard_normal((2, 3)), (2, 3)),
    Softmax.from_labels(A[:, :3], RNG.integers(0, 2, 15), 2).total(np.ones(15)),
]


def _domains(shape):
    found = [L2Ball(0.8), Box(0.3), Simplex()]
    if len(shape) == 2:
        return [*found, SpectralBall(0.5)]
    return [*found, Product([(L2Ball(0.5), (2,)), (Box(0.2), (4,))])]


CASES = [(objective, domain) for objective in OBJECTIVES for domain in _domains(objective.shape)]


@pytest.mark.parametrize(("objective", "domain"), CASES, ids=hard_metrics.name)
def test_the_bracket_is_narrow_and_contains_the_conic_optimum(objective, domain):
    found = best_in_hindsight(objective, domain, np.zeros(objective.shape))
    best, _ = oracles.minimum(objective, domain)
    accuracy = 2e-6 * (1 + abs(best))  # of the conic solver
    assert found.lower <= best + accuracy and best - accuracy <= found.upper
    assert found.upper - found.lower <= 1e-8 * (1 + abs(best))
    assert domain.on(objective.shape).infeasibility(found.x) <= 64 * EPS
    assert objective.value(found.x) == pytest.approx(found.upper, rel=64 * EPS)


@pytest.mark.parametrize("iterations", [0, 1, 5, 40])
@pytest.mark.parametrize(("objective", "domain"), CASES, ids=hard_metrics.name)
def test_a_capped_bracket_still_contains_the_solution(objective, domain, iterations):
    solved = best_in_hindsight(objective, domain, np.zeros(objective.shape))
    capped = best_in_hindsight(objective, domain, np.zeros(objective.shape), iterations=iterations)
    rounding = 64 * EPS * (1 + abs(solved.upper))
    assert capped.lower <= solved.upper + rounding and solved.lower <= capped.upper + rounding


def test_without_its_gap_a_capped_solution_is_no_lower_bound():
    objective, domain = OBJECTIVES[0], L2Ball(0.8)
    solved = best_in_hindsight(objective, domain, np.zeros(6))
    capped = best_in_hindsight(objective, domain, np.zeros(6), iterations=2)
    assert capped.upper > solved.upper + 1e-3 > capped.lower


def test_linear_objectives_have_a_closed_form():
    S = RNG.standard_normal((4, 2, 3))
    found = best_in_hindsight(LinearFunction(S, (2, 3)), SpectralBall(2.0), np.zeros((4, 2, 3)))
    assert np.allclose(found.upper, -2 * np.linalg.norm(S, "nuc", axis=(-2, -1)), rtol=64 * EPS)
    assert np.all(found.upper - found.lower <= 64 * EPS * np.abs(found.upper))
    assert np.all(found.upper >= found.lower)
    summed = best_in_hindsight(Linear(S).total(np.ones(4)), L2Ball(2.0), np.zeros((2, 3)))
    assert summed.upper == pytest.approx(-2 * np.linalg.norm(S.sum(axis=0)), rel=64 * EPS)


def test_a_batch_of_weights_is_a_batch_of_problems():
    loss = Logistic(A, np.where(RNG.random(15) < 0.5, -1.0, 1.0))
    weights = np.random.default_rng(3).integers(0, 3, (4, 15)).astype(float)
    together = best_in_hindsight(loss.total(weights), L2Ball(2.0), np.zeros((4, 6)))
    for b in range(4):
        alone = best_in_hindsight(loss.total(weights[b]), L2Ball(2.0), np.zeros(6))
        assert alone.upper == pytest.approx(together.upper[b], rel=1e-8) and together.lower[b] <= alone.upper


def test_a_warm_start_at_the_solution_is_done_at_once():
    objective = OBJECTIVES[1]
    solved = best_in_hindsight(objective, L2Ball(0.8), np.zeros(6))
    again = best_in_hindsight(objective, L2Ball(0.8), solved.x, iterations=0, tol=1e-8)
    assert again.upper == pytest.approx(solved.upper, rel=64 * EPS)
    assert again.upper - again.lower <= 1e-7 * (1 + abs(solved.upper))


def test_an_interior_minimiser_is_found_and_a_zero_objective_is_done():
    found = best_in_hindsight(Quadratic(np.eye(3), np.array([0.1, 0.2, 0.0])), L2Ball(1.0), np.ones(3))
    assert np.allclose(found.x, [0.1, 0.2, 0.0], atol=1e-5) and found.upper <= 1e-9
    nothing = best_in_hindsight(Logistic(A, np.ones(15)).total(np.zeros(15)), Box(1.0), np.ones(6))
    assert nothing.lower == nothing.upper == 0


def test_any_object_with_a_value_a_gradient_and_a_smoothness_will_do():
    problem = MatrixQuadratic(np.array([1.0, 0.1]), np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]))
    found = best_in_hindsight(problem, SpectralBall(1.0), np.zeros((2, 3)))
    assert found.upper - found.lower <= 1e-8 * found.upper
    assert problem.value(np.clip(problem.solution, -0.5, 0.5)) > found.lower


@pytest.mark.parametrize("namespace_name", ["torch", "array_api_strict"])
def test_every_namespace_brackets_the_same_value(namespace_name):
    xp = pytest.importorskip(namespace_name)
    device = xp.Device("device1") if namespace_name == "array_api_strict" else "cpu"
    like = xp.zeros(1, dtype=xp.float64, device=device)
    loss = Softmax.from_labels(A[:, :3], np.arange(15) % 2, 2)
    here = best_in_hindsight(loss.total(np.ones(15)), SpectralBall(1.0), np.zeros((2, 3)))
    there = best_in_hindsight(
        loss.beside(like).total(asarray_like(np.ones(15), like)),
        SpectralBall(1.0),
        asarray_like(np.zeros((2, 3)), like),
    )
    assert there.x.device == like.device
    assert float(to_numpy(there.upper)) == pytest.approx(float(here.upper), rel=1e-8)


def test_a_start_of_another_shape_or_with_a_hole_is_an_error():
    with pytest.raises(ValueError, match="last axes must be"):
        best_in_hindsight(OBJECTIVES[0], L2Ball(1.0), np.zeros(5))
    with pytest.raises(ValueError, match="not finite"):
        best_in_hindsight(OBJECTIVES[0], L2Ball(1.0), np.full(6, np.inf))
