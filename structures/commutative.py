r"""Structures diagonal in one fixed orthogonal basis: all of them are "transform, pool the energy, spread the scale".

With an orthogonal (or unitary) transform :math:`F` and a partition of its N coefficients into r groups of sizes
:math:`w_k`,

.. math::
    J = \{F^* \operatorname{diag}(\lambda_{k(i)}) F\}, \qquad
    E(M)_k = \frac{1}{w_k} \sum_{i : k(i) = k} (F M F^*)_{ii},

so coordinates are the eigenvalues themselves, no eigendecomposition is needed, and only an exact zero is a null
direction (where the transform adds coordinates up, `mixing` is set and the relative cut-off of `structures.roots` applies).

Source: Xie et al. 2025, arXiv 2503.10537 (the diagonal and block-scalar instances); closed forms derived here.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from structures.arrays import Array, dtype_name, eye, like, namespace, require_finite, widen
from structures.base import Structure
from structures.factor import Factor
from structures.roots import clip_to_psd, rank_floor

__all__ = ["Commutative"]


@dataclass(frozen=True)
class Commutative(Structure):
    """Eigenvalues as coordinates; a subclass pools energies and spreads values."""

    mixing: ClassVar[bool] = False  # the transform adds coordinates up: eigenvalues carry rounding of the largest one

    @abstractmethod
    def pool(self, energy: Array) -> Array:  # (..., N) -> (..., r)
        """Mean of the coefficients' energies over each group."""

    @abstractmethod
    def spread(self, values: Array) -> Array:  # (..., r) -> (..., N)
        """Each group's value at each of its coefficients."""

    @abstractmethod
    def weights(self, values: Array) -> Array:  # -> (r,)
        """Group sizes w_k."""

    def analyse(self, x: Array) -> Array:  # (..., d) -> (..., N)
        """The transform F; the identity where coordinates are pooled as they stand."""
        return x

    def synthesise(self, z: Array) -> Array:  # (..., N) -> (..., d)
        """The inverse transform F*."""
        return z

    def diagonal_of(self, M: Array) -> Array:  # (..., d, d) -> (..., N)
        """The diagonal of F M F*."""
        return namespace(M).linalg.diagonal(M)

    def project(self, M: Array) -> Array:
        return self.pool(self.diagonal_of(self._symmetric(M)))

    def dense(self, c: Array) -> Array:  # (..., r) -> (..., d, d)
        xp = namespace(c)
        columns = self.synthesise(self.spread(c)[..., None, :] * self.analyse(eye(self.dim, c)))
        return xp.matrix_transpose(columns)

    def outer(self, G: Array) -> Array:
        z = self.analyse(self.flatten(G))
        if not dtype_name(z).startswith("complex"):
            return self.pool(z * z)
        xp = namespace(z)
        return self.pool(xp.real(z) ** 2 + xp.imag(z) ** 2)

    def identity(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.ones_like(self.pool(xp.ones(self._spectrum_size, **like(x))))

    @property
    def _spectrum_size(self) -> int:
        """N, the number of coefficients that `pool` reads."""
        return self.dim

    def factor(self, c: Array) -> Factor:
        xp = namespace(c)
        require_finite("coordinates", c)
        values = clip_to_psd(widen(c), self.dim)
        # Where no coordinate is added to another, each eigenvalue is exact to its own size: only an exact zero is null.
        floor = rank_floor(values, self.dim) if self.mixing else xp.zeros_like(values[..., :1])
        return Factor(self, values, floor, None)

    def compose(self, values: Array, basis: Any) -> Array:
        return values

    def apply_spectrum(self, values: Array, basis: Any, X: Array) -> Array:
        return self.unflatten(self.synthesise(self.spread(values) * self.analyse(self.flatten(X))))

    def apply(self, c: Array, X: Array) -> Array:
        return self.apply_spectrum(c, None, X)

    def trace(self, c: Array) -> Array:
        return namespace(c).sum(self.weights(c) * c, axis=-1)

    def power(self, c: Array, p: Fraction | float) -> Array:
        return self.factor(c).spectrum(p)
