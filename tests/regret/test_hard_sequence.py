"""The hard sequence comes as close to the bound as its derivation says, in every geometry that it embeds in."""

import numpy as np
import pytest

from problems.domains import Box, L2Ball, SpectralBall
from regret import AdaptiveRegularization, FixedSequence, HardSequence, play
from structures import Diagonal, Full, LeftKronecker, Scalar


def isometry(m, n):
    """A matrix with orthonormal rows in general position."""
    rng = np.random.default_rng(0)
    U, V = np.linalg.qr(rng.standard_normal((m, m)))[0], np.linalg.qr(rng.standard_normal((n, n)))[0]
    return U @ np.diag([(-1.0) ** i for i in range(m)]) @ V[:m]


GEOMETRIES = [
    (Scalar((3,)), L2Ball(2.0), np.array([1.0, 0.0, 0.0]), 2.0),
    (Full((2,)), L2Ball(1.0), np.array([1.0, 0.0]), 1.0),
    (Diagonal((3,)), Box(0.5), np.array([1.0, -1.0, 1.0]), 0.5),
    (LeftKronecker((2, 3)), SpectralBall(1.0), isometry(2, 3), 1.0),
]


def ratio(K, domain, adversary, horizon, x0):
    """Final regret over √2 · D · |||g_{1:T}|||, both ends of the bracket."""
    D = domain.diameter(K)
    trace = play(AdaptiveRegularization(K, lr=D / 2**0.5, domain=domain), adversary, horizon, x0=x0)
    bound = 2**0.5 * D * trace.adaptive_norm[-1, 0]
    return trace.regret_lower[-1, 0] / bound, trace.regret[-1, 0] / bound


@pytest.mark.parametrize(("K", "domain", "pattern", "radius"), GEOMETRIES, ids=lambda v: type(v).__name__)
def test_ten_thousand_steps_reach_97_percent_of_the_bound(K, domain, pattern, radius):
    adversary = HardSequence(pattern, 10_000, radius)
    lower, upper = ratio(K, domain, adversary, 10_000, adversary.x0)
    # 0.969793 is the certified value for drift steps of equal size; another drift changes the fifth digit.
    assert 0.969793 - 5e-4 <= lower <= upper <= 0.969793 + 5e-4
    assert upper - lower <= 1e-10


def test_a_hundred_thousand_steps_reach_99_percent_of_the_bound():
    adversary = HardSequence(np.ones(1), 100_000)
    lower, upper = ratio(Diagonal((1,)), Box(1.0), adversary, 100_000, adversary.x0)
    assert 0.989306 - 5e-4 <= lower <= upper <= 0.989306 + 5e-4


def test_plain_alternation_drifts_off_the_face_and_stays_far_below():
    """The same game with +1 in place of a_t: the pairs no longer return to the face."""
    horizon = 2000
    scalars = HardSequence(np.ones(1), horizon).sampler(np.random.default_rng())(horizon)[:, 0]
    plain = np.where(scalars > 0, 1.0, scalars)[:, None]
    hard, naive = (
        ratio(Diagonal((1,)), Box(1.0), FixedSequence(G), horizon, -np.ones(1))[1] for G in (scalars[:, None], plain)
    )
    assert hard > 0.92
    assert naive < 0.75
