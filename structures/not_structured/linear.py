r"""A linear set :math:`\mathcal H = L \cap S_+^d` given by elements that span L; nothing is assumed beyond :math:`I \in L`.

.. math:: E(M) = \textstyle\sum_i \langle M, B_i\rangle B_i, \qquad
          P_{\mathcal H}(M) = \operatorname*{argmin}_{H \in L,\, H \succ 0} \langle M, H^{-1}\rangle + \operatorname{Tr} H

for an orthonormal basis :math:`B_1 = I/\sqrt d, B_2, \dots, B_k`. P_H is E(M)^{1/2} for every M exactly when L is closed
under squaring; here it is always computed from its definition (`newton`), and so is the norm (`spectrahedron`).

Source: derived here, docs/proofs/characterisation.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from structures.arrays import Array, asarray_like, namespace, to_numpy, tolerance
from structures.not_structured.base import NotStructured
from structures.not_structured.newton import combination, newton_preconditioner
from structures.not_structured.spectrahedron import spectrahedron_bracket

__all__ = ["LinearSet", "orthonormal_basis"]


def orthonormal_basis(elements: Any) -> np.ndarray:  # (l, d, d) symmetric, spanning -> (k, d, d)
    """An orthonormal basis of the span whose first element is I/√d.

    Raises ValueError when the elements are not symmetric matrices or when I is not in their span.
    """
    A = np.asarray(elements, dtype=np.float64)
    if A.ndim != 3 or A.shape[1] != A.shape[2]:
        raise ValueError(f"a linear set needs symmetric matrices (k, d, d) that span it, got shape {A.shape}.")
    d = A.shape[-1]
    skew = np.max(np.abs(A - np.swapaxes(A, 1, 2)))
    if not skew <= tolerance(A, d) * np.max(np.abs(A)):
        raise ValueError(f"a linear set needs symmetric matrices that span it, but entries differ by {skew:.3g}.")
    rows = (0.5 * (A + np.swapaxes(A, 1, 2))).reshape(len(A), d * d)
    identity = np.eye(d).reshape(-1)
    outside = identity - rows.T @ np.linalg.lstsq(rows.T, identity, rcond=None)[0]
    if np.max(np.abs(outside)) > 1e-10:  # elements are exact or rounded once: anything larger is a missing identity
        raise ValueError("the identity is not in the span of the elements: add it, or P_H does not exist.")
    traceless = rows - np.outer(rows @ identity / d, identity)
    _, sizes, directions = np.linalg.svd(traceless, full_matrices=False)
    kept = directions[sizes > 1e-10 * max(1.0, np.max(np.abs(rows)))]
    return np.concatenate([identity[None] / np.sqrt(d), kept]).reshape(-1, d, d)


@dataclass(frozen=True, init=False)
class LinearSet(NotStructured):
    """The PSD elements of a span; coordinates have shape (..., k), coefficients in the orthonormal `basis`."""

    basis: np.ndarray = field(compare=False, repr=False)  # (k, d, d)
    digest: str = field(repr=False)  # of the elements: what equality and hashing compare

    precision: ClassVar[float] = 1e-5  # d √1e-13: what damping a singular statistic moves

    def __init__(self, elements: Any, shape: Sequence[int] | None = None) -> None:
        A = np.array(to_numpy(elements) if hasattr(elements, "shape") else elements, dtype=np.float64)
        basis = orthonormal_basis(A)
        basis.setflags(write=False)
        object.__setattr__(self, "basis", basis)
        object.__setattr__(self, "digest", hashlib.sha256(A.tobytes()).hexdigest()[:16])
        object.__setattr__(self, "shape", (A.shape[-1],) if shape is None else tuple(shape))
        self.__post_init__()
        if self.dim != A.shape[-1]:
            raise ValueError(f"elements of size {A.shape[-1]} do not act on a parameter of shape {self.shape}.")

    def project(self, M: Array) -> Array:
        S = self._symmetric(M)
        xp = namespace(S)
        flat = xp.reshape(S, (*S.shape[:-2], self.dim**2))
        return flat @ xp.matrix_transpose(asarray_like(self.basis.reshape(-1, self.dim**2), S))

    def dense(self, c: Array) -> Array:
        return combination(c, asarray_like(self.basis, c))

    def trace(self, c: Array) -> Array:
        return c[..., 0] * self.dim**0.5  # every other basis element is traceless

    def preconditioner(self, M: Array) -> Array:
        """P_H(M) by Newton in double precision; for singular M that of M + εI, see `newton`."""
        unit, mean = self._checked_statistic(M)
        xp = namespace(M)
        wide = xp.astype(unit, xp.float64)
        h = xp.astype(newton_preconditioner(wide, asarray_like(self.basis, wide)), M.dtype)
        h = xp.where(xp.linalg.trace(M)[..., None] > 0, h, xp.zeros_like(h))
        return xp.sqrt(mean)[..., None] * h

    def norm(self, X: Array) -> Array:
        """‖X‖_H to about 1e-8 relative, from below, by a barrier method in double precision."""
        lower, _ = self.norm_bracket(X)
        return lower

    def norm_bracket(self, X: Array) -> tuple[Array, Array]:
        """Certified lower and upper bounds of ‖X‖_H."""
        unit, scale = self._unit_scale(X)
        xp = namespace(unit)
        x = xp.astype(self.flatten(unit), xp.float64)
        length = xp.linalg.vector_norm(x, axis=-1)
        safe = xp.where(length > 0, length, xp.ones_like(length))
        u = x / safe[..., None]
        ends = spectrahedron_bracket(u[..., :, None] * u[..., None, :], asarray_like(self.basis, u))
        low, high = (scale * xp.astype(length * xp.sqrt(end), scale.dtype) for end in ends)
        return low, high
