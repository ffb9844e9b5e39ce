r"""The weighted Gram matrix of the rows: the Hessian of the loss where the features are few enough to write it down.

.. math:: B = \tilde X^\top \mathrm{diag}(D)\, \tilde X, \qquad D_i = p_i \varphi''(z_i), \qquad \tilde X = (X, s \mathbf 1)

A dense matrix is multiplied in blocks by BLAS; of a CSR row every pair of entries is added to one triangle.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine import numpy_losses, numpy_rows
from convex.engine.compiled import kernel
from convex.engine.losses import HUBER, LOG, MODIFIED_HUBER
from convex.engine.rows import Rows
from convex.engine.task import Snapshot, Task

__all__ = ["curvatures", "gram", "gram_passes", "is_dense", "secants"]

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
    """(n,) the curvature, and where φ is linear p_i |φ'(z_i)| / |z_i - argmin φ|: a parabola above φ that touches it at z_i."""
    out = curvatures(task, snap)
    if task.code in (HUBER, MODIFIED_HUBER):
        linear = (out == 0.0) & (snap.s != 0.0)
        out[linear] = np.abs(snap.s[linear] / (snap.z[linear] - task.y[linear]))  # argmin φ is y for both losses
    return out


def gram_passes(rows: Rows) -> float:
    """About what a Gram matrix costs in passes over the data, as measured: one product by BLAS is much cheaper than one of a pass."""
    if is_dense(rows):
        return 2.0 + rows.d / 15.0
    return 1.0 + rows.entries / (3.0 * max(rows.n, 1))


def gram(task: Task, D: np.ndarray) -> np.ndarray:  # D: (n,) >= 0
    """(d + 1, d + 1) the matrix B; (d, d) without an intercept."""
    rows, d = task.rows, task.rows.d
    inner = inner_gram(rows, D)
    if not task.scale:
        return inner
    B = np.empty((d + 1, d + 1))
    B[:d, :d] = inner
    B[d] = B[:, d] = task.scale * rows.scatter(D, task.scale)
    return B


def inner_gram(rows: Rows, D: np.ndarray) -> np.ndarray:
    """(d, d) Xᵀ diag(D) X."""
    if is_dense(rows):
        return dense_gram(rows.arrays[0], D)
    if rows.kernels is numpy_rows:
        X = rows.arrays[0].astype(np.float64)
        return (X.T @ X.multiply(D[:, None]).tocsr()).toarray()
    H = np.zeros((rows.d, rows.d))
    pair_products(*rows.arrays, D, H)
    return H + H.T


def dense_gram(X: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Blocks of sqrt(D) X in float64, each times itself."""
    n, d = X.shape
    root = np.sqrt(D)[:, None]
    size = max(64, min(n, BUFFER // max(d, 1)))
    buffer = np.empty((min(size, n), d))
    H = np.zeros((d, d))
    for a in range(0, n, size):
        b = min(a + size, n)
        block = np.multiply(X[a:b], root[a:b], out=buffer[: b - a])
        H += block.T @ block
    return H


@kernel
def pair_products(values, columns, pointers, D: np.ndarray, H: np.ndarray) -> None:
    """H += D_i times the product of every two entries of a row, each pair in one triangle; of the squares one half."""
    for i in range(pointers.size - 1):
        weight = D[i]
        if weight == 0.0:
            continue
        for k in range(pointers[i], pointers[i + 1]):
            a = weight * values[k]
            row = H[columns[k]]
            row[columns[k]] -= 0.5 * a * values[k]
            for m in range(k, pointers[i + 1]):
                row[columns[m]] += a * values[m]
