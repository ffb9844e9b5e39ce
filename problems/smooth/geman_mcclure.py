r"""A bounded robust loss, smooth and not convex: :math:`f_i(x) = \rho(\langle a_i, x\rangle - b_i)`.

.. math::
    \rho(r) &= \frac{r^2}{2(1 + r^2)} \in [0, \tfrac12), \qquad
    \rho'(r) = \frac{r}{(1 + r^2)^2} \in [-\tfrac{3\sqrt3}{16}, \tfrac{3\sqrt3}{16}], \\
    \rho''(r) &= \frac{1 - 3r^2}{(1 + r^2)^3} \in [-\tfrac14, 1] .

Source: Geman and McClure 1987, remembered; the suprema derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from problems.domains import Domain
from problems.losses import LinearPredictor
from structures.arrays import Array, namespace

__all__ = ["GemanMcClure"]


@dataclass(frozen=True, eq=False, repr=False)
class GemanMcClure(LinearPredictor):
    """ρ(<a, x> - b): the curvature bound covers both signs, −A ⪯ ∇²f ⪯ A."""

    convex: ClassVar[bool] = False
    slope_bound: ClassVar[float] = 3.0 * 3.0**0.5 / 16.0
    curvature_bound: ClassVar[float] = 1.0

    @classmethod
    def examples(cls) -> list[Self]:
        rng = np.random.default_rng(5)
        return [
            cls(rng.standard_normal((12, 4)), rng.standard_normal(12)),
            cls(rng.standard_normal((8, 3)), np.zeros(8)),
        ]

    def phi(self, z: Array, b: Array) -> Array:
        square = (z - b) ** 2
        return 0.5 * square / (1.0 + square)

    def slope(self, z: Array, b: Array) -> Array:
        r = z - b
        return r / (1.0 + r * r) ** 2

    def bend(self, z: Array, b: Array) -> Array:
        square = (z - b) ** 2
        return (1.0 - 3.0 * square) / (1.0 + square) ** 3

    def slope_bounds(self, domain: Domain | None) -> Array:
        """The bound of the whole space: the slope is not monotone."""
        return namespace(self.targets).full_like(self.targets, self.slope_bound)
