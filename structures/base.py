r"""What a structure is: a linear set of symmetric matrices, its cone of preconditioners, and the geometry they define.

A *well-structured* set is :math:`\mathcal H = K \cap S_+^d` with K a unital matrix algebra. All that matters is
:math:`J = K \cap S^d`, closed under squaring, and its Frobenius projection :math:`E = \mathrm{proj}_J`:

.. math::
    P_{\mathcal H}(M) &= \operatorname*{argmin}_{H \in \mathcal H} \langle M, H^{-1}\rangle + \operatorname{Tr} H
                       = E(M)^{1/2}, \\
    \|x\|_{\mathcal H} &= \sup_{H \in \mathcal H,\, \operatorname{Tr} H \le 1} \sqrt{x^\top H x}
                       = \lambda_{\max}(E(xx^\top))^{1/2}, \\
    \|y\|_{\mathcal H,*} &= \operatorname{Tr} E(yy^\top)^{1/2}, \qquad
    |||g_{1:T}|||_{\mathcal H} = \operatorname{Tr} P_{\mathcal H}\bigl(\textstyle\sum_t g_t g_t^\top\bigr).

A new structure writes `project` and `dense`. It is then correct through the dense defaults, and becomes fast by
overriding `outer`, `apply` and the four spectral methods; the law suite compares the fast path with the dense one.

Parameters are flattened row-major, so :math:`\mathrm{vec}(A X B^\top) = (A \otimes B)\,\mathrm{vec}(X)`.

Source: Xie et al. 2025, arXiv 2503.10537 (the class); arXiv 2511.20584, Def. 2.1 and Lemma B.4 (P_H); the equivalence of
closure under squaring with P_H = E^{1/2} is derived in docs/proofs/characterisation.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, ClassVar

from structures.arrays import (
    Array,
    Coordinates,
    eye,
    like,
    namespace,
    positive_sizes,
    require_finite,
    require_shape,
    sym,
    tree_map,
    widen,
)
from structures.factor import Factor
from structures.roots import clip_to_psd, eigh, rank_floor

__all__ = ["Structure"]

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Structure(ABC):
    """A frozen, stateless description of a set of preconditioners; its elements are plain arrays (coordinates)."""

    shape: tuple[int, ...]  # of the parameter; d = prod(shape)

    well_structured: ClassVar[bool] = True  # the declared claim; the law suite and `verify` audit it
    sufficient: ClassVar[bool] = True  # E(M) determines P_H(M), so that a learner need not keep M
    precision: ClassVar[float] = (
        0.0  # relative error of P_H and the norms beyond rounding: a control's iterative solver
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", positive_sizes(type(self).__name__, self.shape))

    @classmethod
    def examples(cls) -> list[Structure]:
        """Small instances for the law suite, the documentation and the command line."""
        return []

    @property
    def dim(self) -> int:
        """d, the number of parameters."""
        return prod(self.shape)

    @property
    def rank(self) -> int:
        """The number of primitive idempotents of J: the largest number of distinct eigenvalues of an element."""
        return self.dim

    @property
    def spectrum_size(self) -> int:
        """r, the number of eigenvalues that a `Factor` of this structure keeps (each with its weight): d by default."""
        return self.dim if type(self).factor is Structure.factor else self.rank

    # --- the two methods that define a structure -------------------------------------------------------------------

    @abstractmethod
    def project(self, M: Array) -> Coordinates:  # (..., d, d)
        """Coordinates of E(M), the orthogonal projection of M onto J; M need not be symmetric."""

    @abstractmethod
    def dense(self, c: Coordinates) -> Array:  # -> (..., d, d)
        """The matrix that coordinates stand for."""

    # --- spectral defaults through the dense matrix; override them together ------------------------------------------

    def factor(self, c: Coordinates) -> Factor:
        """The eigendecomposition of a PSD coordinate; raises NotPositiveError when c is indefinite beyond rounding."""
        values, vectors = eigh(self.dense(c))
        return Factor(self, clip_to_psd(values, self.dim), rank_floor(values, self.dim), vectors)

    def metric(self, c: Coordinates) -> Factor:
        """A factor whose power 1/2 is P_H on coordinates: `factor(c)`, unless a control has a rule of its own."""
        return self.factor(c)

    def weights(self, values: Array) -> Array:  # (..., r) -> (r,)
        """Multiplicity of each eigenvalue of a `Factor`."""
        return namespace(values).ones(values.shape[-1], **like(values))

    def compose(self, values: Array, basis: Any) -> Coordinates:
        """Coordinates of the element with these eigenvalues in this basis."""
        xp = namespace(values)
        return self.project((basis * values[..., None, :]) @ xp.matrix_transpose(basis))

    def apply_spectrum(self, values: Array, basis: Any, X: Array) -> Array:  # (..., *shape)
        """The element with these eigenvalues in this basis, applied to a parameter."""
        xp = namespace(X)
        x = self.flatten(X)[..., None]
        return self.unflatten((basis @ (values[..., None] * (xp.matrix_transpose(basis) @ x)))[..., 0])

    # --- operations on coordinates -----------------------------------------------------------------------------------

    def outer(self, G: Array) -> Coordinates:  # (..., *shape)
        """E(g gᵀ) of g = vec G; structures override it so that no d×d array is formed."""
        g = self.flatten(G)
        return self.project(g[..., :, None] * g[..., None, :])

    def identity(self, x: Array) -> Coordinates:
        """Coordinates of the identity, in the namespace, dtype and device of `x`."""
        return self.project(eye(self.dim, x))

    def power(self, c: Coordinates, p: Fraction | float) -> Coordinates:
        """c^p of a PSD coordinate; p < 0 is the pseudo-inverse power (cut-off: see `structures.roots`)."""
        return self.factor(c).power(p)

    def root(self, c: Coordinates) -> Coordinates:
        """P_H on coordinates: c^{1/2} for a well-structured set, the set's own rule for a control."""
        return self.metric(c).power(HALF)

    def apply(self, c: Coordinates, X: Array) -> Array:  # (..., *shape) -> (..., *shape)
        """The operator that c stands for, applied to a parameter."""
        return self.unflatten((self.dense(c) @ self.flatten(X)[..., None])[..., 0])

    def trace(self, c: Coordinates) -> Array:  # (...)
        """Trace of the d×d matrix that c stands for."""
        dense = self.dense(c)
        return namespace(dense).linalg.trace(dense)

    # --- the geometry of H ---------------------------------------------------------------------------------------------

    def preconditioner(self, M: Array) -> Coordinates:  # (..., d, d)
        """P_H(M) = E(M)^{1/2}; raises NotPositiveError when M itself is indefinite beyond rounding."""
        require_shape("M", M, (self.dim, self.dim))
        clip_to_psd(eigh(M)[0], self.dim)
        return self.root(self.project(M))

    def norm(self, X: Array) -> Array:  # (..., *shape) -> (...)
        """‖X‖_H = sup over H ∈ H with Tr H ≤ 1 of sqrt(xᵀHx)."""
        unit, scale = self._unit_scale(X)
        return scale * namespace(X).sqrt(namespace(X).max(self.factor(self.outer(unit)).values, axis=-1))

    def dual_norm(self, G: Array) -> Array:  # (..., *shape) -> (...)
        """‖G‖_{H,*} = Tr P_H(g gᵀ), the dual of `norm`."""
        unit, scale = self._unit_scale(G)
        return scale * self.factor(self.outer(unit)).trace(HALF)

    def adaptive_norm(self, Gs: Array) -> Array:  # (T, ..., *shape) -> (...)
        """|||g_{1:T}|||_H = Tr P_H(Σ_t g_t g_tᵀ); homogeneous of degree one in the gradients."""
        unit, scale = self._unit_sequence(Gs)
        total = tree_map(lambda c: namespace(c).sum(c, axis=0), self.outer(unit))
        return scale * self.trace(self.root(total))

    # --- shapes ------------------------------------------------------------------------------------------------------

    def flatten(self, X: Array) -> Array:  # (..., *shape) -> (..., d)
        """Row-major vec of the trailing parameter axes."""
        require_shape("parameter", X, self.shape)
        if len(self.shape) == 1:
            return X
        lead = X.shape[: X.ndim - len(self.shape)]
        return namespace(X).reshape(X, (*lead, self.dim))

    def unflatten(self, x: Array) -> Array:  # (..., d) -> (..., *shape)
        """The inverse of `flatten`."""
        return x if len(self.shape) == 1 else namespace(x).reshape(x, (*x.shape[:-1], *self.shape))

    def _unit_scale(self, X: Array) -> tuple[Array, Array]:
        """X divided by its largest entry, and that entry: squares then neither overflow nor vanish."""
        xp = namespace(X)
        x = self.flatten(widen(X))
        require_finite("parameter", x)
        scale = xp.max(xp.abs(x), axis=-1)
        safe = xp.where(scale > 0, scale, xp.ones_like(scale))
        return self.unflatten(x / safe[..., None]), scale

    def _unit_sequence(self, Gs: Array) -> tuple[Array, Array]:  # (T, ..., *shape) -> (T, ..., *shape), (...)
        """Each sequence divided by its largest entry, and that entry."""
        xp = namespace(Gs)
        g = self.flatten(Gs)
        if g.ndim < 2:
            raise ValueError(
                f"Gs has shape {tuple(Gs.shape)}: a leading axis over time is missing; pass Gs[None] for one step."
            )
        require_finite("Gs", g)
        scale = xp.max(xp.abs(g), axis=(0, -1))
        safe = xp.where(scale > 0, scale, xp.ones_like(scale))
        return self.unflatten(g / safe[..., None]), scale

    def _symmetric(self, M: Array) -> Array:  # (..., d, d)
        """The symmetric part of a checked d×d input of `project`."""
        require_shape("M", M, (self.dim, self.dim))
        return sym(M)
