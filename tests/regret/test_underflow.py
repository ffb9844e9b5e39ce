"""Gradients whose squares leave the floating-point range never make a theorem look violated."""

from __future__ import annotations

import numpy as np
import pytest

from problems import Box, L2Ball, SpectralBall
from regret import AdaptiveRegularization, FixedSequence, play
from structures import Diagonal, Full, LeftKronecker, Scalar

MATCHED = [
    (Scalar((3,)), L2Ball(1.0)),
    (Diagonal((3,)), Box(1.0)),
    (Full((3,)), L2Ball(1.0)),
    (LeftKronecker((3, 1)), SpectralBall(1.0)),
]


def verdict(structure, domain, scale):
    gradients = scale * np.random.default_rng(0).standard_normal((20, *structure.shape))
    lr = domain.on(structure.shape).diameter(structure) / 2**0.5
    trace = play(AdaptiveRegularization(structure, lr=lr, domain=domain), FixedSequence(gradients), 20)
    return str(trace.verify("structured-regret").kind)


@pytest.mark.parametrize(("structure", "domain"), MATCHED, ids=str)
@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_normal_squares_are_judged(structure, domain, scale):
    assert verdict(structure, domain, scale) == "VERIFIED"


@pytest.mark.parametrize(("structure", "domain"), MATCHED, ids=str)
@pytest.mark.parametrize("scale", [1e-162, 1e-200, 1e-300])
def test_vanished_squares_decide_nothing(structure, domain, scale):
    assert verdict(structure, domain, scale) == "INCONCLUSIVE"
