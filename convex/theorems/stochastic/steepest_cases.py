r"""Runs that the theorem on steepest descent is tried on.

Source: derived here (docs/proofs/stochastic.md#steepest-descent).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from convex.adaptive import SteepestDescent, muon, sign_descent
from convex.theorems.stochastic.broken import Slope, Uphill, moved, shrunk_curvature, shrunk_noise
from convex.theorems.stochastic.cases import FAILED, MATRICES, adagrad, twice
from convex.theorems.stochastic.instances import Corner, Waves, line_noise, matrix, rotated
from convex.theorems.stochastic.runs import StochasticRun, every_path, exactly, seeded
from problems.smooth import EntryNoise, FactorNoise, NoNoise
from structures import Diagonal, Scalar
from structures.base import Structure
from theory.theorem import Example

__all__ = ["steepest_controls", "steepest_examples"]

EITHER = ("CONFIRMED", "VACUOUS", "NOT_REFUTED")  # over a few steps the trivial bound may be as good
SLOPES = np.array([[1.0, 0.5, 0.2], [2.0, 1.0, 0.1]])


def steepest_examples() -> Iterator[Example]:
    """Straight lines, waves with noise in every structure, Muon on a matrix quadratic, seeds."""
    yield Example("a straight line", _line, near_tight=True)
    for structure in MATRICES:
        yield Example(
            f"waves, all paths, {structure.__name__}",
            lambda structure=structure: _waves(structure((2, 3))),
            expect=EITHER,
        )
    yield Example("waves, sign descent without memory", lambda: _waves(Diagonal((2, 3)), 1.0), expect=EITHER)
    yield Example("Muon on a matrix quadratic", _muon, expect=EITHER)
    yield Example("sign descent with Gaussian noise, seeds", _seeds, expect=EITHER)


def steepest_controls() -> Iterator[Example]:
    """One hypothesis broken."""
    yield from twice("a gradient that points uphill", _uphill, "unbiased", "noise")
    yield from twice("a hundredth of the curvature", _flat, "smooth")
    yield from twice("no noise is declared", _quiet, "noise")
    yield from twice("a line that is said to end", _endless, "bounded-below")
    yield Example("AdaGrad", _adagrad, expect=FAILED, breaks="steepest-descent")
    yield Example("points that were moved", lambda: moved(_muon()), expect=FAILED, breaks="played")
    yield Example("another seed", lambda: replace(_seeds(), seed=1), expect=FAILED, breaks="drawn")


def _line() -> StochasticRun:
    return exactly(sign_descent((1,), 0.01), Corner(np.array([1.0]), width=0.1), np.ones(1), 90)


def _waves(structure: Structure, alpha: float = 0.4) -> StochasticRun:
    problem = Waves(SLOPES, line_noise((2, 3), 0.3))
    return every_path(SteepestDescent(structure, 0.3, alpha), problem, np.full((2, 3), 2.5), 9)


def _muon() -> StochasticRun:
    problem = matrix((2, 3), NoNoise(), rotated=True)
    return exactly(muon((2, 3), 0.05, alpha=0.3), problem, np.zeros((2, 3)), 60)


def _seeds() -> StochasticRun:
    problem = rotated((4,), EntryNoise(0.05))
    return seeded(sign_descent((4,), 0.02, alpha=0.2), problem, np.zeros(4), 100, seeds=200)


def _uphill() -> StochasticRun:
    problem = Uphill(np.array([1.0]), line_noise((1,), 0.0), width=0.5)
    return every_path(sign_descent((1,), 0.1), problem, np.full(1, 0.6), 14)


def _flat() -> StochasticRun:
    """Back and forth across the corner."""
    problem = Corner(np.array([1.0]), width=0.05)
    return shrunk_curvature(exactly(sign_descent((1,), 0.5), problem, np.full(1, 0.25), 20), 0.01)


def _quiet() -> StochasticRun:
    """Noise larger than the gradient: signs are a coin flip, and nothing is descended."""
    problem = Corner(np.array([1.0]), line_noise((1,), 30.0), width=0.5)
    return shrunk_noise(every_path(sign_descent((1,), 0.2), problem, np.ones(1), 13), 1e-6)


def _endless() -> StochasticRun:
    return exactly(sign_descent((1,), 0.1), Slope(np.array([1.0])), np.ones(1), 100)


def _adagrad() -> StochasticRun:
    problem = rotated((3,), FactorNoise(np.zeros((1, 3)), "signs"))
    return exactly(adagrad(Scalar((3,)), 0.5, 1e-3), problem, np.zeros(3), 10)
