"""The Gram form is full-matrix AdaGrad, in memory for T·d numbers and no more."""

import tracemalloc

import array_api_strict
import numpy as np
import pytest
import torch

from problems.domains import Box, L2Ball
from regret import AdaptiveRegularization, GramFullMatrix
from structures import Full
from structures.arrays import to_numpy, tolerance


def both(d, T, eps, domain=None, seed=0, batch=2, lr=0.4):
    """The states of the Gram form and of the dense form against the same gradients."""
    rng = np.random.default_rng(seed)
    x0 = rng.standard_normal((batch, d)) / d**0.5 * 0.3
    gram = GramFullMatrix((d,), lr=lr, eps=eps, domain=domain, horizon=T)
    dense = AdaptiveRegularization(Full((d,)), lr=lr, eps=eps, domain=domain)
    pairs, a, b = [], gram.init(x0), dense.init(x0)
    for _ in range(T):
        G = rng.standard_normal((batch, d))
        (a, metric_a), (b, metric_b) = gram.advance(a, G), dense.advance(b, G)
        probe = rng.standard_normal((batch, d))
        pairs.append((a, b, metric_a.energy(probe), metric_b.energy(probe)))
    return pairs


@pytest.mark.parametrize(("d", "T"), [(12, 7), (3, 9), (1, 4)])
@pytest.mark.parametrize("eps", [1e-2, 1.0])
@pytest.mark.parametrize("domain", [None, L2Ball(0.5)], ids=repr)
def test_it_is_the_dense_recursion(d, T, eps, domain):
    for gram, dense, energy, dense_energy in both(d, T, eps, domain):
        # Squared gradients up to about 4 d T beside ε: the condition number under the root.
        tol = tolerance(energy, T * d, cond=4 * d * T / eps)
        for name in ("x", "q", "trace_root"):
            assert np.max(np.abs(gram[name] - dense[name])) <= tol * max(1.0, np.max(np.abs(dense[name]))), name
        assert np.max(np.abs(energy - dense_energy) / dense_energy) <= tol
        assert np.all(gram["gap"] >= 0)
        assert np.max(gram["gap"]) <= tol


def test_the_projection_did_something():
    held, free = both(6, 5, 0.1, L2Ball(0.5))[-1][0]["x"], both(6, 5, 0.1, None)[-1][0]["x"]
    assert np.all(np.linalg.norm(held, axis=1) <= 0.5 * (1 + 1e-12))
    assert np.max(np.abs(held - free)) > 0.05


def test_the_adaptive_norm_leaves_the_damping_out():
    rng = np.random.default_rng(3)
    G = rng.standard_normal((5, 1, 8))
    learner = GramFullMatrix((8,), lr=1.0, eps=0.5, horizon=5)
    state = learner.init(np.zeros((1, 8)))
    for g in G:
        state = learner.step(state, g)
    nuclear = np.sum(np.linalg.svd(G[:, 0], compute_uv=False))
    assert np.allclose(state["adaptive_norm"], nuclear, rtol=1e-12)
    assert state["trace_root"][0] > nuclear + 0.5


def test_a_repeated_gradient_is_a_null_direction_of_the_gram_matrix():
    learner = GramFullMatrix((4,), lr=1.0, horizon=3)
    g = np.array([[1.0, 2.0, 0.0, 0.0]])
    state = learner.init(np.zeros((1, 4)))
    for t in range(3):
        state = learner.step(state, g)
        assert np.allclose(state["trace_root"], ((t + 1) * 5) ** 0.5, rtol=1e-7)  # the root of rounding is 1e-8
        assert np.allclose(state["dropped"], 0, atol=1e-7)
    assert np.allclose(state["x"], -np.sum(1 / np.sqrt([5.0, 10.0, 15.0])) * g, rtol=1e-7)


def test_a_state_is_stepped_once_and_the_horizon_is_the_end():
    learner = GramFullMatrix((2,), lr=1.0, eps=1.0, horizon=2)
    start, G = learner.init(np.zeros((1, 2))), np.ones((1, 2))
    once = learner.step(start, G)
    with pytest.raises(ValueError, match="can be\nstepped once|stepped once"):
        learner.step(start, G)
    twice = learner.step(once, G)
    with pytest.raises(ValueError, match="built for horizon=2"):
        learner.step(twice, G)
    with pytest.raises(ValueError, match="not finite"):
        learner.step(twice, G * np.nan)


def test_a_refused_gradient_leaves_the_rows_alone():
    learner = GramFullMatrix((2,), lr=1.0, eps=1.0, horizon=1)
    state = learner.init(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="not finite"):
        learner.step(state, np.array([[np.nan, 0.0]]))
    assert np.isfinite(learner.step(state, np.ones((1, 2)))["x"]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": 0}, "horizon must be an integer ≥ 1"),
        ({"horizon": 2.5}, "horizon must be an integer ≥ 1"),
        ({"lr": 0.0}, "lr must be a positive"),
        ({"eps": -1.0}, "eps must be a finite number ≥ 0"),
        ({"domain": Box(1.0)}, "can only project on an L2Ball"),
        ({"shape": (0,)}, "shape of positive sizes"),
    ],
)
def test_wrong_settings_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        GramFullMatrix(**{"shape": (2,), "lr": 1.0, "eps": 1.0, "horizon": 3, **options})


@pytest.mark.parametrize("kind", ["torch", "strict"])
def test_every_namespace_gives_the_same_numbers(kind):
    device = array_api_strict.Device("device1")

    def moved(a):
        return torch.asarray(a) if kind == "torch" else array_api_strict.asarray(a.tolist(), device=device)

    rng = np.random.default_rng(5)
    G, x0 = rng.standard_normal((4, 2, 5)), np.ones((2, 5)) * 0.1
    learner = GramFullMatrix((5,), lr=0.5, eps=0.1, domain=L2Ball(0.3), horizon=4)
    here, there = learner.init(x0), learner.init(moved(x0))
    for g in G:
        here, there = learner.step(here, g), learner.step(there, moved(g))
    for name in ("x", *learner.scalars):
        assert np.allclose(to_numpy(there[name]), here[name], rtol=1e-9, atol=1e-12), name


def test_a_million_parameters_take_t_times_d_numbers():
    d, T = 1_000_000, 20
    learner = GramFullMatrix((d,), lr=1.0, eps=1e-2, horizon=T)
    rng = np.random.default_rng(0)
    tracemalloc.start()
    state = learner.init(np.zeros((1, d)))
    for _ in range(T):
        state = learner.step(state, rng.standard_normal((1, d)))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert state["rows"].buffer.nbytes == 8 * T * d
    assert kept <= 8 * (T + 3) * d  # the rows, the iterate, the last gradient
    assert peak <= 8 * (T + 10) * d  # and a few temporaries of size d: nothing of size d²
    assert np.isfinite(state["x"]).all()
