r"""Huber's loss, :math:`f_i(x) = h_\delta(\langle a_i, x\rangle - b_i)`: squares near 0, straight lines beyond δ.

.. math::
    h_\delta(r) = \tfrac12 r^2 \;(|r| \le \delta), \quad \delta |r| - \tfrac12 \delta^2 \;(|r| > \delta), \qquad
    |h_\delta'| \le \delta, \qquad 0 \le h_\delta'' \le 1 .

The second derivative jumps at :math:`|r| = \delta`; `bend` takes its value from within, which every bound here covers.

Source: Huber 1964.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Self

import numpy as np

from problems.losses.linear_predictor import LinearPredictor
from structures.arrays import Array, namespace

__all__ = ["Huber"]


@dataclass(frozen=True, eq=False, repr=False)
class Huber(LinearPredictor):
    """h(<a, x> - b). Raises ValueError unless δ is positive and finite."""

    delta: float = 1.0

    curvature_bound: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isfinite(self.delta) and self.delta > 0):
            raise ValueError(f"delta must be positive and finite, got {self.delta}.")

    @property
    def slope_bound(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """δ."""
        return self.delta

    @classmethod
    def examples(cls) -> list[Self]:
        rng = np.random.default_rng(3)
        return [cls(rng.standard_normal((12, 4)), rng.uniform(-1.0, 1.0, 12), 1.0)]

    def phi(self, z: Array, b: Array) -> Array:
        xp = namespace(z)
        r = xp.abs(z - b)
        near = xp.minimum(r, xp.full_like(r, self.delta))
        return near * (r - 0.5 * near)

    def slope(self, z: Array, b: Array) -> Array:
        return namespace(z).clip(z - b, -self.delta, self.delta)

    def bend(self, z: Array, b: Array) -> Array:
        xp, r = namespace(z), z - b
        return xp.astype(xp.abs(r) <= self.delta, r.dtype)

    def conjugate(self, s: Array, b: Array) -> Array:
        return namespace(s).where(namespace(s).abs(s) <= self.delta, s * (0.5 * s + b), namespace(s).inf)
