r"""What the negative controls share: :math:`P_{\mathcal H}` is computed from its definition, because no closed form holds.

For every cone :math:`\mathcal H`, whatever its structure, scaling :math:`H \mapsto sH` shows that

.. math:: |||g_{1:T}|||_{\mathcal H} = \inf_{H \in \mathcal H,\, \operatorname{Tr} H \le 1}
          \Bigl(\sum_t g_t^\top H^{-1} g_t\Bigr)^{1/2} = \operatorname{Tr} P_{\mathcal H}\Bigl(\sum_t g_t g_t^\top\Bigr),

so the two gradient norms come from `preconditioner`; only the norm of the parameter needs a rule of its own.

Source: derived here, docs/proofs/characterisation.md.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from structures.arrays import Array, Coordinates, namespace, require_shape, sym, tolerance
from structures.base import Structure
from structures.roots import clip_to_psd, eigh

__all__ = ["NotStructured"]


@dataclass(frozen=True)
class NotStructured(Structure):
    """A set of preconditioners whose P_H is not the root of a projection."""

    well_structured: ClassVar[bool] = False
    sufficient: ClassVar[bool] = False  # P_H(M) depends on more of M than E(M): keep M

    @abstractmethod
    def preconditioner(self, M: Array) -> Coordinates:
        """P_H(M) = argmin over H ∈ H of <M, H⁻¹> + Tr H, from the definition."""

    @abstractmethod
    def norm(self, X: Array) -> Array:
        """‖X‖_H = sup over H ∈ H with Tr H ≤ 1 of sqrt(xᵀHx), from the definition."""

    def root(self, c: Coordinates) -> Coordinates:
        """P_H of the matrix that c stands for; that matrix must be PSD."""
        return self.preconditioner(self.dense(c))

    def dual_norm(self, G: Array) -> Array:
        unit, scale = self._unit_scale(G)
        g = self.flatten(unit)
        return scale * self.trace(self.preconditioner(g[..., :, None] * g[..., None, :]))

    def adaptive_norm(self, Gs: Array) -> Array:
        unit, scale = self._unit_sequence(Gs)
        g = self.flatten(unit)
        M = namespace(g).sum(g[..., :, None] * g[..., None, :], axis=0)
        return scale * self.trace(self.preconditioner(M))

    def compose(self, values: Array, basis: Any) -> Coordinates:
        """Coordinates of the element with these eigenvalues; ValueError when it is not in the linear span of the set."""
        xp = namespace(values)
        matrix = (basis * values[..., None, :]) @ xp.matrix_transpose(basis)
        c = self.project(matrix)
        outside = xp.max(xp.abs(self.dense(c) - matrix), axis=(-2, -1))
        if bool(xp.any(outside > tolerance(values, self.dim) * xp.max(xp.abs(values), axis=-1))):
            raise ValueError(
                f"{type(self).__name__} is not closed under this power: its result has no coordinates. "
                f"Use factor(c).apply(p, X), which acts on a parameter without them."
            )
        return c

    def _checked_statistic(self, M: Array) -> tuple[Array, Array]:
        """The symmetric part of a PSD statistic divided by its mean eigenvalue, and that eigenvalue (1 for M = 0)."""
        require_shape("M", M, (self.dim, self.dim))
        clip_to_psd(eigh(M)[0], self.dim)
        xp = namespace(M)
        mean = xp.linalg.trace(M) / float(self.dim)
        mean = xp.where(mean > 0, mean, xp.ones_like(mean))
        return sym(M) / mean[..., None, None], mean
