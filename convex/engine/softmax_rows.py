r"""The data matrix for K columns of weights: products with it and with its transpose, for all rows or for drawn ones.

.. math:: Z = X U_{1:d} + s\,U_{d+1}, \qquad G = (X^\top S;\; s\,\mathbf 1^\top S), \qquad U, G: (d + 1, K)

The last row of U is the intercept over s, the root mean square of \|x_i\| (no such row without an intercept). Dense products
are those of BLAS; float32 data are converted block by block, so that sums are float64 and nothing large is copied.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from convex.engine import softmax_kernels
from convex.engine.compiled import HAS_NUMBA
from convex.engine.rows import Rows, read_only

__all__ = ["SoftmaxRows"]

BLOCK = 2**18  # entries of a float32 matrix converted at a time


@dataclass(frozen=True)
class SoftmaxRows:
    """n rows of d features, and the scale of the intercept (0: none)."""

    data: Any  # dense array, CSR matrix (without numba), or (values, columns, pointers)
    n: int
    d: int
    entries: int
    scale: float

    @classmethod
    def of(cls, X: Any, compiled: bool = HAS_NUMBA) -> SoftmaxRows:
        """Rows without an intercept."""
        n, d = X.shape
        if not sp.issparse(X):
            return cls(np.asarray(X), n, d, X.size, 0.0)
        data = Rows.of(X, compiled).arrays if compiled else sp.csr_array(X)
        return cls(data, n, d, X.nnz, 0.0)

    def with_intercept(self, p: np.ndarray) -> SoftmaxRows:  # p: (n,) weights
        """The same rows with a column of the constant s, s² = Σ p_i |x_i|²."""
        return replace(self, scale=float(np.sqrt(p @ self.squared_norms())) or 1.0)

    @property
    def compiled(self) -> bool:
        """Whether the data are the three arrays that the kernels take."""
        return isinstance(self.data, tuple)

    @property
    def size(self) -> int:
        """Rows of U: features, and the intercept if there is one."""
        return self.d + (self.scale > 0.0)

    def columns(self, chosen: np.ndarray) -> SoftmaxRows:  # (c,) increasing feature numbers
        """Fewer features, copied; the scale of the intercept stays."""
        if not self.compiled:
            data: Any = self.data[:, chosen] if sp.issparse(self.data) else np.ascontiguousarray(self.data[:, chosen])
            return replace(self, data=data, d=chosen.size, entries=data.nnz if sp.issparse(data) else data.size)
        values, columns, pointers = self.data
        place = np.full(self.d, self.d, dtype=np.uint32)
        place[chosen] = np.arange(chosen.size, dtype=np.uint32)
        moved = place[columns]
        kept = moved < self.d
        before = np.concatenate([[0], np.cumsum(kept)]).astype(np.uint64)
        data = tuple(map(read_only, (values[kept], moved[kept], before[pointers])))
        return replace(self, data=data, d=chosen.size, entries=int(kept.sum()))

    def scores(
        self,
        U: np.ndarray,  # (size, K)
        drawn: np.ndarray | None = None,  # (b,) row numbers; all rows when None
    ) -> np.ndarray:  # (n, K) or (b, K)
        """X U."""
        last = self.scale * U[self.d] if self.scale else 0.0
        if self.compiled:
            rows = np.arange(self.n) if drawn is None else drawn
            Z = np.empty((rows.size, U.shape[1]))
            values, columns, pointers = self.data
            softmax_kernels.scores(values, columns, pointers, rows.astype(np.uint64), U, Z)
            return Z + last
        return np.concatenate([part @ U[: self.d] for _, part in self._parts(drawn)]) + last

    def scatter(
        self,
        S: np.ndarray,  # (n, K) or (b, K)
        drawn: np.ndarray | None = None,  # (b,)
    ) -> np.ndarray:  # (size, K)
        """Xᵀ S."""
        G = np.zeros((self.size, S.shape[1]))
        if self.compiled:
            rows = np.arange(self.n) if drawn is None else drawn
            values, columns, pointers = self.data
            softmax_kernels.scatter(values, columns, pointers, rows.astype(np.uint64), S, G)
        else:
            for start, part in self._parts(drawn):
                G[: self.d] += part.T @ S[start : start + part.shape[0]]
        if self.scale:
            G[self.d] = self.scale * S.sum(axis=0)
        return G

    def scatter_squares(self, S: np.ndarray) -> np.ndarray:  # (n, K) -> (size, K)
        """(X ∘ X)ᵀ S: diagonals of Hessians."""
        G = np.zeros((self.size, S.shape[1]))
        if self.compiled:
            values, columns, pointers = self.data
            softmax_kernels.scatter_squares(values, columns, pointers, S, G)
        else:
            for start, part in self._parts(None, BLOCK):
                square = part.multiply(part).tocsr() if sp.issparse(part) else part * part
                G[: self.d] += square.T @ S[start : start + part.shape[0]]
        if self.scale:
            G[self.d] = self.scale**2 * S.sum(axis=0)
        return G

    def dense_blocks(self, limit: int) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, float64 block with the column of the intercept), of at most about `limit` numbers."""
        X = sp.csr_matrix(self.data, shape=(self.n, self.d)) if self.compiled else self.data
        step = max(1, limit // max(self.size, 1))
        for start in range(0, self.n, step):
            part = X[start : start + step]
            part = (part.toarray() if sp.issparse(part) else part).astype(np.float64, copy=False)
            yield start, np.hstack([part, np.full((len(part), 1), self.scale)]) if self.scale else part

    def squared_norms(self) -> np.ndarray:  # (n,)
        """|x_i|², without the constant."""
        if self.compiled:
            out = np.empty(self.n)
            softmax_kernels.squared_norms(self.data[0], self.data[2], out)
            return out
        parts = (part for _, part in self._parts(None, BLOCK))
        return np.concatenate([row_squares(part) for part in parts])

    def _parts(self, drawn: np.ndarray | None, limit: int | None = None) -> Any:
        """(first row, block of rows in float64); one block when nothing has to be converted."""
        X = self.data if drawn is None else self.data[drawn]
        whole = X.dtype == np.float64 and limit is None
        step = max(1, X.shape[0]) if whole else max(1, BLOCK * X.shape[0] // max(1, self.entries))
        for start in range(0, max(1, X.shape[0]), step):
            yield start, X[start : start + step].astype(np.float64, copy=False)


def row_squares(part: Any) -> np.ndarray:
    """|x_i|² of a dense or a CSR block."""
    return np.asarray(part.multiply(part).sum(axis=1)).ravel() if sp.issparse(part) else np.vecdot(part, part)
