r"""Compiled row operations with K columns of weights on a CSR matrix, and the vector part of a step of AccSVRDA.

.. math:: Z = X U, \qquad G = X^\top S, \qquad G^{(2)} = (X \circ X)^\top S, \qquad U: (d, K)

Weights are stored as (d, K): the K numbers that an entry of X meets lie side by side.

Source: murata2017doubly for the step; derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.compiled import kernel, summing

__all__ = ["average", "scatter", "scatter_squares", "scores", "squared_norms"]


@kernel
def scores(values, columns, pointers, rows: np.ndarray, U: np.ndarray, Z: np.ndarray) -> None:
    """Z[i] := x_{rows[i]} U."""
    for i in range(rows.size):
        for k in range(U.shape[1]):
            Z[i, k] = 0.0
        for e in range(pointers[rows[i]], pointers[rows[i] + 1]):
            j, v = columns[e], values[e]
            for k in range(U.shape[1]):
                Z[i, k] += v * U[j, k]


@kernel
def scatter(values, columns, pointers, rows: np.ndarray, S: np.ndarray, G: np.ndarray) -> None:
    """G += Σ_i x_{rows[i]} S[i]ᵀ."""
    for i in range(rows.size):
        for e in range(pointers[rows[i]], pointers[rows[i] + 1]):
            j, v = columns[e], values[e]
            for k in range(G.shape[1]):
                G[j, k] += v * S[i, k]


@kernel
def scatter_squares(values, columns, pointers, S: np.ndarray, G: np.ndarray) -> None:
    """G += Σ_i (x_i ∘ x_i) S[i]ᵀ."""
    for i in range(S.shape[0]):
        for e in range(pointers[i], pointers[i + 1]):
            j, v = columns[e], np.float64(values[e]) * np.float64(values[e])
            for k in range(G.shape[1]):
                G[j, k] += v * S[i, k]


@summing
def squared_norms(values, pointers, out: np.ndarray) -> None:
    """out := |x_i|²."""
    for i in range(out.size):
        total = 0.0
        for e in range(pointers[i], pointers[i + 1]):
            total += np.float64(values[e]) * np.float64(values[e])
        out[i] = total


@kernel
def average(
    k: int,  # step, from 1
    step: tuple[float, float, float],  # eta, l1, l2
    penalised: int,  # leading entries that have the penalty
    start: np.ndarray,  # (size,) z_0
    gradient: np.ndarray,  # (size,) of the loss at the snapshot
    noise: np.ndarray,  # (size,) Σ a_j (g_j - gradient)
    x: np.ndarray,  # (size,) in and out
    z: np.ndarray,  # (size,) out
    point: np.ndarray,  # (size,) out: y_{k+1}
) -> None:
    """Dual averaging from the start of the stage, then the two convex combinations."""
    eta, l1, l2 = step
    weight = 0.25 * k * (k + 1)
    now, after = 2.0 / (k + 1), 2.0 / (k + 2)
    for j in range(start.size):
        v = start[j] - eta * (weight * gradient[j] + noise[j])
        if j < penalised:
            threshold = eta * weight * l1
            v = (max(v - threshold, 0.0) + min(v + threshold, 0.0)) / (1.0 + eta * weight * l2)
        z[j] = v
        x[j] += now * (v - x[j])
        point[j] = x[j] + after * (v - x[j])
