r"""The Euclidean ball :math:`\{x : \|x\|_2 \le r\}`, the domain matched to AdaGrad-Norm and to full-matrix AdaGrad.

.. math::
    \sup_{\|x\|_2 \le r} \|x\|_{\mathcal H} = r/\sqrt{w_{\min}}: \quad
    r/\sqrt d \text{ (Scalar)}, \quad r \text{ (Diagonal, Full)}, \quad r/\sqrt n \text{ (LeftKronecker)}.

Projection: radial for multiples of the identity, the secular equation for every other structure.

Source: derived here (docs/proofs/domains.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from problems.domains.base import Domain
from problems.domains.metric import Metric
from problems.domains.positive import require_positive
from problems.domains.secular import nearest_in_unit_ball
from problems.domains.vectors import direction, norm
from structures.arrays import Array, namespace, tolerance

__all__ = ["L2Ball"]


@dataclass(frozen=True)
class L2Ball(Domain):
    """The ball of radius r around 0, of any parameter shape.

    `radius(structure)` is r/sqrt(w_min), an equality for every structure that tells its multiplicities: the vector of
    length r in the range of the smallest idempotent attains it.
    """

    r: float

    def __post_init__(self) -> None:
        require_positive("the radius of an L2Ball", self.r)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Domain]:
        return [cls(1.5)]

    @property
    def size(self) -> float:
        return self.r

    def resized(self, scale: float) -> L2Ball:
        return replace(self, r=self.r / scale)

    def flat_support(self, s: Array) -> Array:
        return self.r * norm(s)

    def flat_lmo(self, s: Array) -> Array:
        return -self.r * direction(s)

    def flat_nearest(self, y: Array) -> Array:
        xp = namespace(y)
        length = norm(y)[..., None]
        return xp.where(length > self.r, self.r * direction(y), y)

    def flat_inside(self, y: Array) -> Array:
        return norm(y) <= self.r * (1.0 + tolerance(y))

    def flat_closed_form(self, y: Array, metric: Metric) -> Array:
        if metric.isotropic:
            return self.flat_nearest(y)
        return self.r * nearest_in_unit_ball(y / self.r, metric)

    def euclidean_radius(self, shape: tuple[int, ...]) -> float:
        return self.r
