"""A game measures what was played, whatever its callables do to the arrays that they see or gave away."""

import numpy as np
import torch
from traces import same

from problems.domains import Box
from regret import AdaptiveRegularization, Adversary, FixedSequence, PythonLoss, Stream, play
from structures import Diagonal

BOXED = AdaptiveRegularization(Diagonal((3,)), lr=0.7, domain=Box(1.0))


def drawn(t):
    return np.random.default_rng(t).standard_normal((1, 3))


def test_a_buffer_that_is_used_again_for_the_next_gradient_changes_nothing():
    class Reusing(Adversary):
        shape = (3,)

        def start(self, batch, seed, x, first=0):
            class One(Stream):
                buffer = np.empty((1, 3))

                def gradient(self, t, x):
                    self.buffer[...] = drawn(t)
                    return self.buffer

            return One()

    fresh = FixedSequence(np.concatenate([drawn(t) for t in range(40)]))
    assert same(play(BOXED, Reusing(), 40, keep_history=True), play(BOXED, fresh, 40, keep_history=True))


def test_callables_that_change_the_iterate_change_a_copy():
    def rude(f):
        def called(t, x):
            found = f(t, x)
            x *= 7.0
            return found

        return called

    def value(t, x):
        return (x**2).sum(-1)

    def gradient(t, x):
        return 2 * x

    games = [PythonLoss((3,), value, gradient), PythonLoss((3,), rude(value), rude(gradient))]
    for start in (np.full(3, 0.5), torch.full((3,), 0.5, dtype=torch.float64)):
        one, other = (play(BOXED, game, 20, x0=start) for game in games)
        assert same(one, other) and one.losses is not None


def test_no_graph_of_a_model_is_dragged_along():
    weight = torch.full((1, 3), 0.5, dtype=torch.float64, requires_grad=True)
    seen = []

    def gradient(t, x):
        seen.append(x)
        return weight * 1.0

    play(BOXED, PythonLoss((3,), lambda t, x: (x**2).sum(-1), gradient), 5, x0=weight)
    play(BOXED, FixedSequence(weight.expand(5, 3)), 5)
    assert len(seen) == 5 and not any(x.requires_grad for x in seen)
