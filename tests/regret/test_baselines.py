"""Online gradient descent and two-sided Shampoo follow their recursions."""

import numpy as np
import pytest
import torch

from problems.domains import L2Ball
from regret import OnlineGradientDescent, TwoSidedShampoo
from structures.arrays import tolerance


def root(A, p):
    values, vectors = np.linalg.eigh(A)
    return (vectors * values**p) @ vectors.T


def test_two_sided_shampoo_is_its_recursion_and_reports_its_traces():
    rng = np.random.default_rng(0)
    X, L, R = np.zeros((3, 2)), 0.1 * np.eye(3), 0.1 * np.eye(2)
    learner = TwoSidedShampoo((3, 2), lr=0.3, eps=0.1)
    state = learner.init(X[None])
    for _ in range(6):
        G = rng.standard_normal((3, 2))
        before, (state, metric) = X, learner.advance(state, G[None])
        L, R = L + G @ G.T, R + G.T @ G
        direction = root(L, -0.25) @ G @ root(R, -0.25)
        X = before - 0.3 * direction
        tol = tolerance(X, 12, cond=1e3)
        assert np.max(np.abs(state["x"][0] - X)) <= tol
        expected = {
            "q": np.sum(G * direction), "trace_left": np.trace(root(L, 0.25)), "trace_right": np.trace(root(R, 0.25)),
            "trace_root": np.trace(np.kron(root(L, 0.25), root(R, 0.25))),
            "trace_left_root": np.trace(root(L, 0.5)), "trace_right_root": np.trace(root(R, 0.5)),
            "top_left": np.linalg.norm(root(L, 0.25), 2), "top_right": np.linalg.norm(root(R, 0.25), 2),
            "gap": 0.0, "dropped": 0.0,
        }  # fmt: skip
        assert set(expected) == set(learner.scalars)
        for name, value in expected.items():
            assert abs(state[name][0] - value) <= tol * max(1.0, abs(value)), name
        probe = rng.standard_normal((3, 2))
        assert metric.energy(probe[None])[0] == pytest.approx(np.sum(probe * (root(L, 0.25) @ probe @ root(R, 0.25))))


def test_two_sided_shampoo_measures_distances_in_the_norms_of_its_bounds():
    norms = TwoSidedShampoo((2, 3), lr=1.0).norms()
    X = np.diag([3.0, 4.0]) @ np.eye(2, 3)
    assert norms["euclidean"](X[None])[0] == pytest.approx(5.0)
    assert norms["operator"](X[None])[0] == pytest.approx(4.0)
    assert next(iter(norms)) == "euclidean"


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2), (0, 2)])
def test_two_sided_shampoo_needs_a_matrix(shape):
    with pytest.raises(ValueError, match="needs a matrix parameter|positive sizes"):
        TwoSidedShampoo(shape, lr=0.1)


@pytest.mark.parametrize("schedule", ["constant", "inverse_sqrt"])
@pytest.mark.parametrize("domain", [None, L2Ball(0.7)], ids=repr)
def test_gradient_descent_is_its_recursion(schedule, domain):
    rng = np.random.default_rng(1)
    x = np.zeros(4)
    learner = OnlineGradientDescent((4,), lr=0.5, domain=domain, schedule=schedule)
    state = learner.init(x[None])
    for t in range(1, 8):
        g = rng.standard_normal(4)
        state = learner.step(state, g[None])
        scale = 1.0 if schedule == "constant" else t**0.5
        x = x - 0.5 / scale * g
        x = x if domain is None else x / max(1.0, np.linalg.norm(x) / 0.7)
        assert np.allclose(state["x"][0], x, rtol=1e-13)
        assert state["trace_root"][0] == pytest.approx(4 * scale)
        assert state["q"][0] == pytest.approx(g @ g / scale)
        assert 0 <= state["gap"][0] <= tolerance(x, 8)


def test_the_gap_of_a_euclidean_projection_sees_a_wrong_projection():
    learner = OnlineGradientDescent((2,), lr=1.0, domain=L2Ball(1.0))
    Y = np.array([[2.0, 0.0]])
    assert learner.gap(np.array([[1.0, 0.0]]), Y)[0] <= 1e-15
    assert learner.gap(np.array([[0.0, 1.0]]), Y)[0] > 1  # feasible, but not nearest


def test_gradient_descent_keeps_the_kind_of_its_arrays():
    learner = OnlineGradientDescent((2,), lr=0.5, domain=L2Ball(1.0))
    state = learner.step(
        learner.init(torch.zeros((1, 2), dtype=torch.float32)), torch.ones((1, 2), dtype=torch.float32)
    )
    assert all(state[name].dtype == torch.float32 for name in ("x", *learner.scalars))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": -1.0}, "lr must be a positive"),
        ({"schedule": "cosine"}, "schedule must be"),
        ({"shape": ()}, "shape of positive sizes"),
    ],
)
def test_wrong_settings_of_gradient_descent_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        OnlineGradientDescent(**{"shape": (2,), "lr": 0.1, **options})
