r"""The rows of a mini-batch, spelled out from ranges, and their noise coefficients.

.. math:: c_i = \frac{p_i \varphi'(x_i \cdot v) - s_i}{b\, q_i}, \qquad s_i = p_i \varphi'(x_i \cdot \tilde x)

A batch is a few ranges of rows of one length: one range of b rows (contiguous batches), b/8 ranges of 8 (chunks), or
b ranges of one row (i.i.d. draws). A range that passes the last row goes on at the first, or is cut there.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.compiled import kernel
from convex.engine.kernels_loss import slope_rows

__all__ = ["Room", "list_rows", "noise_coefficients", "room"]

# rows, weights, scores and coefficients, targets, powers of two, the same memory as integers, exponentials
Room = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@kernel
def room(size: int) -> Room:
    """Working memory for batches of at most `size` rows."""
    power = np.empty(size)
    rows = np.empty(size, np.uint64)
    return rows, np.empty(size), np.empty(size), np.empty(size), power, power.view(np.int64), np.empty(size)


@kernel
def list_rows(starts: np.ndarray, weights: np.ndarray, length: int, wrap: bool, n: int, memory: Room) -> int:
    """Write the rows of one batch and their weights 1/(b q_i); how many."""
    rows, weight = memory[0], memory[1]
    count = 0
    for r in range(starts.size):
        first = np.int64(starts[r])
        inside = min(first + length, n)
        for i in range(first, inside):
            rows[count] = i
            weight[count] = weights[r]
            count += 1
        if wrap:
            for i in range(first + length - inside):
                rows[count] = i
                weight[count] = weights[r]
                count += 1
    return count


@kernel
def noise_coefficients(code: int, delta: float, y, p, s, count: int, memory: Room) -> None:
    """Turn the scores of the listed rows into c_i."""
    rows, weight, c, target, power, bits, e = memory
    for k in range(count):
        target[k] = y[rows[k]]
    slope_rows(code, c, target, delta, count, power, bits, e)
    for k in range(count):
        i = rows[k]
        c[k] = weight[k] * (p[i] * c[k] - s[i])
