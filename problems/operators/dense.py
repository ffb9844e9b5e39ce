r"""A symmetric operator given by its matrix.

.. math:: A = A^\top \in \mathbb R^{d \times d} .

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Self

from problems.operators.base import SymmetricOperator
from structures.arrays import Array, asarray_like, namespace, require_finite, require_shape, sym, to_numpy
from structures.roots import eigh

__all__ = ["DenseOperator"]


@dataclass(frozen=True, eq=False, repr=False)
class DenseOperator(SymmetricOperator):
    """The symmetric part of a d×d matrix. Raises ValueError for a wrong shape or an entry that is not finite."""

    matrix: Array  # (d, d)
    parameter_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        require_finite("matrix", self.matrix)
        require_shape("matrix", self.matrix, (prod(self.parameter_shape),) * 2)
        object.__setattr__(self, "matrix", sym(self.matrix))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.parameter_shape)

    @property
    def like(self) -> Array:
        return self.matrix

    @cached_property
    def psd(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whether no eigenvalue is negative beyond rounding."""
        values = eigh(self.matrix)[0]
        xp = namespace(values)
        return bool(xp.min(values) >= -16.0 * self.dim * float(xp.finfo(values.dtype).eps) * xp.max(xp.abs(values)))

    def beside(self, x: Array) -> Self:
        return type(self)(asarray_like(to_numpy(self.matrix), x), self.parameter_shape)

    def apply(self, v: Array) -> Array:
        return namespace(v).reshape(self.flat(v) @ self.matrix, v.shape)

    def dense(self) -> Array:
        return self.matrix

    @property
    def trace(self) -> float:
        return float(namespace(self.matrix).linalg.trace(self.matrix))
