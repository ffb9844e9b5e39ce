r"""Whole passes: a snapshot at a point, with the intercept as it is or minimised over.

.. math:: b(w) = \arg\min_b \sum_i p_i \varphi(x_i \cdot w + b; y_i), \qquad \sum_i p_i \varphi'(z_i) = 0

Moving to b(w) lowers P, takes Newton steps in one variable on scores that are there already, and makes the slopes a
feasible dual point: what rounding (or a loose end of the Newton steps) leaves of Σ s is taken off by shrinking the
slopes of the heavier sign by 1 - ε. By convexity in ε that costs the dual objective at most ε F (at ε = 1 it costs φ
- inf φ <= φ of each shrunk row).

Data too large for the cache are read in blocks: with the intercept as it is, a block is read once and multiplied
twice.

Source: derived here.
"""

from __future__ import annotations

import math

import numpy as np

from convex.engine.losses import CURVATURE
from convex.engine.task import Snapshot, Task

__all__ = ["balanced", "snapshot"]

EPS = float(np.finfo(np.float64).eps)


def snapshot(task: Task, w: np.ndarray, exact_intercept: bool, tol: float = 0.0) -> Snapshot:
    """One pass over the data at w; `tol` is the duality gap for which the intercept has to be good enough."""
    z, s = np.empty(task.rows.n), np.empty(task.rows.n)
    kernels, rows = task.rows.kernels, task.rows
    if exact_intercept and task.scale:
        kernels.scores(*rows.arrays, w, task.scale, z)
        return balanced(task, w, z, s, tol)
    gradient, loss = np.zeros(w.size), 0.0
    for a, b in rows.blocks:
        part, block = rows.part(a, b), slice(a, b)
        kernels.scores(*part, w, task.scale, z[block])
        loss += task.loss_rows(z, 0.0, s, block)[0]
        kernels.scatter(*part, s[block], task.scale, gradient)
    return task.snapshot_of(w, z, s, gradient, loss, math.inf if task.scale else 0.0)


def balanced(task: Task, w: np.ndarray, z: np.ndarray, s: np.ndarray, tol: float) -> Snapshot:
    """The snapshot at (w, b(w)) from the scores z; writes into z and s."""
    shift, loss, imbalance, size = best_shift(task, z, s, tol)
    epsilon = shrink(s, imbalance, size)
    w = w.copy()
    w[-1] += shift / task.scale
    z += shift
    gradient = np.zeros(w.size)
    task.rows.kernels.scatter(*task.rows.arrays, s, task.scale, gradient)
    return task.snapshot_of(w, z, s, gradient, loss, epsilon * loss)


def best_shift(task: Task, z: np.ndarray, s: np.ndarray, tol: float) -> tuple[float, float, float, float]:
    """The shift of z that minimises Σ p φ, and there F, Σ s and Σ |s|: Newton's method inside a bracket."""
    low, high, shift, reach = -math.inf, math.inf, 0.0, 1.0
    for _ in range(200):
        loss, first, second, size = task.loss_rows(z, shift, s)
        if abs(first) <= max(4 * EPS, min(1e-3, 0.02 * tol / loss if loss else 1.0)) * size:
            break
        low, high = (low, shift) if first > 0 else (shift, high)
        # No curvature (or hardly any) and no bracket: at least the step that the curvature bound allows, doubled each time.
        longest = reach * max(abs(first) / CURVATURE[task.code], 1.0)
        step = math.copysign(min(abs(first) / second, longest) if second > 0 else longest, first)
        new = shift - step
        if not low < new < high:
            new = 0.5 * (low + high)
        reach *= 2.0
        if new in (shift, low, high):
            break
        shift = new
    return shift, loss, first, size


def shrink(s: np.ndarray, imbalance: float, size: float) -> float:
    """Scale the heavier sign of s so that Σ s = 0; the relative change ε."""
    if imbalance == 0.0:
        return 0.0
    epsilon = min(abs(imbalance) / (0.5 * (size + abs(imbalance))), 1.0)
    if epsilon > EPS:
        heavy = s > 0.0 if imbalance > 0.0 else s < 0.0
        s[heavy] *= 1.0 - epsilon
    return epsilon
