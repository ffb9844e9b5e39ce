r"""The cross-polytope :math:`\{x : \|x\|_1 \le r\}`. One sentence, the definition, the source.

.. math:: \max_{\|u\|_1 \le r} \langle s, u\rangle = r\,\|s\|_\infty

Source: Duchi, Shalev-Shwartz, Singer, Chandra 2008 (the projection by one sort, remembered).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from problems.domains import Domain, Simplex
from problems.domains.positive import require_positive
from structures.arrays import Array, namespace

__all__ = ["L1Ball"]


@dataclass(frozen=True)
class L1Ball(Domain):
    """The ℓ₁ ball of radius r around 0, of any parameter shape."""

    r: float

    def __post_init__(self) -> None:
        require_positive("the radius of an L1Ball", self.r)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Domain]:
        return [cls(1.2)]

    @property
    def size(self) -> float:
        return self.r

    def resized(self, scale: float) -> L1Ball:
        return replace(self, r=self.r / scale)

    def flat_support(self, s: Array) -> Array:  # (..., d) -> (...)
        xp = namespace(s)
        return self.r * xp.max(xp.abs(s), axis=-1)

    def flat_lmo(self, s: Array) -> Array:  # (..., d) -> (..., d)
        xp = namespace(s)
        corner = Simplex(self.r).flat_lmo(-xp.abs(s))  # r at the largest entry
        return xp.where(s > 0, -corner, corner)

    def flat_nearest(self, y: Array) -> Array:  # (..., d) -> (..., d)
        xp = namespace(y)
        outside = xp.sum(xp.abs(y), axis=-1, keepdims=True) > self.r
        magnitudes = Simplex(self.r).flat_nearest(xp.abs(y))
        return xp.where(outside, xp.where(y < 0, -magnitudes, magnitudes), y)

    def euclidean_radius(self, shape: tuple[int, ...]) -> float:
        return self.r
