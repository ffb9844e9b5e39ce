r"""Runs that the theorems on acceleration are tried on; with projections they fail.

Source: derived here (docs/proofs/stochastic.md#accelerated); the projected counterexample is that of the same page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from convex.adaptive import Accelerated
from convex.theorems.stochastic.broken import Slope, Uphill, moved, shrunk_curvature, shrunk_noise
from convex.theorems.stochastic.cases import FAILED, MATRICES, VIOLATED, accelerated, adagrad, offset, twice
from convex.theorems.stochastic.instances import Corner, Waves, line_noise, logistic, matrix, rotated, rows
from convex.theorems.stochastic.runs import StochasticRun, every_path, exactly, seeded
from problems.domains import Box, L2Ball
from problems.operators import DiagonalOperator
from problems.smooth import EntryNoise, FactorNoise, NoNoise, SmoothQuadratic
from regret.learners import AdaptiveRegularization
from structures import Diagonal, Full, Scalar
from structures.base import Structure
from theory.theorem import Example

__all__ = ["accelerated_controls", "accelerated_examples", "noisy_controls", "noisy_examples"]

EITHER = ("CONFIRMED", "VACUOUS")  # over a few steps the noise's term is as large as the trivial bound


def accelerated_examples() -> Iterator[Example]:
    """Exact gradients in every structure."""
    yield Example("a corner approached in a straight line, damped", partial(corner, 100), near_tight=True)
    for structure in MATRICES:
        yield Example(f"matrix quadratic, {structure.__name__}", partial(_matrix, structure((2, 3))))
    yield Example("rotated quadratic, full matrix", _full)
    yield Example("logistic regression, AdaGrad", _logistic)
    yield Example("three rates and starts at once", _three)


def accelerated_controls() -> Iterator[Example]:
    """One hypothesis broken."""
    yield from twice("projections", partial(_projected, 1), "unconstrained", "minimiser", fails=VIOLATED)
    yield from twice("projections, 40 steps", partial(_projected, 40), "unconstrained", "minimiser", fails=VIOLATED)
    yield from twice("projections, x* inside, a long step", _inside, "unconstrained", fails=VIOLATED)
    yield from twice("waves", _waves, "convex", fails=VIOLATED)
    yield from twice("a hundredth of the curvature", _flat, "smooth", fails=VIOLATED)
    yield Example("an exponential average", _forgetful, expect=FAILED, breaks="cumulative")
    yield from twice("noise", _noisy, "exact-gradients", fails=VIOLATED)
    yield Example("no acceleration", _plain, expect=FAILED, breaks="accelerated")
    yield Example("points that were moved", lambda: moved(_full()), expect=FAILED, breaks="played")
    yield Example("a slope without a minimiser", _slope, expect=FAILED, breaks="minimiser")


def noisy_examples() -> Iterator[Example]:
    """All paths of a few steps; exact gradients are one path."""
    yield Example("a corner approached in a straight line, damped", partial(corner, 100), near_tight=True)
    for structure in MATRICES:
        yield Example(
            f"matrix quadratic, all paths, {structure.__name__}", partial(_all_paths, structure((2, 2))), expect=EITHER
        )
    yield Example("least squares, rows by importance, all paths", _rows, expect=EITHER)
    yield Example("little noise", _little, expect=EITHER)


def noisy_controls() -> Iterator[Example]:
    """One hypothesis broken."""
    yield from twice("projections", partial(_projected, 20), "unconstrained", "minimiser")
    yield from twice("a gradient that points uphill", _uphill, "unbiased", "noise")
    yield from twice("no noise is declared", _quiet, "noise")
    yield from twice("a hundredth of the curvature", partial(_flat, single=True), "smooth")
    yield Example("Gaussian noise, seeds", _seeds, expect=("INCONCLUSIVE",), breaks="enumerated")
    yield Example("probabilities that favour one path", _favoured, expect=FAILED, breaks="drawn")


def corner(horizon: int, speed: float = 1.0) -> StochasticRun:
    """η/√ε = speed with ε so large that V_t is constant: Nesterov's method on the line that is hardest for it."""
    slope = 4.0 / (speed * horizon**2)
    root = 1e4
    problem = Corner(np.array([slope]), width=min(20.0 * slope * speed, 0.1))
    return exactly(accelerated(Diagonal((1,)), speed * root, root**2), problem, np.ones(1), horizon)


def _matrix(structure: Structure) -> StochasticRun:
    problem = matrix((2, 3), NoNoise())
    return exactly(accelerated(structure, 1.5, 1e-3), problem, offset(problem), 30)


