r"""A weighted sum of squares of the rows of a sparse matrix, for parameters too many to hold a dense row of each sample.

.. math:: A = \textstyle\sum_i w_i a_i a_i^\top = X^\top \operatorname{diag}(w) X, \qquad w \ge 0 .

NumPy only: SciPy's matrices live on the host.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from problems.operators.base import SymmetricOperator
from problems.operators.diagonal import pools_coordinates
from structures import Structure
from structures.arrays import Coordinates, tree_map

__all__ = ["SparseGramOperator", "product"]

CHUNK = 1 << 22  # numbers in a dense piece of the rows


def product(matrix: Any, v: np.ndarray) -> np.ndarray:  # (n, d) sparse, (..., d) -> (..., n)
    """X v for a batch of vectors."""
    lead = v.shape[:-1]
    return np.ascontiguousarray((matrix @ v.reshape(-1, v.shape[-1]).T).T).reshape(*lead, matrix.shape[0])


@dataclass(frozen=True, eq=False, repr=False)
class SparseGramOperator(SymmetricOperator):
    """Xᵀ diag(w) X on vectors. Raises ValueError for a negative weight."""

    matrix: Any  # (n, d) scipy.sparse CSR
    weights: np.ndarray  # (n,)

    def __post_init__(self) -> None:
        if not np.all(self.weights >= 0):
            raise ValueError("weights must be nonnegative: the operator is a sum of squares.")

    @property
    def shape(self) -> tuple[int, ...]:
        return (int(self.matrix.shape[1]),)

    @cached_property
    def like(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        return np.zeros(0)

    def beside(self, x: Any) -> Self:
        if not isinstance(x, np.ndarray):
            raise TypeError("sparse data live on the host: use NumPy parameters, or dense data.")
        return self

    @cached_property
    def _transposed(self) -> Any:
        return self.matrix.T.tocsr()

    def apply(self, v: np.ndarray) -> np.ndarray:
        return product(self._transposed, self.weights * product(self.matrix, self.flat(v)))

    def quadratic(self, v: np.ndarray) -> np.ndarray:
        return np.sum(self.weights * product(self.matrix, self.flat(v)) ** 2, axis=-1)

    def dense(self) -> np.ndarray:
        return np.asarray((self._transposed @ self.matrix.multiply(self.weights[:, None]).tocsr()).toarray())

    @cached_property
    def diagonal(self) -> np.ndarray:  # (d,)
        """Σ_i w_i a_ij²."""
        return np.asarray(self.weights @ self.matrix.power(2)).reshape(-1)

    @property
    def trace(self) -> float:
        return float(np.sum(self.diagonal))

    @cached_property
    def norm_bound(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The largest absolute row sum of A, from |X|: an upper bound of λ_max, exact for nonnegative data of equal row sums."""
        size = abs(self.matrix)
        sums = size.T @ (self.weights * (size @ np.ones(self.dim)))
        return float(min(np.max(sums, initial=0.0), self.trace)) * (1.0 + 1e-12)

    @property
    def norm_is_exact(self) -> bool:
        return False

    def project(self, structure: Structure) -> Coordinates:
        self.require(structure)
        if pools_coordinates(structure):
            return structure.pool(self.diagonal)
        step = max(1, CHUNK // self.dim)
        total = structure.outer(np.zeros(self.dim))
        for begin in range(0, self.matrix.shape[0], step):
            rows = self.matrix[begin : begin + step].toarray() * np.sqrt(self.weights[begin : begin + step, None])
            total = tree_map(lambda t, c: t + np.sum(c, axis=0), total, structure.outer(rows))
        return total
