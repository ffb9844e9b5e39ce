r"""Rows of a data set by index, in every namespace.

.. math:: A, i \mapsto A_{i,:}

Source: derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structures.arrays import Array, like, namespace

__all__ = ["largest_eigenvalue", "rows", "require_floating"]


def rows(A: Array, i: Any) -> Array:  # (n, ...), (batch...) int -> (batch..., ...)
    """A[i] for an integer array of any shape; i may be host data."""
    xp = namespace(A)
    there = isinstance(i, np.ndarray) and isinstance(A, np.ndarray) and i.dtype.kind == "i"
    if not there and isinstance(i, int | list | np.ndarray | np.integer):
        i = xp.asarray(np.asarray(i).tolist(), dtype=xp.int64, device=like(A)["device"])
    return xp.reshape(xp.take(A, xp.reshape(i, (-1,)), axis=0), (*i.shape, *A.shape[1:]))


def largest_eigenvalue(
    A: Array,  # (n, d)
    weights: Array,  # (..., n) nonnegative
) -> Array:  # (...)
    """An upper bound of λ_max(Aᵀ diag(w) A): computed and rounded up for d ≤ 512, its trace beyond."""
    xp = namespace(weights)
    d = A.shape[1]
    if d > 512:
        return weights @ xp.sum(A * A, axis=1)
    gram = (xp.matrix_transpose(A) * weights[..., None, :]) @ A
    # Backward error of a symmetric eigensolver and of the sum: below 16·eps·(n + d) relative.
    slack = 1.0 + 16.0 * float(xp.finfo(A.dtype).eps) * (A.shape[0] + d)
    return xp.linalg.eigvalsh(gram)[..., -1] * slack


def require_floating(name: str, x: Array) -> None:
    """Raise ValueError for data that are not real floating-point numbers: arithmetic on them would wrap or be cut."""
    if not namespace(x).isdtype(x.dtype, "real floating"):
        raise ValueError(f"{name} must be real floating-point numbers, got {x.dtype}: convert them to float64.")
