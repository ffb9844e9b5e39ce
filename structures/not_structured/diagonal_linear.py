r"""Diagonal matrices whose middle entry is the mean of its neighbours: a commuting set that breaks the regret bound itself.

With :math:`L = \{\operatorname{diag}(h_1, (h_1 + h_3)/2, h_3)\}` and :math:`m = \operatorname{diag} M`,

.. math::
    E(M): &\quad h_1 - h_3 = m_1 - m_3, \quad h_1 + h_3 = \tfrac23 (m_1 + m_2 + m_3); \\
    P_{\mathcal H}(M): &\quad S = h_1 + h_3 = \sqrt{\tfrac23\bigl((\sqrt{m_1} + \sqrt{m_3})^2 + 2 m_2\bigr)}, \quad
        h_1 = \frac{S \sqrt{m_1}}{\sqrt{m_1} + \sqrt{m_3}}; \\
    \|x\|_{\mathcal H}^2 &= \tfrac23 \max(x_1^2, x_3^2) + \tfrac13 x_2^2 .

With m_2 large the split h_1 : h_3 is decided by m_1 : m_3 however small those are, so vanishing gradients move H by a fixed
amount while Tr H stands still.

Source: derived here, docs/proofs/characterisation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from structures.arrays import Array, eye, namespace
from structures.base import Structure
from structures.not_structured.base import NotStructured

__all__ = ["DiagonalLinear"]


@dataclass(frozen=True)
class DiagonalLinear(NotStructured):
    """diag(h_1, (h_1 + h_3)/2, h_3); coordinates (h_1, h_3) have shape (..., 2)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim != 3:
            raise ValueError(f"DiagonalLinear needs three parameters, got shape {self.shape}.")

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((3,))]

    @property
    def rank(self) -> int:
        return 3  # distinct eigenvalues of an element; the set has no idempotents to count

    def project(self, M: Array) -> Array:
        xp = namespace(M)
        m = xp.linalg.diagonal(self._symmetric(M))
        total = (m[..., 0] + m[..., 1] + m[..., 2]) / 3.0
        half = 0.5 * (m[..., 0] - m[..., 2])
        return xp.stack([total + half, total - half], axis=-1)

    def diagonal(self, c: Array) -> Array:  # (..., 2) -> (..., 3)
        """The three diagonal entries."""
        return namespace(c).stack([c[..., 0], 0.5 * (c[..., 0] + c[..., 1]), c[..., 1]], axis=-1)

    def dense(self, c: Array) -> Array:
        return self.diagonal(c)[..., None, :] * eye(3, c)

    def apply(self, c: Array, X: Array) -> Array:
        return self.unflatten(self.diagonal(c) * self.flatten(X))

    def trace(self, c: Array) -> Array:
        return 1.5 * (c[..., 0] + c[..., 1])

    def preconditioner(self, M: Array) -> Array:
        """P_H(M) in closed form; with m_1 = m_3 = 0 the minimiser is not unique and the even split is returned."""
        unit, mean = self._checked_statistic(M)
        xp = namespace(M)
        roots = xp.sqrt(xp.clip(xp.linalg.diagonal(unit), min=0.0))
        first, middle, last = roots[..., 0], roots[..., 1], roots[..., 2]
        both = first + last
        S = xp.sqrt((both * both + 2.0 * middle * middle) / 1.5)
        share = xp.where(both > 0, first / xp.where(both > 0, both, xp.ones_like(both)), xp.full_like(both, 0.5))
        return (xp.sqrt(mean) * S)[..., None] * xp.stack([share, 1.0 - share], axis=-1)

    def norm(self, X: Array) -> Array:
        unit, scale = self._unit_scale(X)
        xp = namespace(unit)
        x = self.flatten(unit) ** 2
        return scale * xp.sqrt((2.0 * xp.maximum(x[..., 0], x[..., 2]) + x[..., 1]) / 3.0)
