"""A composite objective is the weighted mean of its samples plus a penalty, with constants that hold."""

from __future__ import annotations

import hard_metrics
import numpy as np
import pytest

from problems import Logistic, oracles, registry
from problems.composite import Composite
from problems.losses import LeastSquares, Linear
from problems.penalties import L1, BoxIndicator, ElasticNet, GroupL1, SquaredL2, ZeroPenalty
from structures.arrays import dtype_name, to_numpy, tolerance

EPS = float(np.finfo(np.float64).eps)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.random(12) * (RNG.random(12) < 0.8)
PROBLEMS = [Composite(loss, ElasticNet(0.1, 0.2), weights) for loss in registry.losses() for weights in (None, WEIGHTS)]


def _points(problem, count=5, seed=1):
    return np.random.default_rng(seed).standard_normal((count, *problem.shape))


def _flat(problem, x):
    return x.reshape(*x.shape[: x.ndim - len(problem.shape)], -1)


def _name(problem):
    return f"{problem.loss}-{'weighted' if problem.weights is not None else 'uniform'}"


@pytest.mark.parametrize("problem", PROBLEMS, ids=_name)
def test_the_value_is_the_weighted_mean_plus_the_penalty(problem):
    x, n = _points(problem), problem.samples
    w = np.ones(n) if problem.weights is None else problem.weights
    expected = sum(w[i] * problem.loss.value(x, np.full(5, i)) for i in range(n)) / np.sum(w)
    assert np.allclose(problem.smooth_value(x), expected, rtol=64 * EPS, atol=64 * EPS)
    assert np.allclose(problem.value(x), expected + problem.penalty.value(x), rtol=64 * EPS)
    assert np.sum(problem.mass) == pytest.approx(1.0, rel=16 * EPS)


@pytest.mark.parametrize("problem", PROBLEMS, ids=_name)
def test_the_gradient_is_the_derivative_of_the_smooth_part(problem):
    x, d, h = _points(problem), int(np.prod(problem.shape)), 1e-5
    steps = np.eye(d).reshape(d, *problem.shape) * h
    expected = np.stack([(problem.smooth_value(x + e) - problem.smooth_value(x - e)) / (2 * h) for e in steps], axis=-1)
    found = _flat(problem, problem.gradient(x))
    assert np.allclose(found, expected, atol=1e-8)  # h² = 1e-10, eps/h = 2e-11
    assert not np.allclose(1.001 * found, expected, atol=1e-8)


@pytest.mark.parametrize("problem", PROBLEMS, ids=_name)
def test_sample_gradients_average_to_the_gradient(problem):
    x = _points(problem)
    every = np.broadcast_to(np.arange(problem.samples), (5, problem.samples))
    samples = problem.sample_gradient(every, x)
    assert samples.shape == (5, problem.samples, *problem.shape)
    assert np.allclose(np.mean(samples, axis=1), problem.gradient(x), rtol=0, atol=256 * EPS)
    assert np.allclose(problem.sample_gradient(every[0], x), samples, rtol=0, atol=64 * EPS)  # leading axes broadcast
    assert np.allclose(problem.sample_gradient(every, x[0]), samples[:1], rtol=0, atol=64 * EPS)
    j = 7
    alone = problem.samples * problem.mass[j] * problem.loss.gradient(x, np.full(5, j))
    assert np.allclose(samples[:, j], alone, rtol=0, atol=64 * EPS)


@pytest.mark.parametrize("problem", PROBLEMS, ids=_name)
def test_the_constants_bound_the_curvature_of_every_sample_and_of_the_mean(problem):
    x, y = _points(problem), _points(problem, seed=2)
    every = np.arange(problem.samples)
    difference = _flat(problem, problem.sample_gradient(every, x) - problem.sample_gradient(every, y))
    distance = np.linalg.norm(_flat(problem, x - y), axis=-1)
    assert np.all(np.linalg.norm(difference, axis=-1) <= problem.constants * distance[:, None] * (1 + 1e-12) + 1e-14)
    mean = np.linalg.norm(_flat(problem, problem.gradient(x) - problem.gradient(y)), axis=-1)
    assert np.all(mean <= problem.smoothness * distance * (1 + 1e-12))
    assert problem.smoothness <= problem.mean_smoothness <= np.max(problem.constants) * (1 + EPS)
    assert problem.mean_smoothness == pytest.approx(np.mean(problem.constants), rel=16 * EPS)
    if problem.weights is not None and problem.mean_smoothness > 0:
        unweighted = Composite(problem.loss, problem.penalty)
        assert problem.mean_smoothness != pytest.approx(unweighted.mean_smoothness, rel=1e-3)


