r"""Compiled row operations on a CSR matrix: scores, their transpose, squared norms, a copy of rows, the loop of AccSVRDA.

.. math:: z = X w + \beta s, \qquad g = X^\top c, \qquad |x_i|^2, \qquad (x_m, z_m) = \text{AccSVRDA}(\tilde y, \tilde x)

As in `kernels_dense`; row i holds `values[pointers[i]:pointers[i+1]]` in columns `columns[...]`. Indices are
unsigned: signed ones cost a test for negative numbers at every entry, half of the time of a pass.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.compiled import kernel, summing
from convex.engine.kernels_batch import list_rows, noise_coefficients, room
from convex.engine.kernels_vector import begin_stage, dual_average, end_stage

__all__ = ["scatter", "scores", "squared_norms", "stage", "take_rows"]


@summing
def dot(values: np.ndarray, columns: np.ndarray, begin: int, end: int, w: np.ndarray) -> float:
    """Entries begin..end times w."""
    total = 0.0
    for k in range(begin, end):
        total += values[k] * w[columns[k]]
    return total


@kernel
def scores(values, columns, pointers, w: np.ndarray, scale: float, z: np.ndarray) -> None:
    """z := X w[:d] + w[d] scale."""
    last = w[w.size - 1] * scale
    for i in range(pointers.size - 1):
        z[i] = dot(values, columns, pointers[i], pointers[i + 1], w) + last


@kernel
def scatter(values, columns, pointers, c: np.ndarray, scale: float, g: np.ndarray) -> None:
    """g += (Xᵀ c, scale Σ c)."""
    total = 0.0
    for i in range(pointers.size - 1):
        ci = c[i]
        total += ci
        if ci != 0.0:
            for k in range(pointers[i], pointers[i + 1]):
                g[columns[k]] += ci * values[k]
    g[g.size - 1] += scale * total


@summing
def squared_norms(values, columns, pointers, out: np.ndarray) -> None:
    """out := |x_i|²."""
    for i in range(pointers.size - 1):
        total = 0.0
        for k in range(pointers[i], pointers[i + 1]):
            total += np.float64(values[k]) * np.float64(values[k])
        out[i] = total


@kernel
def take_rows(values, columns, pointers, order: np.ndarray, out_values, out_columns) -> None:
    """Copy rows one after another."""
    at = np.uint64(0)
    for r in range(order.size):
        i = order[r]
        for k in range(pointers[i], pointers[i + np.uint64(1)]):
            out_values[at] = values[k]
            out_columns[at] = columns[k]
            at += np.uint64(1)


@kernel
def batch_scores(values, columns, pointers, rows, count: int, w: np.ndarray, scale: float, z: np.ndarray) -> None:
    """z_k := x_{rows k} · w[:d] + w[d] scale."""
    last = w[w.size - 1] * scale
    for k in range(count):
        i = rows[k]
        z[k] = dot(values, columns, pointers[i], pointers[i + np.uint64(1)], w) + last


@kernel
def add_rows(values, columns, pointers, rows, count: int, c, scale: float, a: float, g: np.ndarray) -> None:
    """g += a Σ_k c_k (x_{rows k}, scale)."""
    total = 0.0
    for k in range(count):
        i = rows[k]
        ci = a * c[k]
        total += ci
        for t in range(pointers[i], pointers[i + np.uint64(1)]):
            g[columns[t]] += ci * values[t]
    g[g.size - 1] += scale * total


@kernel
def stage(
    values: np.ndarray,  # (nnz,)
    columns: np.ndarray,  # (nnz,) unsigned
    pointers: np.ndarray,  # (n + 1,) unsigned
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
        count = list_rows(starts[k], weights[k], length, wrap, y.size, memory)
        batch_scores(values, columns, pointers, memory[0], count, point, scale, memory[2])
        noise_coefficients(code, delta, y, p, s, count, memory)
        add_rows(values, columns, pointers, memory[0], count, memory[2], scale, 0.5 * (k + 1), noise)
        dual_average(k + 1, step, start, gradient, noise, x, point)
    far, back = end_stage(starts.shape[0], step, outer, x0, start, gradient, noise, x, z)
    return near, far, back
