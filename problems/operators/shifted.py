r"""An operator plus a multiple of the identity: a Hessian with a ridge.

.. math:: A + \delta I, \qquad \delta \ge 0 .

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from problems.operators.base import SymmetricOperator
from structures import Structure
from structures.arrays import Array, Coordinates, eye, tree_map

__all__ = ["ShiftedOperator", "shifted"]


def shifted(operator: SymmetricOperator, shift: float) -> SymmetricOperator:
    """A + δI, A itself for δ = 0."""
    return operator if shift == 0 else ShiftedOperator(operator, shift)


@dataclass(frozen=True, eq=False, repr=False)
class ShiftedOperator(SymmetricOperator):
    """A + δI. Raises ValueError unless δ is finite and at least 0, so that A ⪰ 0 stays so."""

    base: SymmetricOperator
    shift: float

    def __post_init__(self) -> None:
        if not 0 <= self.shift < float("inf"):
            raise ValueError(f"shift must be finite and at least 0, got {self.shift}.")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape

    @property
    def like(self) -> Array:
        return self.base.like

    @property
    def psd(self) -> bool:
        return self.base.psd

    def beside(self, x: Array) -> Self:
        return type(self)(self.base.beside(x), self.shift)

    def apply(self, v: Array) -> Array:
        return self.base.apply(v) + self.shift * v

    def dense(self) -> Array:
        return self.base.dense() + self.shift * eye(self.dim, self.like)

    @property
    def trace(self) -> float:
        return self.base.trace + self.shift * self.dim

    @property
    def norm_bound(self) -> float:
        return self.base.norm_bound + self.shift

    @property
    def norm_is_exact(self) -> bool:
        return self.base.norm_is_exact and self.base.psd

    def project(self, structure: Structure) -> Coordinates:
        identity = structure.identity(self.like)
        return tree_map(lambda c, i: c + self.shift * i, self.base.project(structure), identity)
