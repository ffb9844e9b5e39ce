"""Every baseline is its literal reference on the same indices, with the published step where there is one."""

from __future__ import annotations

import literal_solvers as literal
import numpy as np
import pytest
from finite_sums import data

from convex.solvers import SAGA, SVRG, AcceleratedGradient, AccProxSVRG, Katyusha
from convex.solvers.saga import first_occurrences
from convex.solvers.sampling import IndexStream, probabilities
from problems.composite import Composite
from problems.losses import Linear, Logistic
from problems.penalties import ElasticNet

A, LABELS, _ = data(10, 3, seed=6)
PROBLEM = Composite(Logistic(A, LABELS), ElasticNet(0.02, 0.05))
X0, SEED, N = np.array([0.5, -1.0, 2.0]), 3, 10
ROOM = 1e-12  # some hundred steps, each a few rounding errors
LENGTHS = np.sum(A * A, axis=1) / 4


def _gradients(x):
    return -(LABELS / (1 + np.exp(LABELS * (A @ x))))[:, None] * A


def _prox(v, step):
    return np.sign(v) * np.maximum(np.abs(v) - step * 0.02, 0) / (1 + step * 0.05)


def _value(x):
    return np.mean(np.log1p(np.exp(-LABELS * (A @ x)))) + 0.02 * np.sum(np.abs(x)) + 0.025 * (x @ x)


def _draw(m, b, sampling="uniform", distinct=False):
    stream = IndexStream(probabilities(PROBLEM, sampling), 1, SEED)
    return lambda: (stream.draw_distinct(m, b) if distinct else stream.draw(m, b))[:, 0]


def _points(solver, stages):
    budget = solver.start_cost(PROBLEM) + stages * solver.stage_cost(PROBLEM)
    path = solver.run(PROBLEM, X0, evaluations=budget, seed=SEED)
    assert len(path.points) == stages + 1
    return path.points[:, 0]


@pytest.mark.parametrize("sampling", ["importance", "uniform"])
@pytest.mark.parametrize("b", [1, 4])
def test_svrg_is_the_literal_one(b, sampling):
    L = np.mean(LENGTHS) if sampling == "importance" else np.max(LENGTHS)
    eta, m = min(0.1 * b / L, 1 / PROBLEM.smoothness), 20 // b
    expected = literal.svrg(_gradients, _prox, X0, 6, eta, probabilities(PROBLEM, sampling), _draw(m, b, sampling))
    assert np.allclose(_points(SVRG(minibatch=b, sampling=sampling), 6), expected, rtol=0, atol=ROOM)


