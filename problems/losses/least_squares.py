r"""Squared error, :math:`f_i(x) = \tfrac12 (\langle a_i, x\rangle - b_i)^2`.

.. math:: \varphi'' = 1, \qquad \nabla^2 F_w = \textstyle\sum_i w_i a_i a_i^\top; \quad \varphi' \text{ is unbounded.}

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Self

import numpy as np

from problems.losses.linear_predictor import LinearPredictor
from structures.arrays import Array, namespace

__all__ = ["LeastSquares"]


@dataclass(frozen=True, eq=False, repr=False)
class LeastSquares(LinearPredictor):
    """(<a, x> - b)²/2, one sample for each row of the system."""

    slope_bound: ClassVar[float] = inf
    curvature_bound: ClassVar[float] = 1.0

    @classmethod
    def examples(cls) -> list[Self]:
        rng = np.random.default_rng(1)
        return [cls(rng.standard_normal((12, *shape)), rng.standard_normal(12)) for shape in ((4,), (2, 2))]

    def phi(self, z: Array, b: Array) -> Array:
        return 0.5 * (z - b) ** 2

    def slope(self, z: Array, b: Array) -> Array:
        return z - b

    def bend(self, z: Array, b: Array) -> Array:
        return namespace(z).ones_like(z + b)

    def conjugate(self, s: Array, b: Array) -> Array:
        return s * (0.5 * s + b)
