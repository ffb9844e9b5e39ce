r"""The sum of absolute values, :math:`R(x) = \lambda\|x\|_1`, that makes solutions sparse.

.. math:: \operatorname{prox}_{\eta R}(v) = \operatorname{soft}(v, \eta\lambda), \qquad R^*(s) = I\{\|s\|_\infty \le \lambda\}.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

from problems.penalties.base import Penalty, require_nonnegative
from problems.penalties.shrinkage import soft_threshold, zero_or_inf
from structures.arrays import Array, namespace

__all__ = ["L1"]


@dataclass(frozen=True)
class L1(Penalty):
    """lam · ‖x‖₁; raises ValueError for a negative lam."""

    lam: float

    def __post_init__(self) -> None:
        require_nonnegative("the weight lam of L1", self.lam)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Penalty]:
        return [cls(0.3, shape=shape), cls(0.0, shape=shape)]

    def flat_value(self, x: Array) -> Array:
        xp = namespace(x)
        return self.lam * xp.sum(xp.abs(x), axis=-1)

    def flat_prox(self, v: Array, step: Array | float) -> Array:
        return soft_threshold(v, step * self.lam)

    def flat_conjugate(self, s: Array) -> Array:
        xp = namespace(s)
        return zero_or_inf(xp.max(xp.abs(s), axis=-1) <= self.lam, s)