def test_constants_of_least_squares_are_squared_norms():
    A = RNG.standard_normal((12, 4))
    problem = Composite(LeastSquares(A, np.zeros(12)), weights=WEIGHTS)
    p = WEIGHTS / WEIGHTS.sum()
    assert np.allclose(problem.constants, 12 * p * np.sum(A * A, axis=1), rtol=16 * EPS)
    assert problem.smoothness == pytest.approx(np.linalg.eigvalsh((A.T * p) @ A)[-1], rel=1e-12)
    assert problem.smoothness >= np.linalg.eigvalsh((A.T * p) @ A)[-1]


def test_a_sample_weight_of_two_is_a_sample_that_comes_twice():
    loss = Logistic.examples()[0]
    weights = np.ones(12)
    weights[3] = 2.0
    doubled = Logistic(np.vstack([loss.features, loss.features[3:4]]), np.append(loss.targets, loss.targets[3]))
    weighted, repeated = Composite(loss, L1(0.1), weights), Composite(doubled, L1(0.1))
    x = _points(weighted)
    assert np.allclose(weighted.value(x), repeated.value(x), rtol=64 * EPS)
    assert np.allclose(weighted.gradient(x), repeated.gradient(x), rtol=0, atol=64 * EPS)


def test_strong_convexity_is_the_penaltys():
    loss = Logistic.examples()[0]
    assert Composite(loss, SquaredL2(0.3)).strong_convexity == 0.3
    assert Composite(loss).strong_convexity == 0.0
    assert isinstance(Composite(loss).penalty, ZeroPenalty)


def test_a_penalty_takes_the_shape_of_the_loss():
    loss = LeastSquares.examples()[1]
    assert loss.shape == (2, 2)
    problem = Composite(loss, L1(1.0))
    assert problem.penalty.shape == (2, 2)
    assert problem.value(np.ones((7, 2, 2))).shape == (7,)
    with pytest.raises(ValueError, match="names 3 coordinates"):
        Composite(loss, GroupL1(1.0, (0, 0, 1)))


def test_the_objective_is_infinite_outside_of_a_box():
    problem = Composite(Logistic.examples()[0], BoxIndicator(-1.0, 1.0))
    assert problem.value(np.full(4, 2.0)) == np.inf
    assert np.isfinite(problem.value(np.full(4, 1.0)))


@pytest.mark.parametrize("problem", PROBLEMS[::2], ids=_name)
def test_every_array_library_gives_the_same_objective(problem, backend):
    problem = Composite(problem.loss, problem.penalty, WEIGHTS)
    x, i = _points(problem), np.asarray([[0, 5], [1, 1], [2, 3], [4, 11], [7, 7]])
    there = problem.beside(backend.like)
    room = tolerance(backend.like, problem.samples * 8)
    assert dtype_name(there.mass) == backend.dtype
    for found, expected in (
        (there.value(backend.array(x)), problem.value(x)),
        (there.gradient(backend.array(x)), problem.gradient(x)),
        (there.sample_gradient(_indices(i, backend), backend.array(x)), problem.sample_gradient(i, x)),
        (there.constants, problem.constants),
    ):
        assert np.allclose(to_numpy(found), expected, rtol=room, atol=room)
    assert there.smoothness == pytest.approx(problem.smoothness, rel=room)


def _indices(i, backend):
    from structures.arrays import namespace

    xp = namespace(backend.like)
    return xp.asarray(i.tolist(), dtype=xp.int64, device=backend.like.device)


def test_an_objective_that_is_already_there_is_not_rebuilt():
    problem = PROBLEMS[0]
    assert problem.beside(np.zeros(1)) is problem
    assert problem.beside(np.zeros(1, dtype=np.float32)) is not problem


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(11), "one for each sample"),
        (np.zeros(12), "not all zero"),
        (-np.ones(12), "nonnegative"),
        (np.full(12, np.nan), "weights is not finite"),
    ],
)
def test_weights_that_are_no_weights_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        Composite(Logistic.examples()[0], weights=weights)


def test_a_linear_loss_is_a_composite_without_curvature():
    problem = Composite(Linear.examples()[0], SquaredL2(1.0))
    assert problem.smoothness == 0.0 == problem.mean_smoothness


@pytest.mark.parametrize(
    "penalty",
    [L1(0.05), ElasticNet(0.02, 0.1), BoxIndicator(-0.2, 0.3), GroupL1(0.1, (0, 1, 0, 1))],
    ids=hard_metrics.name,
)
def test_the_conic_minimum_is_a_fixed_point_of_the_proximal_gradient_step(penalty):
    problem = Composite(Logistic.examples()[0], penalty, WEIGHTS)
    value, x = oracles.composite_minimum(problem)
    assert value == pytest.approx(problem.value(problem.penalty.prox(x, 1e-300)), abs=1e-9)
    step = 1.0 / problem.smoothness
    moved = problem.penalty.prox(x - step * problem.gradient(x), step)
    assert np.linalg.norm(moved - x) < 1e-5  # the square root of the conic solver's gap
    assert np.linalg.norm(problem.penalty.prox(0.9 * x - step * problem.gradient(0.9 * x), step) - 0.9 * x) > 1e-3
