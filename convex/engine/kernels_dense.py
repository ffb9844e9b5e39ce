r"""Compiled row operations on a dense matrix: scores, their transpose, squared norms, and the inner loop of AccSVRDA.

.. math:: z = X w + \beta s, \qquad g = X^\top c, \qquad |x_i|^2, \qquad (x_m, z_m) = \text{AccSVRDA}(\tilde y, \tilde x)

A vector of weights has d + 1 entries, the last one β multiplying a column of the constant s (the scale of the
intercept; 0 without one). Data may be float32; sums and vectors are float64.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.compiled import kernel, summing
from convex.engine.kernels_batch import list_rows, noise_coefficients, room
from convex.engine.kernels_vector import begin_stage, dual_average, end_stage

__all__ = ["scatter", "scores", "squared_norms", "stage"]


@summing
def dot(row: np.ndarray, w: np.ndarray) -> float:
    """row · w over the length of the row."""
    total = 0.0
    for j in range(row.size):
        total += row[j] * w[j]
    return total


@kernel
def scores(X: np.ndarray, w: np.ndarray, scale: float, z: np.ndarray) -> None:
    """z := X w[:d] + w[d] scale."""
    last = w[X.shape[1]] * scale
    for i in range(X.shape[0]):
        z[i] = dot(X[i], w) + last


@summing
def scatter(X: np.ndarray, c: np.ndarray, scale: float, g: np.ndarray) -> None:
    """g += (Xᵀ c, scale Σ c); four rows at a time, so that g passes through the registers a quarter as often."""
    n, d = X.shape
    whole = n - n % 4
    total = 0.0
    for i in range(0, whole, 4):
        c0, c1, c2, c3 = c[i], c[i + 1], c[i + 2], c[i + 3]
        total += (c0 + c1) + (c2 + c3)
        for j in range(d):
            g[j] += (c0 * X[i, j] + c1 * X[i + 1, j]) + (c2 * X[i + 2, j] + c3 * X[i + 3, j])
    for i in range(whole, n):
        total += c[i]
        for j in range(d):
            g[j] += c[i] * X[i, j]
    g[d] += scale * total


@summing
def squared_norms(X: np.ndarray, out: np.ndarray) -> None:
    """out := |x_i|²."""
    for i in range(X.shape[0]):
        total = 0.0
        for j in range(X.shape[1]):
            total += np.float64(X[i, j]) * np.float64(X[i, j])
        out[i] = total


@kernel
def batch_scores(X: np.ndarray, rows: np.ndarray, count: int, w: np.ndarray, scale: float, z: np.ndarray) -> None:
    """z_k := x_{rows k} · w[:d] + w[d] scale."""
    last = w[X.shape[1]] * scale
    for k in range(count):
        z[k] = dot(X[rows[k]], w) + last


@summing
def add_rows(X: np.ndarray, rows: np.ndarray, count: int, c: np.ndarray, scale: float, a: float, g: np.ndarray) -> None:
    """g += a Σ_k c_k (x_{rows k}, scale)."""
    d = X.shape[1]
    whole = count - count % 4
    total = 0.0
    for k in range(0, whole, 4):
        c0, c1, c2, c3 = a * c[k], a * c[k + 1], a * c[k + 2], a * c[k + 3]
        total += (c0 + c1) + (c2 + c3)
        x0, x1, x2, x3 = X[rows[k]], X[rows[k + 1]], X[rows[k + 2]], X[rows[k + 3]]
        for j in range(d):
            g[j] += (c0 * x0[j] + c1 * x1[j]) + (c2 * x2[j] + c3 * x3[j])
    for k in range(whole, count):
        c0, x0 = a * c[k], X[rows[k]]
        total += c0
        for j in range(d):
            g[j] += c0 * x0[j]
    g[d] += scale * total


@kernel
def stage(
    X: np.ndarray,  # (n, d)
    y: np.ndarray,  # (n,)
    p: np.ndarray,  # (n,)
    s: np.ndarray,  # (n,) p φ' at the snapshot
    loss: tuple[int, float, float],  # code, delta, scale
    starts: np.ndarray,  # (m, r) first rows of the ranges
    weights: np.ndarray,  # (m, r): 1 / (b q_i)
    length: int,  # of a range
    wrap: bool,  # whether a range goes on at the first row
    step: tuple[float, float, float],  # eta, l1, l2
    x0: np.ndarray,  # (d + 1,) the snapshot
    before: np.ndarray,  # (d + 1,) the snapshot before it
    z0: np.ndarray,  # (d + 1,) z of the stage before
    outer: tuple[float, float, float, float],  # momentum α, β of this stage and of the next
    gradient: np.ndarray,  # (d + 1,) of F at the snapshot
    x: np.ndarray,  # (d + 1,) out
    z: np.ndarray,  # (d + 1,) out
) -> tuple[float, float, float]:
    """m steps of AccSVRDA; |ỹ - x̃|², |z_m - x̃|² and (ỹ_s - x_s) · (ỹ_(s+1) - x_s)."""
    code, delta, scale = loss
    start, noise, point = np.empty(x0.size), np.empty(x0.size), np.empty(x0.size)
    near = begin_stage(x0, before, z0, outer, start, noise, x, point)
    memory = room(starts.shape[1] * length)
    for k in range(starts.shape[0]):
        count = list_rows(starts[k], weights[k], length, wrap, X.shape[0], memory)
        batch_scores(X, memory[0], count, point, scale, memory[2])
        noise_coefficients(code, delta, y, p, s, count, memory)
        add_rows(X, memory[0], count, memory[2], scale, 0.5 * (k + 1), noise)
        dual_average(k + 1, step, start, gradient, noise, x, point)
    far, back = end_stage(starts.shape[0], step, outer, x0, start, gradient, noise, x, z)
    return near, far, back
