r"""Truncated Newton steps without an l1 penalty: the Newton equation by conjugate gradients.

.. math::
    (\tilde X^\top \mathrm{diag}(D) \tilde X + l_2 I)\, \delta = -g, \qquad
    \text{until } |r|_{M^{-1}} \le \eta_k |g|_{M^{-1}} \text{ or } |r|^2 \le \tfrac12 l_2 \,\mathrm{tol}

with M the diagonal of the matrix. r is the gradient that the step will leave, if the model is right, and
:math:`|g|^2 / (2 l_2)` is the duality gap: the second rule stops where the gap is good enough. A product with the matrix
takes a block of rows while it is in the cache, for its scores and for their transpose.

Source: derived here; steihaug1983conjugate for truncation.
"""

from __future__ import annotations

import math

import numpy as np

from convex.engine.descent import SHORT, along, record, slopes, stalled
from convex.engine.hessian import curvatures, diagonal_of, secants, squared
from convex.engine.progress import Progress
from convex.engine.task import Snapshot, Task

__all__ = ["truncated_newton"]

FORCING = 0.3  # largest relative residual
MOST_PRODUCTS = 500
STALLS = 3
FLAT = 1e-12  # curvature relative to that of the coordinates alone: a flatter direction leads far away for nothing


def truncated_newton(task: Task, snap: Snapshot, progress: Progress) -> Snapshot:
    """From a recorded snapshot until `progress` is over or steps make no difference; the last snapshot."""
    squares = squared(task.rows)
    now, at, first, stalls, weights = snap, slopes(task, snap), 0.0, 0, curvatures
    while not progress.over and stalls < STALLS and at.wrong > 0.0:
        D = weights(task, now)
        diagonal = diagonal_of(task, squares, D)
        size = math.sqrt(float(at.g @ (at.g / diagonal)))
        if not size > 0.0:  # slopes this small have no squares
            break
        first = max(first, size)
        most = min(MOST_PRODUCTS, max(progress.max_passes - progress.passes, 1.0))
        forcing = min(FORCING, math.sqrt(size / first))
        delta, products = conjugate_gradients(task, D, -at.g, diagonal, forcing, progress.tol, int(most))
        step = along(task, now, at, delta)
        progress.passes += products + 1.5
        if step.after is None:
            break
        weights = secants if step.t < SHORT else curvatures
        record(task, step.after, step.gain, progress)
        before, at = at, slopes(task, step.after)
        stalls = stalls + 1 if stalled(now, step.after, before.wrong, at.wrong) else 0
        now = step.after
    return now


def product(task: Task, D: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(d + 1,) the Hessian times v."""
    rows, out = task.rows, np.zeros_like(v)
    for a, b in rows.blocks:
        part = rows.part(a, b)
        t = np.empty(b - a)
        rows.kernels.scores(*part, v, task.scale, t)
        t *= D[a:b]
        rows.kernels.scatter(*part, t, task.scale, out)
    out[:-1] += task.l2 * v[:-1]
    return out


def conjugate_gradients(
    task: Task,
    D: np.ndarray,  # (n,)
    right: np.ndarray,  # (d + 1,)
    diagonal: np.ndarray,  # (d + 1,)
    forcing: float,
    tol: float,  # duality gap
    most: int,
) -> tuple[np.ndarray, int]:
    """An approximate Newton step, and the products that it took."""
    x, r = np.zeros_like(right), right.copy()
    q = r / diagonal
    direction, rq = q.copy(), float(r @ q)
    goal, enough = forcing * forcing * rq, 0.5 * task.l2 * tol
    for k in range(1, most + 1):
        curved = product(task, D, direction)
        size = float(direction @ curved)
        if size <= FLAT * float(direction @ (diagonal * direction)):
            return (x if k > 1 else direction), k
        t = rq / size
        x += t * direction
        r -= t * curved
        q = r / diagonal
        before, rq = rq, float(r @ q)
        if rq <= goal or float(r @ r) <= enough:
            return x, k
        direction *= rq / before
        direction += q
    return x, most
