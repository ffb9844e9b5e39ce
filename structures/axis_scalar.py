r"""One number for each row, or for each column, of a matrix parameter: :math:`D_m \otimes I_n` and :math:`I_m \otimes D_n`.

.. math:: E(gg^\top)_i = \tfrac1n \|G_{i,:}\|_2^2, \quad \|X\|_{\mathcal H} = \max_i \|X_{i,:}\|_2/\sqrt n, \quad
          |||g|||_{\mathcal H} = \sqrt n \textstyle\sum_i \bigl(\sum_t \|G_{t,i,:}\|_2^2\bigr)^{1/2}

for rows; columns are the transposed statement.

Source: derived here as instances of Xie et al. 2025, arXiv 2503.10537.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from structures.arrays import Array, like, namespace
from structures.base import Structure
from structures.commutative import Commutative

__all__ = ["ColumnScalar", "RowScalar"]


@dataclass(frozen=True)
class _AxisScalar(Commutative):
    """Values along one axis of an (m, n) parameter, shared along the other."""

    kept: ClassVar[int]  # the axis, of (m, n), that has a value for each index

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) != 2:
            raise ValueError(f"{type(self).__name__} needs a matrix parameter (m, n), got shape {self.shape}.")

    @property
    def rank(self) -> int:
        return self.shape[self.kept]

    def pool(self, energy: Array) -> Array:
        table = namespace(energy).reshape(energy, (*energy.shape[:-1], *self.shape))
        return namespace(energy).mean(table, axis=-1 if self.kept == 0 else -2)

    def spread(self, values: Array) -> Array:
        xp = namespace(values)
        expanded = values[..., :, None] if self.kept == 0 else values[..., None, :]
        table = xp.broadcast_to(expanded, (*values.shape[:-1], *self.shape))
        return xp.reshape(table, (*values.shape[:-1], self.dim))

    def weights(self, values: Array) -> Array:
        size = float(self.shape[1 - self.kept])
        return namespace(values).full((self.rank,), size, **like(values))


@dataclass(frozen=True)
class RowScalar(_AxisScalar):
    """One value per row; coordinates have shape (..., m)."""

    kept: ClassVar[int] = 0

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2, 3)), cls((3, 1))]


@dataclass(frozen=True)
class ColumnScalar(_AxisScalar):
    """One value per column; coordinates have shape (..., n)."""

    kept: ClassVar[int] = 1

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2, 3)), cls((1, 3))]
