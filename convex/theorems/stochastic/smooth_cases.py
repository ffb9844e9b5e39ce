r"""Runs that the theorems on structured AdaGrad for smooth convex functions are tried on.

Source: derived here (docs/proofs/stochastic.md#near-tight).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from convex.adaptive import Momentum
from convex.theorems.stochastic.broken import Slope, Uphill, moved, shrunk_curvature, shrunk_noise
from convex.theorems.stochastic.cases import FAILED, MATRICES, adagrad, offset, twice
from convex.theorems.stochastic.instances import Corner, Waves, line_noise, logistic, matrix, rotated, rows
from convex.theorems.stochastic.runs import StochasticRun, every_path, exactly, seeded
from problems.domains import Box, L2Ball, SpectralBall
from problems.smooth import EntryNoise, FactorNoise
from regret.learners import AdaptiveRegularization
from structures import Diagonal, Full, LeftKronecker, Scalar
from structures.base import Structure
from theory.theorem import Example

__all__ = ["against_a_corner", "corner", "smooth_controls", "smooth_examples"]

HALF_ROOT = 2.0**-0.5


def smooth_examples() -> Iterator[Example]:
    """Enumerated runs in every structure, and seeds on a domain."""
    yield Example("a corner approached in a straight line, damped", partial(corner, 400), near_tight=True)
    for structure in MATRICES:
        yield Example(
            f"matrix quadratic, all paths, {structure.__name__}", partial(_all_paths, structure((2, 2))), expect=EITHER
        )
    yield Example("spectral ball, all paths, one-sided Shampoo", _ball, expect=EITHER)
    yield Example("least squares, rows by importance, all paths", _rows, expect=EITHER)
    yield Example("logistic, all paths", _logistic, expect=EITHER)
    yield Example("exact gradients, ε = 0", _exact)
    yield Example("noise against a corner, a long rate, seeds", against_a_corner, expect=EITHER)
    yield Example("Gaussian noise on a box, seeds", partial(_seeds, Diagonal((4,)), Box(2.5)), expect=EITHER)
    yield Example("Gaussian noise on a ball, seeds", partial(_seeds, Scalar((4,)), L2Ball(4.0)), expect=EITHER)


EITHER = ("CONFIRMED", "NOT_REFUTED", "VACUOUS")  # at a few steps the noise's term is as large as the trivial bound


def smooth_controls(sharp: bool) -> Iterator[Example]:
    """Runs with one hypothesis broken."""
    yield from twice("a gradient that points uphill", _uphill, "unbiased", "noise")
    yield from twice("waves", _waves, "convex")
    yield from twice("a tenth of the curvature", _flat if sharp else partial(_flat, 0.02), "smooth")
    yield from twice("a slope on an interval", _slope, "minimiser")
    yield from twice("an exponential average", _forgetful, "cumulative")
    found = list(twice("a millionth of the noise", _quiet, "noise"))
    yield from found if sharp else found[:1]  # over so few steps the weaker bound survives it
    yield from twice("points moved towards the minimiser, a start far away", _teleported, "played", "bounded")
    yield Example("points that were moved", lambda: moved(_exact()), expect=FAILED, breaks="played")
    yield Example("Gaussian noise without a domain", _unbounded, expect=FAILED, breaks="bounded")
    yield Example("probabilities that favour one path", _favoured, expect=FAILED, breaks="drawn")
    yield Example("two rates", _two_rates, expect=FAILED, breaks="one-rate")
    yield Example("momentum", _momentum, expect=FAILED, breaks="adaptive-regularization")
    yield Example("a start outside of the domain", _outside, expect=FAILED, breaks="projected")


def corner(horizon: int) -> StochasticRun:
    """η = D/√2 and ε = 1 beside gradients so small that the iterate just reaches the corner: Σ f - f* → D√ε/√2."""
    slope, width = 2.0**0.5 / horizon, (8.0 / horizon) ** 0.5 / 2.0
    return exactly(adagrad(Diagonal((1,)), HALF_ROOT, 1.0), Corner(np.array([slope]), width=width), np.ones(1), horizon)


def against_a_corner(horizon: int = 500, seeds: int = 40) -> StochasticRun:
    """η = 3D beside noise ±1 and a slope of 12/√T: the iterate stays near the corner, at a distance that the noise makes."""
    problem = Corner(np.array([12.0 / horizon**0.5]), FactorNoise(np.ones((1, 1)), "signs"), width=0.1)
    return seeded(adagrad(Diagonal((1,)), 3.0, 0.0, Box(1.0)), problem, np.zeros(1), horizon, seeds=seeds)


def _all_paths(structure: Structure) -> StochasticRun:
    problem = matrix((2, 2), line_noise((2, 2), 0.3))
    return every_path(adagrad(structure, 0.7, 1e-3), problem, offset(problem), 9)


def _ball() -> StochasticRun:
    problem = matrix((2, 3), line_noise((2, 3), 0.3), rotated=True)
    size = 1.1 * float(np.linalg.norm(problem.solution, 2))
    return every_path(adagrad(LeftKronecker((2, 3)), 1.0, 0.0, SpectralBall(size)), problem, np.zeros((2, 3)), 7)


def _rows() -> StochasticRun:
    problem = rows()
    return every_path(adagrad(Full((2,)), 0.5, 0.0), problem, offset(problem), 10)


def _logistic() -> StochasticRun:
    problem = logistic()
    return every_path(adagrad(Diagonal((2,)), 0.7, 0.0), problem, offset(problem), 7)


def _exact() -> StochasticRun:
    problem = rotated((2, 2), FactorNoise(np.zeros((1, 2, 2)), "signs"))
    return exactly(adagrad(LeftKronecker((2, 2)), 0.5, 0.0), problem, offset(problem), 40)


def _seeds(structure: Structure, domain: Box | L2Ball) -> StochasticRun:
    problem = rotated((4,), EntryNoise(0.2))
    lr = domain.on((4,)).diameter(structure) * HALF_ROOT
    return seeded(adagrad(structure, lr, 0.0, domain), problem, np.zeros(4), 100, seeds=200)


def _uphill() -> StochasticRun:
    problem = Uphill(np.array([1.0]), line_noise((1,), 0.0), width=0.5)
    return every_path(adagrad(Diagonal((1,)), HALF_ROOT, 0.0, Box(1.0)), problem, np.ones(1), 14)


def _waves() -> StochasticRun:
    """From the crest, so heavily damped that rounding errors need long to grow."""
    return exactly(adagrad(Diagonal((1,)), np.pi * HALF_ROOT, 400.0), Waves(np.array([1.0])), np.array([np.pi]), 150)


def _flat(factor: float = 0.1) -> StochasticRun:
    problem = rotated((3,), FactorNoise(np.zeros((1, 3)), "signs"), condition=1.0)
    return shrunk_curvature(exactly(adagrad(Scalar((3,)), 3.0**-0.5, 0.0), problem, offset(problem), 20), factor)


def _slope() -> StochasticRun:
    return exactly(adagrad(Diagonal((1,)), 2.0**0.5, 0.0, Box(1.0)), Slope(np.array([1.0])), np.ones(1), 20)


def _forgetful() -> StochasticRun:
    """The steps stay as long as the learning rate, back and forth across the corner."""
    problem = Corner(np.array([1.0]), width=0.2)
    return exactly(adagrad(Diagonal((1,)), HALF_ROOT, 0.0, accumulate="ema", beta=0.01), problem, np.ones(1), 200)


def _quiet() -> StochasticRun:
    """Nothing but noise: the iterate spreads over the interval."""
    problem = Corner(np.array([1e-3]), line_noise((1,), 1.0), width=1.0)
    return shrunk_noise(every_path(adagrad(Diagonal((1,)), HALF_ROOT, 0.0, Box(1.0)), problem, np.zeros(1), 13), 1e-6)


def _teleported() -> StochasticRun:
    """Points that have nothing to do with the iterates, from which D is taken."""
    run = _exact()
    solution = np.asarray(run.problem.solution)
    return replace(run, points=solution + 30.0 * (run.points[:1] - solution) + 0.0 * run.points)


def _unbounded() -> StochasticRun:
    problem = rotated((4,), EntryNoise(0.2))
    return seeded(adagrad(Diagonal((4,)), 1.0, 0.0), problem, np.zeros(4), 30, seeds=20)


def _favoured() -> StochasticRun:
    run = _all_paths(Diagonal((2, 2)))
    return replace(run, probabilities=np.eye(len(run.x0))[0])


def _two_rates() -> StochasticRun:
    problem = rotated((3,), FactorNoise(np.zeros((1, 3)), "signs"))
    return exactly(adagrad(Scalar((3,)), (0.1, 1.0), 0.0), problem, offset(problem), 20)


def _momentum() -> StochasticRun:
    problem = rotated((3,), FactorNoise(np.zeros((1, 3)), "signs"))
    return exactly(Momentum(AdaptiveRegularization(Diagonal((3,)), 0.5)), problem, offset(problem), 20)


def _outside() -> StochasticRun:
    problem = Corner(np.array([1.0]), width=0.2)
    return exactly(adagrad(Diagonal((1,)), HALF_ROOT, 0.0, Box(1.0)), problem, 3.0 * np.ones(1), 20)
