r"""Dual coordinate ascent with a ridge: each row in turn gets its best dual variable, and w follows.

.. math::
    w = \frac{1}{l_2} \sum_i p_i \theta_i \tilde x_i, \qquad
    z_i = \mathrm{prox}_{h_i \varphi}(x_i \cdot w - h_i \theta_i), \quad \theta_i \leftarrow -\varphi'(z_i), \qquad h_i = p_i |\tilde x_i|^2 / l_2

A step reads one row twice while it is in the cache. Rows come in blocks of neighbours, the blocks in a new order each time: as good as a
new order of rows (measured) and half the time. One order for all epochs would be far worse: rows that all share a
direction, as texts do, are the bad case of cyclic descent.

The intercept is not penalised, so its dual constraint Σ p θ = 0 forbids to move one θ at a time. It is penalised around a centre instead,
:math:`\beta = \beta_c + (s / l_2) \sum_i p_i \theta_i`, and the centre moves to β again and again: the method of multipliers, whose
factor is l2 over the curvature of the loss in β, nearly 0.

Source: shalevshwartz2013stochastic; yu2011dual for the logistic loss; derived here for the intercept.
"""

from __future__ import annotations

import math

import numpy as np

from convex.engine.compiled import kernel, summing
from convex.engine.kernels_csr import dot
from convex.engine.kernels_gap import young_rows
from convex.engine.losses import HUBER, LOG, MODIFIED_HUBER, SQUARED
from convex.engine.progress import Progress
from convex.engine.snapshot import snapshot
from convex.engine.task import Snapshot, Task

__all__ = ["dual_ascent"]

BLOCK = 16  # rows that stay together
LEAST, PATIENCE = 4, 50  # epochs before the rate is judged; epochs for which it is worth while to go on
LOOK = 10  # epochs after which a snapshot is recorded in any case
RECENTRE = 2  # epochs for one centre of the intercept
HOPELESS = 1e-4  # of the gap that is wanted: when the estimate is that low and the gap is not, other methods must go on
START = 1e-3  # θ y of the logistic loss to begin at: its conjugate has no slope at 0
TINY = 1e-300


def dual_ascent(task: Task, snap: Snapshot, progress: Progress, rng: np.random.Generator) -> Snapshot:
    """Epochs from θ ≈ 0 until `progress` is over or they gain too little; the last snapshot, or the given one if it is better."""
    ascent = Ascent(task)
    progress.passes += 0.5
    gap, epoch, goal = math.inf, 0, progress.tol
    while not progress.over and goal > HOPELESS * progress.tol:
        before, gap = gap, ascent.epoch(rng)
        progress.passes += 1.0
        epoch += 1
        if epoch % RECENTRE == 0:
            ascent.recentre()
        rate = min(max(gap / before, 1e-3), 0.999) if 0.0 < before < math.inf else 0.5
        if epoch >= LEAST and math.log(max(gap, TINY) / max(goal, TINY)) > PATIENCE * -math.log(rate):
            break
        if gap * rate <= goal or epoch % LOOK == 0:
            progress.record(task, ascent.primal_and_dual(progress.tol), "finish")
            progress.passes += 1.0
            # An estimate that was too low by some factor will be so again.
            goal = min(goal, 0.5 * gap * rate * progress.tol / max(progress.history[-1].gap, TINY))
    if progress.certified is not None:
        return progress.certified
    now = snapshot(task, ascent.w, True, progress.tol)
    progress.passes += 1.0
    return now if now.objective <= snap.objective else snap


