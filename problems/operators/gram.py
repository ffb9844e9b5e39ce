r"""A sum of squares of vectors: low-rank spectra, Gauss-Newton matrices, noise covariances.

.. math:: A = \textstyle\sum_{k=1}^r v_k v_k^\top \succeq 0, \qquad E(A) = \textstyle\sum_k E(v_k v_k^\top) .

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from problems.operators.base import SymmetricOperator
from structures import Structure
from structures.arrays import (
    Array,
    Coordinates,
    asarray_like,
    namespace,
    require_finite,
    require_shape,
    sym,
    to_numpy,
    tolerance,
    tree_map,
)
from structures.roots import eigh

__all__ = ["GramOperator"]


@dataclass(frozen=True, eq=False, repr=False)
class GramOperator(SymmetricOperator):
    """Σ v vᵀ. Raises ValueError for no vectors, or an entry that is not finite."""

    vectors: Array  # (r, *shape)

    def __post_init__(self) -> None:
        require_finite("vectors", self.vectors)
        if self.vectors.ndim < 2 or self.vectors.shape[0] == 0:
            raise ValueError(f"vectors must be (r, *shape) with r ≥ 1, got shape {tuple(self.vectors.shape)}.")

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.vectors.shape[1:])

    @property
    def like(self) -> Array:
        return self.vectors

    @property
    def rows(self) -> Array:  # (r, d)
        """The vectors, flattened."""
        return self.flat(self.vectors)

    def beside(self, x: Array) -> Self:
        return type(self)(asarray_like(to_numpy(self.vectors), x))

    def apply(self, v: Array) -> Array:
        xp, flat = namespace(v), self.flat(v)
        # A product with a batch of row vectors, reshaped to two axes: a matrix product of any namespace broadcasts it.
        inner = flat @ xp.matrix_transpose(self.rows)
        return xp.reshape(inner @ self.rows, v.shape)

    def dense(self) -> Array:
        xp = namespace(self.vectors)
        return sym(xp.matrix_transpose(self.rows) @ self.rows)

    @property
    def trace(self) -> float:
        xp = namespace(self.vectors)
        return float(xp.sum(self.vectors * self.vectors))

    @cached_property
    def norm_bound(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """λ_max, from the smaller of A and the Gram matrix of the vectors; up to 4096 of them, the trace beyond."""
        rows, r = self.rows, self.vectors.shape[0]
        if min(r, self.dim) > 4096:
            return self.trace
        xp = namespace(rows)
        gram = rows @ xp.matrix_transpose(rows) if r <= self.dim else xp.matrix_transpose(rows) @ rows
        return float(eigh(gram)[0][-1]) * (1.0 + tolerance(rows, r + self.dim))

    @property
    def norm_is_exact(self) -> bool:
        return min(self.vectors.shape[0], self.dim) <= 4096

    def project(self, structure: Structure) -> Coordinates:
        self.require(structure)
        return tree_map(lambda c: namespace(c).sum(c, axis=0), structure.outer(self.vectors))

    def quadratic(self, v: Array) -> Array:
        xp, flat = namespace(v), self.flat(v)
        require_shape("v", v, self.shape)
        inner = flat @ xp.matrix_transpose(self.rows)
        return xp.sum(inner * inner, axis=-1)
