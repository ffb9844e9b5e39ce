r"""A box as a penalty, :math:`R(x) = 0` for :math:`l \le x_j \le h` and :math:`\infty` outside.

.. math:: \operatorname{prox}_{\eta R}(v)_j = \min(\max(v_j, l), h), \qquad R^*(s) = \textstyle\sum_j \max(l s_j, h s_j).

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf, isnan

from problems.domains import Box
from problems.penalties.base import Penalty
from problems.penalties.shrinkage import zero_or_inf
from structures.arrays import Array, namespace, tolerance

__all__ = ["BoxIndicator"]


@dataclass(frozen=True)
class BoxIndicator(Penalty):
    """The indicator of [low, high]^d; either end may be infinite. Raises ValueError unless low < high.

    A convex combination of points of the box can leave it by rounding, so the value is 0 up to 16 eps · max(|low|, |high|)
    (finite ends) beyond it.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if isnan(self.low) or isnan(self.high) or not self.low < self.high or self.low == inf or self.high == -inf:
            raise ValueError(f"BoxIndicator needs low < high, got low={self.low!r} and high={self.high!r}.")

    @classmethod
    def of(cls, domain: Box) -> BoxIndicator:
        """The indicator of a `problems.Box`."""
        return cls(-domain.r, domain.r, shape=domain.shape)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Penalty]:
        return [cls(-0.4, 0.8, shape=shape), cls(0.0, inf, shape=shape)]

    def flat_value(self, x: Array) -> Array:
        room = tolerance(x) * max(abs(end) for end in (self.low, self.high, 0.0) if not isinf(end))
        inside = (x >= self.low - room) & (x <= self.high + room)
        return zero_or_inf(namespace(x).all(inside, axis=-1), x)

    def flat_prox(self, v: Array, step: Array | float) -> Array:
        xp = namespace(v)
        above = xp.where(v < self.low, xp.full_like(v, self.low), v)
        return xp.where(above > self.high, xp.full_like(v, self.high), above)

    def flat_conjugate(self, s: Array) -> Array:
        xp = namespace(s)
        nothing = xp.zeros_like(s)  # in place of 0 · inf
        corner = xp.where(s > 0, self.high * xp.where(s > 0, s, xp.ones_like(s)), nothing)
        return xp.sum(xp.where(s < 0, self.low * xp.where(s < 0, s, -xp.ones_like(s)), corner), axis=-1)
