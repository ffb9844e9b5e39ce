r"""Half a squared norm, :math:`R(x) = \tfrac{\lambda}{2}\|x\|_2^2`: ridge.

.. math::
    \operatorname{prox}_{\eta R}(v) = \frac{v}{1 + \eta\lambda}, \qquad R^*(s) = \tfrac{1}{2\lambda}\|s\|_2^2,

the indicator of :math:`s = 0` for :math:`\lambda = 0`.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

from problems.penalties.base import Penalty, require_nonnegative
from problems.penalties.shrinkage import zero_or_inf
from structures.arrays import Array, namespace

__all__ = ["SquaredL2"]


@dataclass(frozen=True)
class SquaredL2(Penalty):
    """(lam/2) · ‖x‖²; raises ValueError for a negative lam."""

    lam: float

    def __post_init__(self) -> None:
        require_nonnegative("the weight lam of SquaredL2", self.lam)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Penalty]:
        return [cls(0.7, shape=shape), cls(0.0, shape=shape)]

    @property
    def strong_convexity(self) -> float:
        return self.lam

    def flat_value(self, x: Array) -> Array:
        return 0.5 * self.lam * namespace(x).sum(x * x, axis=-1)

    def flat_prox(self, v: Array, step: Array | float) -> Array:
        return v / (1.0 + step * self.lam)

    def flat_conjugate(self, s: Array) -> Array:
        xp = namespace(s)
        if self.lam == 0:
            return zero_or_inf(xp.all(s == 0, axis=-1), s)
        return xp.sum(s * s, axis=-1) / (2.0 * self.lam)
