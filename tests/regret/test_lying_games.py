"""Domains that are not what they say, and adversaries that inherit a name, have no verdict."""

import numpy as np
import pytest

from problems.domains import Box, SpectralBall
from regret import play
from regret.adversaries import RandomSigns
from regret.adversaries.late_spike import LateSpike
from regret.adversaries.orthogonal_play import OrthogonalPlay
from regret.adversaries.scaled_signs import ScaledSigns
from regret.learners import AdaptiveRegularization
from regret.theorems.game import Game
from structures import Diagonal, LeftKronecker
from theory import get, verify


class ShortSupport(Box):
    def flat_support(self, s):
        return 0.2 * super().flat_support(s)


class ShortRadius(Box):
    def radius(self, K):
        return 0.2 * super().radius(K)


class Everywhere(Box):
    def flat_nearest(self, y):
        return y

    def flat_inside(self, y):
        return np.full(y.shape[:-1], True)


@pytest.mark.parametrize("domain", [ShortSupport, ShortRadius, Everywhere])
def test_a_domain_that_lies_is_audited(domain):
    learner = AdaptiveRegularization(Diagonal((2,)), lr=2**0.5, domain=domain(1.0))
    verdict = play(learner, RandomSigns((2,)), 60, keep_history=True).verify("structured-regret")
    assert verdict.evidence["failed"] == ["feasible"]


class Constant(ScaledSigns):
    """Always the same sign: not fair."""

    def sampler(self, rng):
        position = 0

        def draw(n):
            nonlocal position
            position += n
            return self.magnitudes[position - n : position]

        return draw


class Orthogonal(OrthogonalPlay):
    pass


class Spike(LateSpike):
    pass


def test_a_subclass_is_not_the_adversary_that_the_theorem_knows():
    signs = Constant(np.ones((16, 2)))
    learner = AdaptiveRegularization(Diagonal((2,)), lr=2**0.5, domain=Box(1.0))
    run = play(learner, signs, 16, batch=200, keep_history=True)
    assert verify(get("random-signs-value"), Game(signs, run)).kind == "HYPOTHESIS_FAILED"

    spike = Spike(np.ones(2), 4, magnitude=1e4, reach=2.0)
    run = play(learner, spike, 4, keep_history=True)
    assert verify(get("scale-free-minimax"), Game(spike, run)).kind == "HYPOTHESIS_FAILED"

    ball = Orthogonal((2, 6))
    learner = AdaptiveRegularization(LeftKronecker((2, 6)), lr=2**0.5, domain=SpectralBall(1.0))
    run = play(learner, ball, 2, keep_history=True)
    assert verify(get("orthogonal-play-value"), Game(ball, run)).kind == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("off", [0.0, 5e-10, -5e-10])
def test_a_spike_with_a_slightly_wrong_reach_is_not_refuted(off):
    spike = LateSpike(np.ones(2), 1, magnitude=1e4, reach=2.0 * (1 + off))
    learner = AdaptiveRegularization(Diagonal((2,)), lr=2**0.5, domain=Box(1.0))
    verdict = verify(get("scale-free-minimax"), Game(spike, play(learner, spike, 1, keep_history=True)))
    # Measured and bound are equal here: exactly the right reach decides nothing.
    assert verdict.kind == ("INCONCLUSIVE" if off == 0 else "HYPOTHESIS_FAILED")
