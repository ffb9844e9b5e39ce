r"""The data matrix as the solver sees it: arrays, and the functions that work on them, compiled or NumPy.

.. math:: w \mapsto X w + \beta s, \qquad c \mapsto X^\top c, \qquad |x_i|^2, \qquad \text{one stage of AccSVRDA}

Compiled kernels see data through read-only views (a user's read-only memory map and an array of one's own are then
one type and one compilation), indices unsigned: uint32 columns, uint64 row pointers.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from convex.engine import kernels_csr, kernels_dense, numpy_rows
from convex.engine.compiled import HAS_NUMBA

__all__ = ["Rows"]

LARGE = 2**28  # bytes of values above which no shuffled copy is made


def read_only(array: np.ndarray) -> np.ndarray:
    """A plain read-only view."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def mapped(array: np.ndarray | None) -> bool:
    """Whether the memory belongs to a file."""
    while array is not None and not isinstance(array, np.memmap):
        array = array.base if isinstance(array.base, np.ndarray) else None
    return array is not None


@dataclass(frozen=True)
class Rows:
    """n rows of d features."""

    arrays: Any  # the tuple that every kernel takes first
    kernels: Any  # a module of `scores`, `scatter`, `squared_norms` and `stage`
    n: int
    d: int
    entries: int  # stored numbers
    stays: bool = False  # mapped from a file or large: not to be copied

    @classmethod
    def of(cls, X: Any, compiled: bool = HAS_NUMBA) -> Rows:
        """Without copying dense values; CSR indices are copied only where they are not 32-bit already."""
        n, d = X.shape
        if not sp.issparse(X):
            kernels = kernels_dense if compiled else numpy_rows
            return cls((read_only(X),), kernels, n, d, n * d, mapped(X) or X.nbytes > LARGE)
        if not compiled:
            return cls((sp.csr_array(X),), numpy_rows, n, d, X.nnz)
        columns = X.indices.view(np.uint32) if X.indices.dtype == np.int32 else X.indices.astype(np.uint32)
        arrays = (read_only(X.data), read_only(columns), read_only(X.indptr.astype(np.uint64)))
        return cls(arrays, kernels_csr, n, d, X.nnz, X.data.nbytes > LARGE)

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Ranges of rows of about 2**17 stored numbers: a block read once stays in the cache for its second product."""
        size = max(1024, 2**17 * self.n // max(self.entries, 1))
        return [(a, min(a + size, self.n)) for a in range(0, self.n, size)]

    def part(self, start: int, stop: int) -> tuple:
        """The arrays of rows start..stop."""
        if self.kernels is kernels_csr:
            return *self.arrays[:2], self.arrays[2][start : stop + 1]
        return (self.arrays[0][start:stop],)

    def scores(self, w: np.ndarray, scale: float) -> np.ndarray:
        """X w[:d] + w[d] scale."""
        z = np.empty(self.n)
        self.kernels.scores(*self.arrays, w, scale, z)
        return z

    def scatter(self, c: np.ndarray, scale: float) -> np.ndarray:
        """(Xᵀ c, scale Σ c)."""
        g = np.zeros(self.d + 1)
        self.kernels.scatter(*self.arrays, c, scale, g)
        return g

    def squared_norms(self) -> np.ndarray:
        """|x_i|²."""
        out = np.empty(self.n)
        self.kernels.squared_norms(*self.arrays, out)
        return out

    def take(self, order: np.ndarray) -> Rows:
        """Those rows, in that order, copied."""
        if self.kernels is not kernels_csr:
            taken = self.arrays[0][order]
            if sp.issparse(taken):
                return Rows((taken,), self.kernels, order.size, self.d, taken.nnz)
            return Rows((read_only(taken),), self.kernels, order.size, self.d, taken.size)
        values, columns, pointers = self.arrays
        order = order.astype(np.uint64)
        lengths = pointers[order + np.uint64(1)] - pointers[order]
        begins = np.zeros(order.size + 1, np.uint64)
        np.cumsum(lengths, out=begins[1:])
        entries = int(begins[-1])
        taken, places = np.empty(entries, values.dtype), np.empty(entries, np.uint32)
        kernels_csr.take_rows(values, columns, pointers, order, taken, places)
        arrays = (read_only(taken), read_only(places), read_only(begins))
        return Rows(arrays, self.kernels, order.size, self.d, entries)
