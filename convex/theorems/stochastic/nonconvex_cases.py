r"""Runs that the theorem on functions that need not be convex is tried on.

Source: derived here (docs/proofs/stochastic.md#nonconvex).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from convex.adaptive import Momentum
from convex.theorems.stochastic.broken import moved, shrunk_curvature
from convex.theorems.stochastic.cases import FAILED, MATRICES, VIOLATED, adagrad, twice
from convex.theorems.stochastic.instances import Corner, Waves, line_noise, rotated
from convex.theorems.stochastic.runs import StochasticRun, every_path, exactly
from problems.domains import Box
from problems.smooth import NoNoise
from regret.learners import AdaptiveRegularization
from structures import Diagonal, Full, Layerwise, Scalar
from structures.base import Structure
from theory.theorem import Example

__all__ = ["nonconvex_controls", "nonconvex_examples"]

SLOPES = np.array([[1.0, 0.5, 0.2], [2.0, 1.0, 0.1]])


def nonconvex_examples() -> Iterator[Example]:
    """Waves in every structure and with every accumulation; a straight line."""
    yield Example("a straight line, damped", _line, near_tight=True)
    for structure in MATRICES:
        yield Example(f"waves, {structure.__name__}", lambda structure=structure: _waves(structure((2, 3))))
    yield Example("waves, exponential average", lambda: _waves(Diagonal((2, 3)), accumulate="ema", beta=0.9))
    yield Example("waves, weighted sum, full matrix", lambda: _waves(Full((2, 3)), accumulate="weighted", beta=0.5))
    yield Example("a quadratic in two layers, no damping", _layers)


def nonconvex_controls() -> Iterator[Example]:
    """One hypothesis broken."""
    yield from twice("a box in the way", _boxed, "unconstrained", fails=VIOLATED)
    yield from twice("a hundredth of the curvature", _flat, "smooth", fails=VIOLATED)
    yield from twice("noise", _noisy, "exact-gradients", fails=VIOLATED)
    yield Example("momentum", _momentum, expect=FAILED, breaks="adaptive-regularization")
    yield Example("points that were moved", lambda: moved(_waves(Diagonal((2, 3)))), expect=FAILED, breaks="played")


def _line() -> StochasticRun:
    """Slope 1e-3 beside ε = 1: V_t stays √ε."""
    return exactly(adagrad(Diagonal((1,)), 1.0, 1.0), Corner(np.array([1e-3]), width=0.1), np.ones(1), 300)


def _waves(structure: Structure, **options: Any) -> StochasticRun:
    return exactly(adagrad(structure, 0.3, 1e-3, **options), Waves(SLOPES), np.full((2, 3), 2.5), 60)


def _layers() -> StochasticRun:
    problem = rotated((4,), NoNoise())
    return exactly(adagrad(Layerwise([(1,), (3,)]), 0.5, 0.0), problem, np.zeros(4), 60)


def _boxed() -> StochasticRun:
    """Stuck at the border, where the gradient does not vanish."""
    problem = rotated((2,), NoNoise())
    size = 0.1 * float(np.min(np.abs(problem.centre)))
    corner = -size * np.sign(problem.gradient(np.zeros(2)))
    return exactly(adagrad(Diagonal((2,)), 0.5, 0.0, Box(size)), problem, corner, 60)


def _flat() -> StochasticRun:
    problem = rotated((3,), NoNoise(), condition=1.0)
    return shrunk_curvature(exactly(adagrad(Scalar((3,)), 3.0, 0.0), problem, np.zeros(3), 5), 0.01)


def _noisy() -> StochasticRun:
    """The step's gradients stay large whatever f does."""
    problem = Corner(np.array([1e-3]), line_noise((1,), 1.0), width=1.0)
    return every_path(adagrad(Diagonal((1,)), 0.5, 0.0), problem, np.zeros(1), 9)


def _momentum() -> StochasticRun:
    return exactly(Momentum(AdaptiveRegularization(Diagonal((2, 3)), 0.3)), Waves(SLOPES), np.full((2, 3), 2.5), 20)
