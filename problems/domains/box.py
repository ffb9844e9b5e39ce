r"""The box :math:`\{x : |x_i| \le r\}`, the domain matched to AdaGrad (the diagonal structure).

.. math::
    \sup_{\|x\|_\infty \le r} \|x\|_{\mathcal H} = r \text{ (axis-aligned: } s^\top H s = \operatorname{Tr} H
    \text{ at every vertex } rs), \qquad
    \max_l \text{ over the parts of a direct sum}, \qquad
    \le r\sqrt{d/w_{\min}} \text{ always}.

The last is an equality for Full, LeftKronecker, RightKronecker, ModeK, Circulant and Exchangeable: the vertex
:math:`r\mathbf 1` attains it.

Projection: coordinatewise clipping where H is diagonal (the objective separates), accelerated gradient otherwise.

Source: derived here (docs/proofs/domains.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from problems.domains.base import Domain
from problems.domains.facts import is_axis_aligned
from problems.domains.metric import Metric
from problems.domains.positive import require_positive
from structures import DirectSum, Structure
from structures.arrays import Array, namespace

__all__ = ["Box"]


@dataclass(frozen=True)
class Box(Domain):
    """The cube of half-width r around 0, of any parameter shape."""

    r: float

    def __post_init__(self) -> None:
        require_positive("the half-width of a Box", self.r)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Domain]:
        return [cls(0.7)]

    @property
    def size(self) -> float:
        return self.r

    def resized(self, scale: float) -> Box:
        return replace(self, r=self.r / scale)

    def flat_support(self, s: Array) -> Array:
        xp = namespace(s)
        return self.r * xp.sum(xp.abs(s), axis=-1)

    def flat_lmo(self, s: Array) -> Array:
        xp = namespace(s)
        return xp.where(s > 0, xp.full_like(s, -self.r), xp.full_like(s, self.r))

    def flat_nearest(self, y: Array) -> Array:
        xp = namespace(y)
        return xp.where(y > self.r, self.r, xp.where(y < -self.r, -self.r, y))

    def flat_inside(self, y: Array) -> Array:
        xp = namespace(y)
        return xp.max(xp.abs(y), axis=-1) <= self.r

    def flat_closed_form(self, y: Array, metric: Metric) -> Array | None:
        return self.flat_nearest(y) if metric.axis_aligned else None

    def euclidean_radius(self, shape: tuple[int, ...]) -> float:
        return self.r * prod(shape) ** 0.5

    def radius(self, structure: Structure) -> float:
        """max over the box of ‖x‖_H: r where the structure is axis-aligned, otherwise as in the module's docstring."""
        self.shape_for(structure)
        if is_axis_aligned(structure):
            return self.r
        if isinstance(structure, DirectSum):
            return max(self.on(part.shape).radius(part) for part in structure.parts)
        return super().radius(structure)
