r"""Absolute values and squares, :math:`R(x) = \lambda_1\|x\|_1 + \tfrac{\lambda_2}{2}\|x\|_2^2`.

.. math::
    \operatorname{prox}_{\eta R}(v) = \frac{\operatorname{soft}(v, \eta\lambda_1)}{1 + \eta\lambda_2}, \qquad
    R^*(s) = \tfrac{1}{2\lambda_2}\textstyle\sum_j (|s_j| - \lambda_1)_+^2,

the indicator of :math:`\|s\|_\infty \le \lambda_1` for :math:`\lambda_2 = 0`.

Source: Zou and Hastie 2005 (the penalty), remembered; derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

from problems.penalties.base import Penalty, require_nonnegative
from problems.penalties.shrinkage import excess, soft_threshold, zero_or_inf
from structures.arrays import Array, namespace

__all__ = ["ElasticNet"]


@dataclass(frozen=True)
class ElasticNet(Penalty):
    """l1 · ‖x‖₁ + (l2/2) ‖x‖²; raises ValueError for a negative weight."""

    l1: float
    l2: float

    def __post_init__(self) -> None:
        require_nonnegative("the weight l1 of ElasticNet", self.l1)
        require_nonnegative("the weight l2 of ElasticNet", self.l2)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Penalty]:
        return [cls(0.3, 0.7, shape=shape), cls(0.3, 0.0, shape=shape)]

    @property
    def strong_convexity(self) -> float:
        return self.l2

    def flat_value(self, x: Array) -> Array:
        xp = namespace(x)
        return self.l1 * xp.sum(xp.abs(x), axis=-1) + 0.5 * self.l2 * xp.sum(x * x, axis=-1)

    def flat_prox(self, v: Array, step: Array | float) -> Array:
        return soft_threshold(v, step * self.l1) / (1.0 + step * self.l2)

    def flat_conjugate(self, s: Array) -> Array:
        xp, over = namespace(s), excess(s, self.l1)
        if self.l2 == 0:
            return zero_or_inf(xp.all(over == 0, axis=-1), s)
        return xp.sum(over * over, axis=-1) / (2.0 * self.l2)
