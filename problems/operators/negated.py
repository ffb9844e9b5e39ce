r"""The operator −A, and the absolute value |A| of an indefinite one.

.. math:: -H \preceq A \preceq H \iff A \preceq H \text{ and } -A \preceq H, \qquad |A| = (A^2)^{1/2} .

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from problems.operators.base import SymmetricOperator
from problems.operators.dense import DenseOperator
from problems.operators.diagonal import DiagonalOperator
from structures import Structure
from structures.arrays import Array, Coordinates, namespace, tree_map
from structures.roots import eigh

__all__ = ["NegatedOperator", "absolute_value"]


@dataclass(frozen=True, eq=False, repr=False)
class NegatedOperator(SymmetricOperator):
    """−A."""

    base: SymmetricOperator

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape

    @property
    def like(self) -> Array:
        return self.base.like

    @property
    def psd(self) -> bool:
        return False

    def beside(self, x: Array) -> Self:
        return type(self)(self.base.beside(x))

    def apply(self, v: Array) -> Array:
        return -self.base.apply(v)

    def dense(self) -> Array:
        return -self.base.dense()

    @property
    def trace(self) -> float:
        return -self.base.trace

    @property
    def norm_bound(self) -> float:
        return self.base.norm_bound

    @property
    def norm_is_exact(self) -> bool:
        return self.base.norm_is_exact

    def project(self, structure: Structure) -> Coordinates:
        return tree_map(lambda c: -c, self.base.project(structure))


def absolute_value(operator: SymmetricOperator) -> SymmetricOperator:
    """|A|: A itself where A ⪰ 0, else by its entries or its eigendecomposition."""
    if operator.psd:
        return operator
    if isinstance(operator, DiagonalOperator):
        return DiagonalOperator(namespace(operator.entries).abs(operator.entries))
    values, vectors = eigh(operator.dense())
    xp = namespace(values)
    return DenseOperator((vectors * xp.abs(values)) @ xp.matrix_transpose(vectors), operator.shape)
