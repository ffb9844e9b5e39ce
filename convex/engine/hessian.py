r"""The weighted Gram matrix of the rows: the Hessian of the loss where the features are few enough to write it down.

.. math::
    B = \tilde X^\top \mathrm{diag}(D)\, \tilde X, \qquad D_i = p_i \varphi''(z_i), \qquad \tilde X = (X, s \mathbf 1)

A dense matrix is multiplied in blocks by BLAS; of a CSR row every pair of entries is added to one triangle.

Source: derived here.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from convex.engine import numpy_losses, numpy_rows
from convex.engine.compiled import kernel
from convex.engine.losses import HUBER, LOG, MODIFIED_HUBER
from convex.engine.rows import Rows, read_only
from convex.engine.task import Snapshot, Task

__all__ = ["curvatures", "diagonal_of", "gram", "gram_passes", "is_dense", "secants", "squared"]

BUFFER = 2**19  # numbers in a block of dense rows: 4 MiB


def is_dense(rows: Rows) -> bool:
    """Whether the matrix is one array."""
    return isinstance(rows.arrays[0], np.ndarray) and rows.arrays[0].ndim == 2


def curvatures(task: Task, snap: Snapshot) -> np.ndarray:
    """(n,) p_i φ''(z_i); for the logistic loss from the slopes, which took the exponentials already."""
    if task.code == LOG:
        size = np.abs(snap.s)
        return size * np.maximum(1.0 - size / task.p, 0.0)
    return task.p * numpy_losses.curvatures(task.code, snap.z, task.y, task.delta)


def secants(task: Task, snap: Snapshot) -> np.ndarray:
    """(n,) the curvature, but p_i |φ'(z_i)| / |z_i - argmin φ| where φ is linear: a parabola above φ that touches it."""
    out = curvatures(task, snap)
    if task.code in (HUBER, MODIFIED_HUBER):
        linear = (out == 0.0) & (snap.s != 0.0)
        out[linear] = np.abs(snap.s[linear] / (snap.z[linear] - task.y[linear]))  # argmin φ is y for both losses
    return out


def gram_passes(rows: Rows) -> float:
    """What a Gram matrix costs in passes over the data, about: a product by BLAS takes less than one of a pass."""
    if is_dense(rows):
        return 2.0 + rows.d / 15.0
    return 1.0 + rows.entries / (3.0 * max(rows.n, 1))


def gram(task: Task, D: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:  # D: (n,) >= 0
    """B on the chosen columns of X (all of them by default), with the column of the intercept last if there is one."""
    rows = task.rows
    chosen = np.arange(rows.d) if chosen is None else chosen
    inner = inner_gram(rows, D, chosen)
    if not task.scale:
        return inner
    B = np.empty((chosen.size + 1, chosen.size + 1))
    B[:-1, :-1] = inner
    border = task.scale * rows.scatter(D, task.scale)
    B[-1, :-1] = B[:-1, -1] = border[chosen]
    B[-1, -1] = border[-1]
    return B


def inner_gram(rows: Rows, D: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(k, k) Xᵀ diag(D) X on the chosen columns."""
    whole = chosen.size == rows.d
    if is_dense(rows):
        return dense_gram(rows.arrays[0], D, None if whole else chosen)
    if rows.kernels is numpy_rows:
        X = rows.arrays[0].astype(np.float64)[:, chosen]
        return (X.T @ X.multiply(D[:, None]).tocsr()).toarray()
    new = np.full(rows.d, chosen.size, np.uint32)
    new[chosen] = np.arange(chosen.size)
    H = np.zeros((chosen.size, chosen.size))
    values, columns, pointers = rows.arrays
    pair_products(values, columns, pointers, D, new, H)
    return H + H.T


def dense_gram(X: np.ndarray, D: np.ndarray, chosen: np.ndarray | None) -> np.ndarray:
    """Blocks of sqrt(D) X in float64, each times itself."""
    n, d = X.shape
    root = np.sqrt(D)[:, None]
    size = max(64, BUFFER // max(d, 1))
    if n <= size:
        block = (X if chosen is None else X[:, chosen]) * root
        return block.T @ block
    k = d if chosen is None else chosen.size
    buffer, H = np.empty((size, k)), np.zeros((k, k))
    for a in range(0, n, size):
        b = min(a + size, n)
        part = X[a:b] if chosen is None else X[a:b, chosen]
        block = np.multiply(part, root[a:b], out=buffer[: b - a])
        H += block.T @ block
    return H


def squared(rows: Rows) -> Rows | None:
    """The rows with their entries squared; None for dense ones, which are squared block by block."""
    if is_dense(rows):
        return None
    first = rows.arrays[0]
    if not sp.issparse(first):
        square = np.multiply(first, first, dtype=np.float64)  # squares of float32 would overflow from 1e19 on
        return Rows((read_only(square), *rows.arrays[1:]), rows.kernels, rows.n, rows.d, rows.entries)
    values = np.multiply(first.data, first.data, dtype=np.float64)
    square = sp.csr_array((values, first.indices, first.indptr), shape=first.shape)
    return Rows((square,), rows.kernels, rows.n, rows.d, rows.entries)


def diagonal_of(task: Task, squares: Rows | None, D: np.ndarray) -> np.ndarray:
    """(d + 1,) the diagonal of B with the ridge on it, 1 where it is 0."""
    if squares is not None:
        out = squares.scatter(D, task.scale)
    else:
        out = np.zeros(task.rows.d + 1)
        for a, b in task.rows.blocks:
            block = task.rows.arrays[0][a:b].astype(np.float64)
            out[:-1] += D[a:b] @ (block * block)
        out[-1] = task.scale * float(D.sum())
    out[-1] *= task.scale
    out[:-1] += task.l2
    out[out <= 0.0] = 1.0
    return out


@kernel
def pair_products(values, columns, pointers, D: np.ndarray, new: np.ndarray, H: np.ndarray) -> None:
    """H += D_i times the product of every two entries of row i, in one triangle; of the squares one half.

    Column j is new[j] in H; those beyond the last are left out.
    """
    kept, places = np.empty(new.size), np.empty(new.size, np.uint32)
    last = np.uint32(H.shape[0])
    for i in range(pointers.size - 1):
        weight, count = D[i], np.uint64(0)  # a signed counter would be tested for negative numbers: three times slower
        if weight == 0.0:
            continue
        for k in range(pointers[i], pointers[i + 1]):
            j = new[columns[k]]
            places[count] = j
            kept[count] = values[k]
            count += np.uint64(j < last)
        for k in range(count):
            a, row = weight * kept[k], H[places[k]]
            row[places[k]] -= 0.5 * a * kept[k]
            for m in range(k, count):
                row[places[m]] += a * kept[m]
