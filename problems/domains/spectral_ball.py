r"""The spectral ball :math:`\{X \in \mathbb R^{m \times n} : \|X\|_{\mathrm{op}} \le r\}`, matched to one-sided Shampoo.

.. math::
    \sup_{\|X\|_{\mathrm{op}} \le r} \|X\|_{\mathcal H} =
    r/\sqrt n \;(A \otimes I_n), \quad r/\sqrt m \;(I_m \otimes B), \quad r \;(\text{Diagonal}), \quad
    \le r \sqrt{\min(m, n)/w_{\min}} \text{ always}.

A structure whose elements are all left operators is contained in LeftKronecker, and a smaller structure has the smaller
norm; so each rule holds for every structure it contains, and the smallest applicable one is used.

Projection: clipped singular values for multiples of the identity. In the metric of a left operator L there are two closed
regimes: Y itself inside the ball, and :math:`X = r\,\mathrm{polar}(LY)` where :math:`(LYY^\top L)^{1/2} \succeq r L`
(KKT: :math:`X = (L+S)^{-1}LY`, :math:`S = (LYY^\top L)^{1/2}/r - L \succeq 0`). That point is tried for every metric, its gap
tells whether it is the projection, and accelerated gradient with clipped singular values does the rest.

Source: derived here (docs/proofs/domains.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from problems.domains.base import Domain
from problems.domains.facts import is_axis_aligned, is_left_operator, is_right_operator
from problems.domains.metric import Metric
from problems.domains.positive import require_positive
from structures import Structure
from structures.arrays import Array, namespace, tolerance

__all__ = ["SpectralBall"]


@dataclass(frozen=True)
class SpectralBall(Domain):
    """Matrices with singular values at most r; the parameter is the last two axes."""

    r: float

    natural_axes: ClassVar[int | None] = 2

    def __post_init__(self) -> None:
        require_positive("the radius of a SpectralBall", self.r)
        if self.shape is not None and len(self.shape) != 2:
            raise ValueError(f"a SpectralBall holds matrices (m, n), but the parameter's shape is {self.shape}.")

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Domain]:
        return [cls(1.3)] if len(shape) == 2 else []

    @property
    def size(self) -> float:
        return self.r

    def resized(self, scale: float) -> SpectralBall:
        return replace(self, r=self.r / scale)

    def flat_support(self, s: Array) -> Array:
        xp = namespace(s)
        return self.r * xp.sum(xp.linalg.svdvals(self._matrix(s)), axis=-1)

    def flat_lmo(self, s: Array) -> Array:
        return -self.r * self._polar(s)

    def flat_nearest(self, y: Array) -> Array:
        xp = namespace(y)
        U, values, Vt = xp.linalg.svd(self._matrix(y), full_matrices=False)
        clipped = (U * xp.where(values > self.r, self.r, values)[..., None, :]) @ Vt
        return xp.where(values[..., :1] > self.r, xp.reshape(clipped, y.shape), y)

    def flat_inside(self, y: Array) -> Array:
        values = namespace(y).linalg.svdvals(self._matrix(y))
        return values[..., 0] <= self.r * (1.0 + tolerance(y, max(self.parameter_shape)))

    def flat_guesses(self, y: Array, metric: Metric) -> list[Array]:
        return [self.r * self._polar(metric.apply(y))]

    def euclidean_radius(self, shape: tuple[int, ...]) -> float:
        return self.r * min(self.on(shape).parameter_shape) ** 0.5

    def radius(self, structure: Structure) -> float:
        """The smallest applicable bound of the module's docstring.

        An equality for Scalar, Diagonal, Full, LeftKronecker, RightKronecker, RowScalar and ColumnScalar.
        """
        m, n = self.shape_for(structure)
        bounds = [super().radius(structure)]
        if is_left_operator(structure):
            bounds.append(self.r / n**0.5)
        if is_right_operator(structure):
            bounds.append(self.r / m**0.5)
        if is_axis_aligned(structure):
            bounds.append(self.r)
        return min(bounds)

    def _matrix(self, x: Array) -> Array:  # (..., d) -> (..., m, n)
        return namespace(x).reshape(x, (*x.shape[:-1], *self.parameter_shape))

    def _polar(self, x: Array) -> Array:  # (..., d) -> (..., d)
        """U Vᵀ of the singular value decomposition."""
        U, _, Vt = namespace(x).linalg.svd(self._matrix(x), full_matrices=False)
        return namespace(x).reshape(U @ Vt, x.shape)
