"""Dual averaging follows its recursion, and its constant is 1 where adaptive regularization needs √2."""

import copy

import numpy as np
import pytest

from problems.domains import Box, L2Ball
from regret import (
    AdaptiveRegularization,
    Drifting,
    DualAveraging,
    FixedSequence,
    HardSequence,
    LinearRandom,
    RandomSigns,
    play,
)
from structures import Diagonal, Full, LeftKronecker, Scalar
from structures.arrays import tolerance, tree_leaves

PAIRS = [(Scalar((4,)), L2Ball(1.5)), (Diagonal((4,)), Box(0.5))]


def ratio(learner, adversary, horizon, **options):
    """max over horizons and seeds of regret / (D · |||g|||), upper end."""
    trace = play(learner, adversary, horizon, **options)
    bound = trace.domain.diameter(trace.structure) * trace.adaptive_norm
    return float(np.max(trace.regret[bound > 0] / bound[bound > 0]))


def matched(K, domain):
    return DualAveraging(K, lr=domain.radius(K), domain=domain)


@pytest.mark.parametrize("K", [Scalar((3,)), Diagonal((3,)), Full((3,)), LeftKronecker((2, 3))], ids=repr)
def test_it_is_its_recursion(K):
    rng = np.random.default_rng(0)
    x0, G = rng.standard_normal((2, *K.shape)), rng.standard_normal((6, 2, *K.shape))
    learner = DualAveraging(K, lr=0.4, eps=0.1)
    state = learner.init(x0)
    for t in range(6):
        state = learner.step(state, G[t])
        seen = G[: t + 1].reshape(t + 1, 2, -1)
        for b in range(2):
            M = K.dense(K.project(seen[:, b].T @ seen[:, b] + 0.1 * np.eye(K.dim)))
            values, vectors = np.linalg.eigh(M)
            x = x0[b].reshape(-1) - 0.4 * (vectors / np.sqrt(values)) @ vectors.T @ seen[:, b].sum(axis=0)
            assert np.allclose(state["x"][b].reshape(-1), x, rtol=0, atol=tolerance(x, 6 * K.dim, cond=1e3))


@pytest.mark.parametrize(("K", "domain"), PAIRS, ids=repr)
@pytest.mark.parametrize(
    "adversary",
    [RandomSigns((4,)), LinearRandom((4,), scale=(1.0, 10.0, 0.1, 1.0)), Drifting((4,), period=30.0, noise=0.1)],
    ids=lambda a: type(a).__name__,
)
def test_its_regret_is_at_most_d_times_the_adaptive_norm(K, domain, adversary):
    assert ratio(matched(K, domain), adversary, 200, batch=8) <= 1


def test_two_steps_come_close_to_the_constant():
    K, domain = Diagonal((1,)), Box(2.0)
    assert 0.999 <= ratio(matched(K, domain), FixedSequence([[-1.0], [1e4]]), 2) <= 1


def test_adaptive_regularization_does_not_have_this_constant():
    K, domain = Diagonal((1,)), Box(1.0)
    adversary = HardSequence(np.ones(1), 1000)
    online = AdaptiveRegularization(K, lr=2**0.5, domain=domain)
    assert ratio(online, adversary, 1000, x0=adversary.x0) > 1.25
    assert ratio(matched(K, domain), adversary, 1000) <= 1


def test_a_step_changes_nothing_and_shares_nothing():
    learner = matched(*PAIRS[1])
    before = learner.step(learner.init(np.zeros((1, 4))), np.ones((1, 4)))
    kept, g = copy.deepcopy(before), np.full((1, 4), -2.0)
    after = learner.step(before, g)
    assert all(np.array_equal(before[name], kept[name]) for name in kept)
    frozen = copy.deepcopy(after)
    for leaf in [
        g,
        *(leaf for value in before.values() for leaf in tree_leaves(value) if isinstance(leaf, np.ndarray)),
    ]:
        leaf[...] = 1e3
    assert all(np.array_equal(after[name], frozen[name]) for name in frozen)


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="lr must be a positive"):
        DualAveraging(Diagonal((2,)), lr=0.0)
    with pytest.raises(ValueError, match="eps must be"):
        DualAveraging(Diagonal((2,)), lr=1.0, eps=-1.0)
