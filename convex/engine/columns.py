r"""A few columns of the data, and the quadratic model on them that coordinate descent works on without its matrix.

.. math::
    g \cdot \delta + \tfrac12 \sum_i D_i (\tilde x_i \cdot \delta)^2 + \tfrac{l_2}{2} |\delta|^2 + l_1 |w + \delta|_1

The model is known through :math:`v = D \circ \tilde X \delta`: a coordinate's slope is one product of its column with v.
Columns are the rows of the transposed matrix, so the row operations serve here with their roles exchanged.

Source: derived here; yuan2012improved for coordinate descent on columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sp

from convex.engine import kernels_csr, numpy_rows
from convex.engine.compiled import HAS_NUMBA, kernel, summing
from convex.engine.hessian import is_dense
from convex.engine.kernels_csr import dot
from convex.engine.quadratic import positive
from convex.engine.rows import Rows, read_only

__all__ = ["ColumnModel", "Columns", "take_columns"]

MOST_PRODUCTS = 200
FLAT = 1e-10  # curvature relative to that of the coordinates alone: a flatter direction leads far away for nothing


def take_columns(rows: Rows, chosen: np.ndarray) -> Rows:  # chosen: (k,) increasing
    """The chosen columns, numbered anew."""
    if is_dense(rows):
        block = read_only(np.ascontiguousarray(rows.arrays[0][:, chosen]))
        return Rows((block,), rows.kernels, rows.n, chosen.size, block.size)
    if rows.kernels is not kernels_csr:
        block = rows.arrays[0][:, chosen]
        return Rows((block,), rows.kernels, rows.n, chosen.size, block.nnz)
    new = np.full(rows.d, chosen.size, np.uint32)
    new[chosen] = np.arange(chosen.size)
    # Untouched memory costs nothing: there is room for every entry.
    values, columns, pointers = rows.arrays
    kept, places = np.empty(rows.entries + 1, values.dtype), np.empty(rows.entries + 1, np.uint32)
    ends = np.zeros(rows.n + 1, np.uint64)
    copy_columns(values, columns, pointers, new, chosen.size, kept, places, ends)
    size = int(ends[-1])
    arrays = (read_only(kept[:size]), read_only(places[:size]), read_only(ends))
    return Rows(arrays, kernels_csr, rows.n, chosen.size, size)


@kernel
def copy_columns(values, columns, pointers, new, missing: int, out, places, ends) -> None:
    """Copy the entries with new[column] != missing. Every entry is written, and others over it: there is no branch."""
    at, none = np.uint64(0), np.uint32(missing)
    for i in range(pointers.size - 1):
        for k in range(pointers[i], pointers[i + 1]):
            j = new[columns[k]]
            out[at] = values[k]
            places[at] = j
            at += np.uint64(j != none)
        ends[i + 1] = at


class Columns:
    """A matrix by columns."""

    def __init__(self, rows: Rows) -> None:
        """The transpose is made here."""
        self.n, self.k = rows.n, rows.d
        block = sp.csc_array(self._matrix(rows))
        places, pointers = block.indices.astype(np.uint32), block.indptr.astype(np.uint64)
        self.arrays = (read_only(block.data), read_only(places), read_only(pointers))
        squares = np.multiply(block.data, block.data, dtype=np.float64)
        self.turned, self.squares = self._turned(block.data), self._turned(squares)

    def _matrix(self, rows: Rows) -> Any:
        """The rows as something that SciPy can transpose."""
        if rows.kernels is not kernels_csr:
            return rows.arrays[0]
        values, columns, pointers = rows.arrays
        index = np.int32 if rows.entries < 2**31 else np.int64
        return sp.csr_array((values, columns.astype(index), pointers.astype(index)), shape=(self.n, self.k))

    def _turned(self, values: np.ndarray) -> Rows:
        """The transpose as rows, with these values."""
        places, pointers = self.arrays[1:]
        if HAS_NUMBA:
            return Rows((read_only(values), places, pointers), kernels_csr, self.k, self.n, values.size)
        block = sp.csr_array((values, places.astype(np.int64), pointers.astype(np.int64)), shape=(self.k, self.n))
        return Rows((block,), numpy_rows, self.k, self.n, values.size)

    def scores(self, x: np.ndarray) -> np.ndarray:  # x: (k,)
        """(n,) the matrix times x."""
        return self.turned.scatter(x, 0.0)[:-1]

    def transpose(self, c: np.ndarray) -> np.ndarray:  # c: (n,)
        """(k,) the transpose times c."""
        return self.turned.scores(np.append(c, 0.0), 0.0)

    def weighted_squares(self, D: np.ndarray) -> np.ndarray:
        """(k,) Σ_i D_i x_ij²."""
        return self.squares.scores(np.append(D, 0.0), 0.0)


class ColumnModel:
    """The model around w, its last coordinate the intercept (scale 0: none); see `quadratic.Model`."""

    sweeps, solves, rounds = 4, 2, 8

    def __init__(
        self,
        columns: Columns,
        D: np.ndarray,  # (n,)
        gradient: np.ndarray,  # (k + 1,) of F + l2/2 |w|² at w
        l2: float,
        scale: float,
        damping: float = 0.0,
        most: float = np.inf,  # readings
    ) -> None:
        """The model at x = w."""
        self.columns, self.D, self.scale, self.g = columns, D, scale, gradient
        self.penalised = columns.k
        squares = columns.weighted_squares(D)
        self.ridge = l2 + damping * squares
        self.h = positive(np.append(squares + self.ridge, scale * scale * float(D.sum())), gradient)
        self.v, self.delta = np.zeros(D.size), np.zeros(self.penalised + 1)
        self.readings, self.most = 0.5, most  # of the columns, each for two products

    @property
    def exhausted(self) -> bool:
        """See `Model`."""
        return self.readings >= self.most

    def sweep(self, x: np.ndarray, l1: float, tol: float, most: int) -> float:
        """See `Model`."""
        numbers, (values, places, pointers) = (l1, self.scale, tol), self.columns.arrays
        matrix = (values, places, pointers, self.D, self.h, self.ridge)
        most = max(min(most, math.ceil(self.most - self.readings)), 1) if math.isfinite(self.most) else most
        largest, sweeps = column_sweeps(*matrix, self.g, self.v, self.delta, x, numbers, most)
        self.readings += sweeps
        return largest

    def residual(self, x: np.ndarray) -> np.ndarray:
        """See `Model`."""
        r = self.g + np.append(self.columns.transpose(self.v), self.scale * float(self.v.sum()))
        r[:-1] += self.ridge * self.delta[:-1]
        return r

    def solve(self, support: np.ndarray, right: np.ndarray, tol: float) -> np.ndarray | None:
        """By conjugate gradients."""
        e, r, diagonal = np.zeros(right.size), right.copy(), self.h[support]
        direction = q = r / diagonal
        rq, whole = float(r @ q), np.zeros(self.h.size)
        for _ in range(MOST_PRODUCTS):
            if self.exhausted or float(np.abs(r).max(initial=0.0)) <= tol:
                break
            whole[support] = direction
            curved = self.times(whole)[support]
            bend = float(direction @ curved)
            if bend <= FLAT * float(direction @ (diagonal * direction)):
                break
            t = rq / bend
            e += t * direction
            r -= t * curved
            q = r / diagonal
            before, rq = rq, float(r @ q)
            direction = q + (rq / before) * direction
        return e

    def times(self, change: np.ndarray) -> np.ndarray:
        """The matrix of the model times a vector."""
        self.readings += 1.0
        v = self.D * (self.columns.scores(change[:-1]) + self.scale * change[-1])
        out = np.append(self.columns.transpose(v), self.scale * float(v.sum()))
        out[:-1] += self.ridge * change[:-1]
        return out

    def product(self, change: np.ndarray) -> tuple[float, Any]:
        """See `Model`."""
        u = self.columns.scores(change[:-1]) + self.scale * change[-1]
        v = self.D * u
        return float(u @ v) + float(change[:-1] @ (self.ridge * change[:-1])), (v, change)

    def move(self, known: Any, t: float) -> None:
        """See `Model`."""
        self.v += t * known[0]
        self.delta += t * known[1]


@kernel
def add_column(a: float, values, places, begin: int, end: int, D: np.ndarray, v: np.ndarray) -> None:
    """v += a D times a column."""
    for k in range(begin, end):
        v[places[k]] += a * D[places[k]] * values[k]


@summing
def add_intercept(a: float, D: np.ndarray, v: np.ndarray) -> None:
    """v += a D."""
    for i in range(v.size):
        v[i] += a * D[i]


@summing
def total(v: np.ndarray) -> float:
    """Σ v."""
    out = 0.0
    for i in range(v.size):
        out += v[i]
    return out


if not HAS_NUMBA:

    def dot(values, columns, begin: int, end: int, w: np.ndarray) -> float:
        """Entries begin..end times w."""
        return float(values[begin:end] @ w[columns[begin:end]])

    def add_column(a: float, values, places, begin: int, end: int, D: np.ndarray, v: np.ndarray) -> None:
        """v += a D times a column."""
        at = places[begin:end]
        v[at] += a * D[at] * values[begin:end]

    def add_intercept(a: float, D: np.ndarray, v: np.ndarray) -> None:
        """v += a D."""
        v += a * D

    def total(v: np.ndarray) -> float:
        """Σ v."""
        return float(v.sum())


@kernel
def column_sweeps(
    values,
    places,
    pointers,
    D: np.ndarray,  # (n,)
    h: np.ndarray,  # (k + 1,) diagonal
    ridge: np.ndarray,  # (k,) what of it is not from the columns
    g: np.ndarray,  # (k + 1,) slopes at w
    v: np.ndarray,  # (n,) in and out
    delta: np.ndarray,  # (k + 1,) in and out: x - w
    x: np.ndarray,  # (k + 1,) in and out
    numbers: tuple[float, float, float],  # l1, scale, tol
    most: int,
) -> tuple[float, int]:
    """Coordinate descent: a whole sweep, sweeps over what is not 0 until it rests, and again; and how many."""
    l1, scale, tol = numbers
    last = x.size - 1
    active = np.empty(last, np.int64)
    count, whole = 0, True
    for made in range(most):
        largest, kept = 0.0, 0
        if scale > 0.0:
            step = -(g[last] + scale * total(v)) / h[last]
            x[last] += step
            delta[last] += step
            add_intercept(step * scale, D, v)
            largest = abs(step) * h[last]
        for k in range(last if whole else count):
            j = k if whole else active[k]
            begin, end = pointers[j], pointers[j + 1]
            u = x[j] - (g[j] + dot(values, places, begin, end, v) + ridge[j] * delta[j]) / h[j]
            u = max(u - l1 / h[j], 0.0) + min(u + l1 / h[j], 0.0)
            step = u - x[j]
            if u != 0.0 or step != 0.0 or not whole:
                active[kept] = j
                kept += 1
            if step != 0.0:
                x[j] = u
                delta[j] += step
                add_column(step, values, places, begin, end, D, v)
                largest = max(largest, abs(step) * h[j])
        count = kept if whole else count
        if largest <= tol:
            if whole:
                return largest, made + 1
            whole = True
        else:
            whole = False
    return np.inf, most
