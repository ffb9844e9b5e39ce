r"""A diagonal operator, one number for each parameter.

.. math:: A = \operatorname{diag}(\operatorname{vec} a) .

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeGuard

from problems.operators.base import SymmetricOperator
from structures import ModeK, Structure
from structures.arrays import Array, Coordinates, asarray_like, eye, namespace, require_finite, require_shape, to_numpy
from structures.commutative import Commutative

__all__ = ["DiagonalOperator", "pools_coordinates"]


@dataclass(frozen=True, eq=False, repr=False)
class DiagonalOperator(SymmetricOperator):
    """v ↦ a v entry by entry. Raises ValueError for an entry that is not finite."""

    entries: Array  # (*shape)

    def __post_init__(self) -> None:
        require_finite("entries", self.entries)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.entries.shape)

    @property
    def like(self) -> Array:
        return self.entries

    @property
    def psd(self) -> bool:
        return not bool(namespace(self.entries).any(self.entries < 0))

    def beside(self, x: Array) -> Self:
        return type(self)(asarray_like(to_numpy(self.entries), x))

    def apply(self, v: Array) -> Array:
        require_shape("v", v, self.shape)
        return self.entries * v

    def dense(self) -> Array:
        flat = self.flat(self.entries)
        return eye(self.dim, flat) * flat

    @property
    def trace(self) -> float:
        return float(namespace(self.entries).sum(self.entries))

    @property
    def norm_bound(self) -> float:
        return float(namespace(self.entries).max(namespace(self.entries).abs(self.entries)))

    def project(self, structure: Structure) -> Coordinates:
        self.require(structure)
        if pools_coordinates(structure):
            return structure.pool(structure.flatten(self.entries))
        if isinstance(structure, ModeK):  # the mean over everything but the axis
            rows = namespace(self.entries).mean(structure.unfold(self.entries), axis=-1)
            return eye(structure.rank, rows) * rows
        return super().project(structure)


def pools_coordinates(structure: Structure) -> TypeGuard[Commutative]:
    """Whether the structure is diagonal in the standard basis, so that E(A) depends on the diagonal of A alone.

    A subclass that goes to its basis in any of its methods, as the exchangeable matrices do in all but `analyse`, is not.
    """
    if not isinstance(structure, Commutative) or structure.mixing:
        return False
    kind = type(structure)
    return kind.analyse is Commutative.analyse and kind.diagonal_of is Commutative.diagonal_of
