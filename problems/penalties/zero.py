r"""No penalty, :math:`R = 0`: its proximal point is the point itself.

.. math:: R^*(s) = 0 \text{ for } s = 0, \; \infty \text{ otherwise.}

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

from problems.penalties.base import Penalty
from problems.penalties.shrinkage import zero_or_inf
from structures.arrays import Array, namespace

__all__ = ["ZeroPenalty"]


@dataclass(frozen=True)
class ZeroPenalty(Penalty):
    """R(x) = 0."""

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Penalty]:
        return [cls(shape=shape)]

    def flat_value(self, x: Array) -> Array:
        return namespace(x).zeros_like(x[..., 0])

    def flat_prox(self, v: Array, step: Array | float) -> Array:
        return v

    def flat_conjugate(self, s: Array) -> Array:
        return zero_or_inf(namespace(s).all(s == 0, axis=-1), s)