def _full() -> StochasticRun:
    problem = rotated((4,), NoNoise())
    return exactly(accelerated(Full((4,)), 1.0, 1e-2), problem, offset(problem), 40)


def _logistic() -> StochasticRun:
    problem = logistic(8, 3)
    return exactly(accelerated(Diagonal((3,)), 1.0, 1e-4), problem, offset(problem), 40)


def _three() -> StochasticRun:
    problem = rotated((3,), NoNoise())
    starts = np.stack([offset(problem, size, seed) for size, seed in ((0.1, 1), (1.0, 2), (5.0, 3))])
    return exactly(Accelerated(AdaptiveRegularization(Scalar((3,)), (0.1, 1.0, 3.0), 1e-2)), problem, starts, 30)


def _projected(horizon: int) -> StochasticRun:
    """f(x) = x_2 on the unit disc from e_1, with η = D = 1."""
    problem = Slope(np.array([0.0, 1.0]), claimed=(0.0, -1.0))
    return exactly(accelerated(Scalar((2,)), 1.0, 1e-12, L2Ball(1.0)), problem, np.array([1.0, 0.0]), horizon)


def _inside() -> StochasticRun:
    """½(x - ½)² on [-1, 1] from 0 with η = 4: the projection leaves nothing of the movement that -η/2 Σ q is there to pay for."""
    problem = SmoothQuadratic(DiagonalOperator(np.ones(1)), np.array([0.5]))
    return exactly(accelerated(Diagonal((1,)), 4.0, 1e-12, Box(1.0)), problem, np.zeros(1), 1)


def _waves() -> StochasticRun:
    return exactly(accelerated(Diagonal((1,)), np.pi, 400.0), Waves(np.array([1.0])), np.array([np.pi]), 25)


def _flat(single: bool = False) -> StochasticRun:
    problem = rotated((3,), NoNoise(), condition=1.0)
    run = exactly(accelerated(Scalar((3,)), 3.0, 1e-8), problem, offset(problem), 1 if single else 5)
    return shrunk_curvature(run, 0.01)


def _forgetful() -> StochasticRun:
    core = AdaptiveRegularization(Diagonal((1,)), 1.5, 0.0, accumulate="ema", beta=0.01)
    return exactly(Accelerated(core), Corner(np.array([1.0]), width=0.05), np.ones(1), 30)


def _noisy() -> StochasticRun:
    problem = Corner(np.array([1e-3]), line_noise((1,), 1.0), width=1.0)
    return every_path(accelerated(Diagonal((1,)), 0.5, 1e-8), problem, np.zeros(1), 6)


def _plain() -> StochasticRun:
    problem = rotated((3,), NoNoise())
    return exactly(adagrad(Diagonal((3,)), 1.0, 1e-3), problem, offset(problem), 10)


def _slope() -> StochasticRun:
    return exactly(accelerated(Diagonal((1,)), 1.0, 1e-3), Slope(np.array([1.0])), np.ones(1), 5)


def _all_paths(structure: Structure) -> StochasticRun:
    problem = matrix((2, 2), line_noise((2, 2), 0.2))
    return every_path(accelerated(structure, 1.0, 1e-2), problem, offset(problem), 9)


def _rows() -> StochasticRun:
    problem = rows()
    return every_path(accelerated(Diagonal((2,)), 1.0, 1e-3), problem, offset(problem), 9)


def _little() -> StochasticRun:
    problem = rotated((3,), FactorNoise(1e-3 * np.eye(3)[:1], "signs"))
    return every_path(accelerated(Scalar((3,)), 0.6, 1e-2), problem, offset(problem), 12)


def _uphill() -> StochasticRun:
    problem = Uphill(np.array([1.0]), line_noise((1,), 0.0), width=0.9)
    return every_path(accelerated(Diagonal((1,)), 1.0), problem, np.ones(1), 1)


def _quiet() -> StochasticRun:
    """One step away from the minimiser, which only noise can take."""
    problem = Corner(np.array([1e-3]), line_noise((1,), 1.0), width=1.0)
    return shrunk_noise(every_path(accelerated(Diagonal((1,)), 0.5, 1e-8), problem, np.zeros(1), 1), 1e-6)


def _seeds() -> StochasticRun:
    problem = rotated((3,), EntryNoise(0.1))
    return seeded(accelerated(Diagonal((3,)), 1.0, 1e-3), problem, offset(problem), 10, seeds=10)


def _favoured() -> StochasticRun:
    run = _all_paths(Diagonal((2, 2)))
    return replace(run, probabilities=np.eye(len(run.x0))[0])
