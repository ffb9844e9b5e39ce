r"""Logistic loss, :math:`f_i(x) = \log(1 + e^{-b_i \langle a_i, x\rangle})` with labels :math:`b_i = \pm 1`.

.. math:: |\varphi'| \le 1, \qquad 0 \le \varphi'' \le \tfrac14 \;\text{(at } z = 0 \text{)}.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from problems.losses.linear_predictor import LinearPredictor
from structures.arrays import Array, namespace, to_numpy

__all__ = ["Logistic"]


@dataclass(frozen=True, eq=False, repr=False)
class Logistic(LinearPredictor):
    """log(1 + exp(-b <a, x>)), finite and accurate for scores of any size; raises ValueError for labels other than ±1."""

    slope_bound: ClassVar[float] = 1.0
    curvature_bound: ClassVar[float] = 0.25

    @classmethod
    def examples(cls) -> list[Self]:
        rng = np.random.default_rng(0)
        return [cls(rng.standard_normal((12, 4)), rng.choice([-1.0, 1.0], 12))]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.all(np.abs(to_numpy(self.targets)) == 1):
            raise ValueError("logistic targets must be -1 or +1: map the two classes to these labels.")

    def phi(self, z: Array, b: Array) -> Array:
        xp = namespace(z)
        margin = b * z
        return xp.logaddexp(xp.zeros_like(margin), -margin)

    def slope(self, z: Array, b: Array) -> Array:
        xp = namespace(z)
        margin = b * z
        return -b * xp.exp(-xp.logaddexp(xp.zeros_like(margin), margin))  # the sigmoid of -margin, no overflow

    def bend(self, z: Array, b: Array) -> Array:
        xp = namespace(z)
        # σ(z) σ(-z) as one exponential: 1/4 exactly at 0, no overflow, and the same for both labels.
        tail = xp.exp(-xp.abs(z))
        return tail / ((1.0 + tail) * (1.0 + tail)) + 0.0 * b

    def conjugate(self, s: Array, b: Array) -> Array:
        """t log t + (1 - t) log(1 - t) with t = -s b in [0, 1]."""
        xp, t = namespace(s), -s * b
        inside = (t >= 0) & (t <= 1)
        return xp.where(inside, _entropy(xp.where(inside, t, 0.0)) + _entropy(xp.where(inside, 1.0 - t, 0.0)), xp.inf)


def _entropy(t: Array) -> Array:
    """t log t, 0 at 0."""
    xp = namespace(t)
    return t * xp.log(xp.where(t > 0, t, xp.ones_like(t)))
