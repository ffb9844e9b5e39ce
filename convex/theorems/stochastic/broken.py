r"""Problems that break one hypothesis each, for the controls: a gradient that points uphill, a slope that claims a minimiser.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from convex.theorems.stochastic.constants import majorant, noise_majorant
from convex.theorems.stochastic.instances import Corner, Separable
from convex.theorems.stochastic.runs import StochasticRun
from problems.operators import DiagonalOperator
from problems.smooth import Minimum
from structures.arrays import Array, namespace, tree_map

__all__ = ["Slope", "Uphill", "moved", "shrunk_curvature", "shrunk_noise"]


@dataclass(frozen=True, eq=False, repr=False)
class Uphill(Corner):
    """A corner whose stochastic gradient has the wrong sign; its expectation is -∇f."""

    def stochastic_gradient(self, x: Array, draw: np.ndarray) -> Array:
        return -super().stochastic_gradient(x, draw)


@dataclass(frozen=True, eq=False, repr=False)
class Slope(Separable):
    """Σ s_i x_i, which has no minimiser and says that its least point on a domain is one."""

    claimed: float | tuple[float, ...] = -1.0

    def value(self, x: Array) -> Array:
        return self.summed(x)

    def gradient(self, x: Array) -> Array:
        return self.slope + 0.0 * x

    def hessian_product(self, x: Array, v: Array) -> Array:
        return 0.0 * (x + v)

    @property
    def curvature(self) -> DiagonalOperator:
        return DiagonalOperator(namespace(self.slope).zeros_like(self.slope))

    @property
    def solution(self) -> Array:
        return 0.0 * self.slope + np.asarray(self.claimed)

    @property
    def minimum(self) -> Minimum:
        least = float(self.value(self.solution))
        return Minimum(least, least)


def shrunk_curvature(run: StochasticRun, factor: float) -> StochasticRun:
    """The run with a multiple of its majorant of the Hessian."""
    return replace(run, curvature=tree_map(lambda c: factor * c, majorant(run)))


def shrunk_noise(run: StochasticRun, factor: float) -> StochasticRun:
    """The run with a multiple of its majorant of the noise."""
    return replace(run, noise=tree_map(lambda c: factor * c, noise_majorant(run)))


def moved(run: StochasticRun) -> StochasticRun:
    """The run with every point on its way drawn towards the minimiser."""
    solution = np.asarray(run.problem.solution)
    return replace(
        run, points=solution + 0.5 * (run.points - solution), answers=solution + 0.5 * (run.answers - solution)
    )