@pytest.mark.parametrize("b", [1, 2, 6])
def test_saga_is_the_literal_one(b):
    eta = 1 / (3 * (np.max(LENGTHS) / b + max(0, 1 - 3 / b) * PROBLEM.smoothness))
    expected = literal.saga(_gradients, _prox, X0, 12, eta, _draw(10 // b, b))
    assert np.allclose(_points(SAGA(minibatch=b), 12), expected, rtol=0, atol=ROOM)
    if b == 1:
        assert SAGA().step_for(PROBLEM) == pytest.approx(1 / (3 * np.max(LENGTHS)), rel=1e-15)  # as published


@pytest.mark.parametrize("mu", [0.05, 0.0])
@pytest.mark.parametrize("b", [1, 4])
def test_katyusha_is_the_literal_one(b, mu):
    M, m = PROBLEM.smoothness + 2 * np.mean(LENGTHS) / b, 20 // b
    q = probabilities(PROBLEM)
    expected = literal.katyusha(_gradients, _prox, X0, 6, M, mu, m, q, _draw(m, b, "importance"))
    found = _points(Katyusha(minibatch=b, strong_convexity=mu), 6)
    assert np.allclose(found, expected, rtol=0, atol=ROOM)
    other = literal.katyusha(_gradients, _prox, X0, 6, M, 0.05 - mu, m, q, _draw(m, b, "importance"))
    assert not np.allclose(found, other, rtol=0, atol=1e-4)


def test_katyusha_averages_long_stages_without_overflow():
    path = Katyusha(strong_convexity=1e4, length=400, smoothness=1e4).run(PROBLEM, X0, evaluations=810)
    assert np.all(np.isfinite(path.points))  # (1 + αμ)^400 = 3^400 would still fit, its square would not
    longer = Katyusha(strong_convexity=1e4, length=1000, smoothness=1e4).run(PROBLEM, X0, evaluations=2010)
    assert np.all(np.isfinite(longer.points))


@pytest.mark.parametrize("restart", [None, "function", "gradient"])
def test_accelerated_gradient_is_the_literal_one(restart):
    expected = literal.fista(_gradients, _prox, _value, X0, 60, 1 / PROBLEM.smoothness, restart)
    found = _points(AcceleratedGradient(restart=restart), 60)
    assert np.allclose(found[:40], expected[:40], rtol=0, atol=ROOM)  # later a restart may hinge on a rounding error
    if restart is not None:
        path = AcceleratedGradient(restart=restart).run(PROBLEM, X0, evaluations=600)
        assert np.any(path.restarts[:40])
        assert not np.allclose(
            found, literal.fista(_gradients, _prox, _value, X0, 60, 1 / PROBLEM.smoothness), atol=1e-6
        )


@pytest.mark.parametrize("b", [1, 4, 10])
def test_accelerated_proximal_svrg_is_the_literal_one(b):
    L = np.max(LENGTHS)
    eta = 1 / (2 * L) if b == 10 else min((0.25 * b * 9 / (10 - b)) ** 2 / 64 * 0.05 / L**2, 1 / (2 * L))
    assert AccProxSVRG(minibatch=b).step_for(PROBLEM) == pytest.approx(eta, rel=1e-14)
    for step in (eta, 0.3 / L):
        expected = literal.acc_prox_svrg(_gradients, _prox, X0, 6, step, 0.05, _draw(10 // b, b, distinct=True))
        assert np.allclose(_points(AccProxSVRG(minibatch=b, step=step), 6), expected, rtol=0, atol=ROOM)


def test_mini_batches_without_replacement_hold_different_samples():
    drawn = IndexStream(np.full(10, 0.1), 3, 0).draw_distinct(50, 7)
    assert drawn.shape == (50, 3, 7)
    assert all(len(set(row)) == 7 for row in drawn.reshape(-1, 7).tolist())
    assert set(np.unique(drawn)) == set(range(10))


def test_a_sample_that_comes_twice_counts_once_in_the_table():
    found = first_occurrences(np.array([[3, 1, 3, 3], [2, 2, 0, 1]]))
    assert np.array_equal(found, [[1, 1, 0, 0], [1, 0, 1, 1]])


@pytest.mark.parametrize(
    "solver",
    [SVRG(), SVRG(sampling="uniform"), SAGA(), Katyusha(), Katyusha(sampling="uniform"), AcceleratedGradient()],
)
def test_a_linear_loss_has_no_step_of_its_own(solver):
    linear = Composite(Linear.examples()[0], ElasticNet(0.1, 0.1))
    with pytest.raises(ValueError, match="curved, smooth loss"):
        solver.run(linear, np.zeros((2, 2)), evaluations=1000)


def test_a_linear_loss_with_a_given_step_reaches_its_closed_form():
    linear = Composite(Linear.examples()[0], ElasticNet(0.1, 0.5))
    path = AcceleratedGradient(step=100.0, restart="gradient").run(linear, np.zeros((2, 2)), evaluations=1000)
    g = linear.gradient(np.zeros((2, 2)))
    assert np.allclose(path.x[0], -np.sign(g) * np.maximum(np.abs(g) - 0.1, 0) / 0.5, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AccProxSVRG().run(Composite(PROBLEM.loss), X0, evaluations=1000), "strongly convex objective"),
        (lambda: AccProxSVRG(minibatch=11).run(PROBLEM, X0, evaluations=1000), "only 10"),
        (lambda: AccProxSVRG(strong_convexity=0.0), "strong_convexity must be"),
        (lambda: Katyusha(strong_convexity=-1.0), "strong_convexity must be"),
        (lambda: Katyusha(smoothness=0.0), "smoothness must be"),
        (lambda: AcceleratedGradient(restart="often"), "restart must be"),
        (lambda: SAGA(step=0.0), "step must be"),
        (lambda: SVRG(step=-1.0), "step must be"),
        (lambda: SVRG(sampling="random").run(PROBLEM, X0, evaluations=1000), "sampling must be"),
        (lambda: SVRG(minibatch=0).run(PROBLEM, X0, evaluations=1000), "minibatch must be"),
        (lambda: SAGA(length=0).run(PROBLEM, X0, evaluations=1000), "length must be"),
    ],
)
def test_options_that_make_no_sense_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