class Ascent:
    """The dual point, the scores that belong to it, and w."""

    def __init__(self, task: Task) -> None:
        """θ ≈ 0."""
        self.task = task
        y, logistic = task.y, task.code == LOG
        self.h = (task.rows.squared_norms() + task.scale**2) * task.p / task.l2
        self.theta = START * y if logistic else np.zeros(y.size)
        self.z = math.log(1.0 / START - 1.0) * y if logistic else y.copy()
        self.w = task.rows.scatter(task.p * self.theta, task.scale) / task.l2

    def epoch(self, rng: np.random.Generator) -> float:
        """All rows once; an estimate of the duality gap before."""
        task, n = self.task, self.theta.size
        starts = BLOCK * rng.permutation(-(-n // BLOCK))
        return ascend(*task.rows.arrays, task.y, task.p, self.h, task.loss, task.l2, starts, self.z, self.theta, self.w)

    def recentre(self) -> None:
        """β_c := β."""
        self.w[-1] += self.task.scale / self.task.l2 * float(self.task.p @ self.theta)

    def primal_and_dual(self, tol: float) -> Snapshot:
        """The snapshot at w; without an intercept with θ as its dual point, which is nearer to the optimum than the slopes at w."""
        task = self.task
        if task.scale:
            return snapshot(task, self.w, True, tol)
        z, s = task.rows.scores(self.w, 0.0), np.empty_like(self.theta)
        loss = task.loss_rows(z, 0.0, s)[0]
        np.multiply(-task.p, self.theta, out=s)
        lost = max(young_rows(task.code, z, task.y, task.p, s, 1.0, task.delta), 0.0)
        return task.snapshot_of(self.w.copy(), z, s, task.rows.scatter(s, 0.0), loss, lost)


@summing
def ascend(values, columns, pointers, y, p, h, loss: tuple, l2: float, starts, z, theta, w) -> float:
    """One epoch over the blocks of rows that begin at `starts`: Σ p φ''(z) (x · w - z)² / 2 on the way."""
    code, delta, scale = loss
    gap = 0.0
    last = w.size - 1
    for first in starts:
        for i in range(first, min(first + BLOCK, z.size)):
            begin, end = pointers[i], pointers[i + 1]
            t = dot(values, columns, begin, end, w) + scale * w[last]
            far = t - z[i]
            if abs(far) <= 1e-14 * (1.0 + abs(t)):
                continue
            old = theta[i]
            z[i], theta[i], bend = prox(code, z[i], old, t, y[i], h[i], delta)
            gap += 0.5 * p[i] * bend * far * far
            a = p[i] * (theta[i] - old) / l2
            for k in range(begin, end):
                w[columns[k]] += a * values[k]
            w[last] += a * scale
    return gap


@kernel
def prox(code: int, z: float, theta: float, t: float, y: float, h: float, delta: float) -> tuple[float, float, float]:
    """The minimiser of h φ(z; y) + (z - t + h θ)²/2 from the old z with θ = -φ'(z), the new θ, and a curvature on the way."""
    c = t - h * theta
    if code == LOG:
        return logistic_prox(z, theta, t, y, h)
    if code == SQUARED:
        z = (c + h * y) / (1.0 + h)
        return z, y - z, 1.0
    if code == HUBER:
        r = c - y
        r = r / (1.0 + h) if abs(r) <= delta * (1.0 + h) else r - math.copysign(h * delta, r)
        return y + r, -min(max(r, -delta), delta), 1.0
    u = y * c
    if u >= 1.0:
        return c, 0.0, 2.0
    m = (u + 2.0 * h) / (1.0 + 2.0 * h)
    if code == MODIFIED_HUBER and m < -1.0:
        return y * (u + 4.0 * h), 4.0 * y, 2.0
    return y * m, 2.0 * y * (1.0 - m), 2.0


@kernel
def logistic_prox(z: float, theta: float, t: float, y: float, h: float) -> tuple[float, float, float]:
    """Newton's method on m - yt - h (σ(-m) - θ y) = 0, inside a bracket, until the residual is a tenth: later epochs do the rest."""
    m, a, start = y * z, theta * y, theta * y
    t *= y
    f = m - t
    enough, low, high, bend = 0.1 * abs(f), -math.inf, math.inf, a * (1.0 - a)
    for _ in range(50):
        if f > 0.0:
            high = m
        else:
            low = m
        m -= f / (1.0 + h * a * (1.0 - a))
        if m < low or m > high:
            m = 0.5 * (low + high)
        a = 1.0 / (1.0 + math.exp(m))
        f = m - t - h * (a - start)
        if abs(f) <= enough:
            break
    return y * m, y * a, bend
