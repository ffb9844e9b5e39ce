r"""One eigendecomposition of a coordinate, and everything that a step needs from it.

For :math:`c \in J`, :math:`c = \sum_k \lambda_k \Pi_k` with :math:`\Pi_k \in J` orthogonal projections of rank
:math:`w_k`. Then :math:`c^p = \sum_k \lambda_k^p \Pi_k` and :math:`\operatorname{Tr} c^p = \sum_k w_k \lambda_k^p`.

A learner factors its statistic once per step; the root, its inverse and the projection of the iterate all use the same
`Factor` (the `init/compute` split of lineax, <https://docs.kidger.site/lineax/>).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from structures.arrays import Array, Coordinates, namespace, widen
from structures.roots import values_power

if TYPE_CHECKING:
    from structures.base import Structure

__all__ = ["Factor"]


@dataclass(frozen=True, eq=False)
class Factor:
    """The spectral decomposition of a PSD coordinate of `structure`."""

    structure: Structure
    values: Array  # (..., r) eigenvalues λ_k ≥ 0, in the order of `basis`
    floor: Array  # (..., r) or broadcastable: λ_k ≤ floor counts as zero in a pseudo-inverse
    basis: Any  # what the structure needs to come back: eigenvectors, or None where the basis is fixed
    _spectra: dict[Any, Array] = field(default_factory=dict, init=False, repr=False)  # computed so far

    @property
    def weights(self) -> Array:  # (r,)
        """Multiplicities w_k."""
        return self.structure.weights(self.values)

    def power(self, p: Fraction | float) -> Coordinates:
        """Coordinates of c^p."""
        return self.structure.compose(self.spectrum(p), self.basis)

    def spectrum(self, p: Fraction | float) -> Array:  # (..., r)
        """λ^p, with 0 for p < 0 on the null space."""
        key = (p.numerator, p.denominator) if isinstance(p, Fraction) else p  # a Fraction's own hash is slow
        if key not in self._spectra:
            self._spectra[key] = values_power(self.values, p, self.floor)
        return self._spectra[key]

    def apply(self, p: Fraction | float, X: Array) -> Array:  # (..., *shape) -> (..., *shape)
        """c^p X without forming c^p."""
        result = self.structure.apply_spectrum(self.spectrum(p), self.basis, widen(X))
        return result if result.dtype == X.dtype else namespace(X).astype(result, X.dtype)

    def trace(self, p: Fraction | float) -> Array:  # (...)
        """Tr c^p."""
        xp = namespace(self.values)
        return xp.sum(self.weights * self.spectrum(p), axis=-1)

    def quad(self, p: Fraction | float, X: Array) -> Array:  # (..., *shape) -> (...)
        """<X, c^p X>."""
        xp = namespace(X)
        flat = self.structure.flatten
        return xp.sum(flat(X) * flat(self.apply(p, X)), axis=-1)
