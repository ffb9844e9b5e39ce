r"""Linear sets that look natural and are not closed under squaring.

A pattern of zeros is closed under squaring exactly when its graph is a disjoint union of cliques, so the tridiagonal and
the star pattern fail; so do Toeplitz matrices, a diagonal plus multiples of one fixed rank-one matrix, Kronecker sums

.. math:: L = \{A \otimes I + I \otimes B\},

and even the commuting span of I and the adjacency matrix of a path. For each, a vector x with
:math:`\lambda_{\min}(E(xx^\top)) < 0` proves the failure (tests/structures/test_not_structured.py has them, exactly).

Source: derived here, docs/proofs/characterisation.md.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from structures.base import Structure
from structures.not_structured.linear import LinearSet

__all__ = ["DiagonalPlusRankOne", "KroneckerSum", "PathSpan", "Star", "SymmetricToeplitz", "Tridiagonal"]


def _pairs(d: int, pairs: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """e_i e_jᵀ + e_j e_iᵀ for each pair, e_i e_iᵀ for i = j."""
    basis = np.eye(d)
    return [
        np.outer(basis[i], basis[j]) if i == j else np.outer(basis[i], basis[j]) + np.outer(basis[j], basis[i])
        for i, j in pairs
    ]


@dataclass(frozen=True, init=False)
class _Pattern(LinearSet):
    """A linear set that its shape determines."""

    def __init__(self, shape: Sequence[int]) -> None:
        shape = tuple(int(n) for n in shape)
        super().__init__(np.stack(self._elements(shape)), shape)

    @staticmethod
    @abstractmethod
    def _elements(shape: tuple[int, ...]) -> list[np.ndarray]:
        """Matrices that span the set."""


@dataclass(frozen=True, init=False)
class Tridiagonal(_Pattern):
    """Symmetric tridiagonal matrices."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((3,))]

    @staticmethod
    def _elements(shape: tuple[int, ...]) -> list[np.ndarray]:
        d = int(np.prod(shape))
        return _pairs(d, [(i, j) for i in range(d) for j in (i, i + 1) if j < d])


@dataclass(frozen=True, init=False)
class Star(_Pattern):
    """Arrow matrices: a diagonal, and the row and column of the first parameter."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((4,))]

    @staticmethod
    def _elements(shape: tuple[int, ...]) -> list[np.ndarray]:
        d = int(np.prod(shape))
        return _pairs(d, [(i, i) for i in range(d)] + [(0, i) for i in range(1, d)])


@dataclass(frozen=True, init=False)
class SymmetricToeplitz(_Pattern):
    """Symmetric matrices that are constant along each diagonal."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((3,))]

    @staticmethod
    def _elements(shape: tuple[int, ...]) -> list[np.ndarray]:
        d = int(np.prod(shape))
        return [sum(_pairs(d, [(i, i + lag) for i in range(d - lag)]), np.zeros((d, d))) for lag in range(d)]


@dataclass(frozen=True, init=False)
class DiagonalPlusRankOne(_Pattern):
    """A diagonal plus a multiple of 11ᵀ: low rank plus diagonal with a fixed factor."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((3,))]

    @staticmethod
    def _elements(shape: tuple[int, ...]) -> list[np.ndarray]:
        d = int(np.prod(shape))
        return [*_pairs(d, [(i, i) for i in range(d)]), np.ones((d, d))]


@dataclass(frozen=True, init=False)
class PathSpan(_Pattern):
    """The span of I and the adjacency matrix of a path: its elements commute, and still it is not closed."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((3,))]

    @staticmethod
    def _elements(shape: tuple[int, ...]) -> list[np.ndarray]:
        d = int(np.prod(shape))
        return [np.eye(d), sum(_pairs(d, [(i, i + 1) for i in range(d - 1)]), np.zeros((d, d)))]


@dataclass(frozen=True, init=False)
class KroneckerSum(_Pattern):
    """A ⊗ I + I ⊗ B for a matrix parameter (m, n)."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2, 2))]

    @staticmethod
    def _elements(shape: tuple[int, ...]) -> list[np.ndarray]:
        if len(shape) != 2:
            raise ValueError(f"KroneckerSum needs a matrix parameter (m, n), got shape {shape}.")
        m, n = shape
        left = [np.kron(A, np.eye(n)) for A in _symmetric_units(m)]
        return left + [np.kron(np.eye(m), B) for B in _symmetric_units(n)]


def _symmetric_units(k: int) -> list[np.ndarray]:
    return _pairs(k, [(i, j) for i in range(k) for j in range(i, k)])
