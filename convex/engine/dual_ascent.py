r"""Dual coordinate ascent with a ridge: each row in turn gets its best dual variable, and w follows.

.. math::
    w = \frac{1}{l_2} \sum_i p_i \theta_i \tilde x_i, \qquad z_i = \mathrm{prox}_{h_i \varphi}(x_i \cdot w - h_i \theta_i),
    \quad \theta_i \leftarrow -\varphi'(z_i), \qquad h_i = \frac{p_i |\tilde x_i|^2}{l_2}

A step reads one row twice while it is in the cache. Rows come in blocks of neighbours, the blocks in a new order each
time: as good as a new order of rows (measured) and half the time. One order for all epochs would be far worse: rows that
all share a direction, as texts do, are the bad case of cyclic descent.

Most rows are soon where they will stay. After an epoch over all rows those that gained more than the mean are copied,
and epochs over the copy follow until the other rows have more to gain: on text three to five times fewer passes.

The intercept is not penalised, so its dual constraint Σ p θ = 0 forbids to move one θ at a time. It is penalised around
a centre instead, :math:`\beta = \beta_c + (s / l_2) \sum_i p_i \theta_i`, and the centre moves to β after each epoch: the
method of multipliers, whose factor is about l2 over the curvature of the loss in β.

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
from convex.engine.rows import Rows
from convex.engine.snapshot import snapshot
from convex.engine.task import Snapshot, Task

__all__ = ["dual_ascent", "prox"]

BLOCK = 16  # rows that stay together
LEAST, PATIENCE = 4, 50  # rounds before the rate is judged; passes for which it is worth while to go on
LOOK = 10  # rounds after which a snapshot is recorded in any case
BUSY, INNER = 0.5, 16  # largest share of the data to be copied; epochs over the copy at most
WEIGHT = 0.1  # h of the intercept's column at least (measured: 0 and 1 take up to twice the epochs)
HOPELESS = 1e-4  # of the wanted gap: where the estimate is that low and the gap is not, other methods must go on
START = 1e-3  # θ y of the logistic loss to begin at: its conjugate has no slope at 0
TINY = 1e-300


def dual_ascent(task: Task, snap: Snapshot, progress: Progress, rng: np.random.Generator) -> Snapshot:
    """Rounds from θ ≈ 0 until `progress` is over or they gain too little; the last snapshot, or a better given one."""
    ascent = Ascent(task, rng)
    progress.passes += 0.5
    gap, rounds, goal = math.inf, 0, progress.tol
    while not progress.over and goal > HOPELESS * progress.tol:
        before, (gap, passes) = gap, ascent.round(progress.left)
        progress.passes += passes
        rounds += 1
        rate = min(max(gap / before, 1e-3), 0.999) if 0.0 < before < math.inf else 0.5
        left = math.log(max(gap, TINY) / max(goal, TINY)) / -math.log(rate) * passes
        if rounds >= LEAST and left > PATIENCE:
            break
        if gap * rate <= goal or rounds % LOOK == 0:
            progress.record(task, ascent.primal_and_dual(progress.tol), "finish")
            progress.passes += 1.0
            # An estimate that was too low by some factor will be so again.
            goal = min(goal, 0.5 * gap * rate * progress.tol / max(progress.history[-1].gap, TINY))
    if progress.certified is not None:
        return progress.certified
    now = snapshot(task, ascent.weights(), True, progress.tol)
    progress.passes += 1.0
    return now if now.objective <= snap.objective else snap


class Ascent:
    """The dual point, the scores that belong to it, and w."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        """θ ≈ 0."""
        self.task, self.rng = task, rng
        y, logistic = task.y, task.code == LOG
        # A longer column of the intercept means less of a ridge upon it; up to h of about 1 it costs no epochs.
        self.scale = max(task.scale, math.sqrt(WEIGHT * task.l2 * y.size)) if task.scale else 0.0
        self.h = (task.rows.squared_norms() + self.scale**2) * task.p / task.l2
        self.theta = START * y if logistic else np.zeros(y.size)
        self.z = math.log(1.0 / START - 1.0) * y if logistic else y.copy()
        self.w = task.rows.scatter(task.p * self.theta, self.scale) / task.l2

    def round(self, most: float) -> tuple[float, float]:  # passes
        """All rows once and the busy ones more often; (an estimate of the duality gap that is left, passes)."""
        task, n = self.task, self.theta.size
        gains = np.empty(n)
        gap = self.epoch(task.rows, task.y, task.p, self.h, self.z, self.theta, gains)
        busy = np.flatnonzero(gains > gap / n)
        rows = task.rows.take(busy) if 2 * busy.size < n else task.rows
        share, passes = rows.entries / max(task.rows.entries, 1), 1.0
        if busy.size and share <= BUSY:
            rest = gap - float(gains[busy].sum())
            y, p, h, z, theta = (a[busy] for a in (task.y, task.p, self.h, self.z, self.theta))
            inner, passes = math.inf, passes + 0.5 * share
            for _ in range(INNER):
                if inner <= rest or passes >= most:
                    break
                inner = self.epoch(rows, y, p, h, z, theta, np.empty(busy.size))
                passes += share
            self.z[busy], self.theta[busy] = z, theta
            gap = rest + inner
        # β_c := β
        self.w[-1] += self.scale / task.l2 * float(task.p @ self.theta)
        return gap, passes

    def epoch(self, rows: Rows, y, p, h, z, theta, gains) -> float:
        """These rows once; an estimate of the duality gap before, as far as it is theirs."""
        starts = BLOCK * self.rng.permutation(-(-rows.n // BLOCK))
        loss = (self.task.code, self.task.delta, self.scale)
        values, columns, pointers = rows.arrays
        return ascend(values, columns, pointers, loss, self.task.l2, starts, self.w, y, p, h, z, theta, gains)

    def weights(self) -> np.ndarray:
        """w in the units of the task."""
        w = self.w.copy()
        w[-1] *= self.scale / self.task.scale if self.task.scale else 0.0
        return w

    def primal_and_dual(self, tol: float) -> Snapshot:
        """The snapshot at w; without an intercept with the dual point θ, nearer to the optimum than the slopes at w."""
        task = self.task
        if task.scale:
            return snapshot(task, self.weights(), True, tol)
        z, s = task.rows.scores(self.w, 0.0), np.empty_like(self.theta)
        loss = task.loss_rows(z, 0.0, s)[0]
        np.multiply(-task.p, self.theta, out=s)
        lost = max(young_rows(task.code, z, task.y, task.p, s, 1.0, task.delta), 0.0)
        return task.snapshot_of(self.w.copy(), z, s, task.rows.scatter(s, 0.0), loss, lost)


@summing
def ascend(values, columns, pointers, loss: tuple, l2: float, starts, w, y, p, h, z, theta, gains) -> float:
    """One epoch over the blocks of rows that begin at `starts`; gains: p φ''(z) (x · w - z)² / 2 on the way, and Σ."""
    code, delta, scale = loss
    gap = 0.0
    last = w.size - 1
    for first in starts:
        for i in range(first, min(first + BLOCK, z.size)):
            begin, end = pointers[i], pointers[i + 1]
            t = dot(values, columns, begin, end, w) + scale * w[last]
            far = t - z[i]
            gains[i] = 0.0
            if abs(far) <= 1e-14 * (1.0 + abs(t)):
                continue
            old = theta[i]
            z[i], theta[i], bend = prox(code, z[i], old, t, y[i], h[i], delta)
            gains[i] = 0.5 * p[i] * bend * far * far
            gap += gains[i]
            a = p[i] * (theta[i] - old) / l2
            for k in range(begin, end):
                w[columns[k]] += a * values[k]
            w[last] += a * scale
    return gap


@kernel
def prox(code: int, z: float, theta: float, t: float, y: float, h: float, delta: float) -> tuple[float, float, float]:
    """The minimiser of h φ(z; y) + (z - t + h θ)²/2, its θ = -φ'(z), and φ'' about; from the z that θ belongs to."""
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
    """Newton's method on m - yt - h (σ(-m) - θy) = 0 in a bracket, to a tenth of the residual: later epochs go on."""
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
