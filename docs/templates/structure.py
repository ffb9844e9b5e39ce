r"""Matrices that commute with reversing the order of the parameters.

With R the reversal permutation,

.. math:: J = \{A \in S^d : R A R = A\}, \qquad E(M) = \tfrac12 (M + R M R).

Source: derived here, as a template: E averages M over the group {I, R}, which makes it the projection onto the commutant.
"""

from __future__ import annotations

from dataclasses import dataclass

from structures.arrays import Array, namespace
from structures.base import Structure

__all__ = ["ReversalSymmetric"]


@dataclass(frozen=True)
class ReversalSymmetric(Structure):
    """Symmetric matrices invariant under reversal; coordinates are the matrix itself, (..., d, d)."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((3,)), cls((2, 2))]

    def project(self, M: Array) -> Array:  # (..., d, d)
        S = self._symmetric(M)  # checks the shape
        return 0.5 * (S + namespace(S).flip(S, axis=(-2, -1)))

    def dense(self, c: Array) -> Array:  # -> (..., d, d)
        return c
