r"""Proximal Newton steps with a matrix that is written down, corrected by what the steps show and recomputed when that pays.

.. math::
    w^+ = \arg\min_x \; \nabla F(w) \cdot (x - w) + \tfrac12 (x - w)^\top B (x - w) + R(x), \qquad
    B \leftarrow B + \frac{y y^\top}{s \cdot y} - \frac{B s s^\top B}{s^\top B s}, \quad s = w^+ - w, \; y = \nabla F(w^+) - \nabla F(w)

A Hessian costs as much as several passes. One that is a few steps old, with the correction of Broyden, Fletcher, Goldfarb and Shanno,
costs nothing and contracts nearly as well: it is kept while the passes that it will still need are fewer than what a new one costs.

From far away the steps are taken on samples of rows of growing size, each solved to about its statistical error d / (2 m): all that the
data at hand decide about w. The whole data see the last steps only.

Source: derived here; lee2014proximal for proximal Newton, daneshmand2016starting for samples of growing size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.linalg.blas import dger

from convex.engine.descent import LARGEST, SHORT, Damping, along, promise, smooth_gradient, stalled, violation
from convex.engine.hessian import curvatures, gram, gram_passes, is_dense, secants
from convex.engine.losses import SQUARED
from convex.engine.progress import Progress
from convex.engine.quadratic import GramModel, minimise_model
from convex.engine.snapshot import snapshot
from convex.engine.task import Snapshot, Task

__all__ = ["newton"]

ACCURACY = 0.1  # of a model's solution, relative to the violation of the optimality conditions
GROWTH = 4  # of the samples
ROWS = 8  # of the smallest sample for each feature
SHARE = 0.1  # of a sample's statistical error to which it is solved
SAMPLE_STEPS = 12
MOST_STEPS = 100  # other methods must go on then: the loss has kinks that are met one by one
STALLS = 3
TINY = 1e-300


def newton(task: Task, snap: Snapshot, progress: Progress, rng: np.random.Generator) -> Snapshot:
    """From a recorded snapshot until `progress` is over or steps make no difference; the last snapshot."""
    metric = None
    if not np.any(snap.w[:-1]) and task.code != SQUARED:
        w, metric = on_samples(task, snap.w, progress, rng)
        if w is not None:
            near = snapshot(task, w, bool(task.scale), progress.tol)
            progress.passes += 1.0
            progress.record(task, near, "finish")
            snap = near if near.objective <= snap.objective else snap
    run = Run(task, progress, 1.0, progress.tol)
    return run.steps(snap, metric, lambda now, _: progress.over, lambda now: progress.record(task, now, "finish"), MOST_STEPS)


def on_samples(
    task: Task, w: np.ndarray, progress: Progress, rng: np.random.Generator
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(w, its metric if that is worth keeping) after the largest sample; (None, None) where there are too few rows for one."""
    n, d = task.rows.n, task.rows.d
    strides, stride = [], GROWTH
    while n // stride >= ROWS * d:
        strides.insert(0, stride)
        stride *= GROWTH
    now, metric = None, None
    for stride in strides:
        sample = rows_of(task, stride, rng)
        error = SHARE * d / (2.0 * sample.rows.n)
        now = snapshot(sample, w, bool(task.scale), progress.tol)
        share = sample.rows.n / n
        progress.passes += share
        run = Run(sample, progress, share, error)
        now = run.steps(now, metric, lambda at, gain, e=error: gain <= min(e, SHARE * at.objective), None, SAMPLE_STEPS)
        metric = run.metric if is_dense(task.rows) else None  # of sparse rows a sample misses whole features
        w = now.w
        if progress.passes >= progress.max_passes:
            break
    return (None, None) if now is None else (w, metric)


def rows_of(task: Task, stride: int, rng: np.random.Generator) -> Task:
    """The task on one row out of every `stride` neighbours."""
    n = task.rows.n
    at = np.arange(0, n - stride + 1, stride)
    at += rng.integers(stride, size=at.size)
    rows = task.rows.take(at)
    p = task.p[at]
    if len(rows.arrays) == 3:
        values, columns, pointers = rows.arrays
        rows = replace(rows, arrays=(values, columns, pointers[: at.size + 1]))
    entries = rows.n * rows.d if is_dense(rows) else math.ceil(task.rows.entries / stride)
    return replace(task, rows=replace(rows, entries=entries), y=task.y[at], p=p / p.sum())


class Run:
    """Newton steps on one task."""

    def __init__(self, task: Task, progress: Progress, share: float, target: float) -> None:
        """`share` is what a pass over the task is of a pass over all rows; `target` the accuracy of P that is wanted."""
        self.task, self.progress, self.share, self.target = task, progress, share, target
        self.cost = gram_passes(task.rows)
        self.goal = 0.0  # a violation of the optimality conditions that is good enough
        self.metric: np.ndarray | None = None
        self.weights, self.damping = curvatures, Damping()

    def steps(
        self,
        now: Snapshot,
        metric: np.ndarray | None,
        done: Callable[[Snapshot, float], bool],  # of a snapshot and what the step before it promised
        record: Callable[[Snapshot], object] | None = None,
        most: int = 10**9,
    ) -> Snapshot:
        """Steps until done, or until they stop making progress; the last snapshot."""
        self.metric, fresh, stalls, gain = metric, False, 0, math.inf
        wrong = violation(self.task, now)
        for _ in range(most):
            if wrong <= self.goal or done(now, gain):
                break
            if self.metric is None:
                self.metric, fresh = self.hessian(now), True
            weights = self.weights
            after, gain = self.step(now, wrong)
            if after is None:
                if fresh and weights is self.weights and self.damping.share > LARGEST:
                    break
                if not fresh or weights is not self.weights:
                    self.metric = None
                continue
            if record is not None:
                record(after)
            stalls = stalls + 1 if stalled(self.task, now, after) else 0
            if stalls >= STALLS:
                return after if after.objective <= now.objective else now
            before, wrong = wrong, violation(self.task, after)
            self.correct(now, after)
            if self.refresh_pays(wrong / before, wrong, gain):
                self.metric = None
            fresh, now = False, after
        return now

    def hessian(self, now: Snapshot) -> np.ndarray:
        """A new metric at a snapshot."""
        self.progress.passes += self.cost * self.share
        return gram(self.task, self.weights(self.task, now))

    def step(self, now: Snapshot, wrong: float) -> tuple[Snapshot | None, float]:
        """One step, and half of the decrease that its model promised."""
        task, size = self.task, self.metric.shape[0]
        model = GramModel(self.metric, smooth_gradient(task, now)[:size], task.l2, task.rows.d, self.damping.share)
        delta = np.zeros_like(now.w)
        delta[:size] = minimise_model(model, now.w[:size], task.l1, ACCURACY * wrong) - now.w[:size]
        after, t = along(task, now, delta)
        self.progress.passes += self.share
        self.weights = secants if t < SHORT else curvatures
        self.damping.learn(t)
        return after, -0.5 * promise(task, now, delta)

    def correct(self, now: Snapshot, after: Snapshot) -> None:
        """The correction of the metric by what a step showed."""
        B, size = self.metric, self.metric.shape[0]
        s, y = (after.w - now.w)[:size], (after.gradient - now.gradient)[:size]
        Bs = B @ s
        seen, thought = float(s @ y), float(s @ Bs)
        if seen > 1e-10 * thought > 0.0:
            dger(1.0 / seen, y, y, a=B.T, overwrite_a=1)
            dger(-1.0 / thought, Bs, Bs, a=B.T, overwrite_a=1)

    def refresh_pays(self, ratio: float, wrong: float, gain: float) -> bool:
        """Whether at this contraction the steps that are left cost more passes than a new Hessian and two steps with it."""
        if not 0.0 < ratio < 0.9:
            return ratio > 0.0
        left = math.log(wrong / self.goal) if self.goal else 0.5 * math.log(max(gain, TINY) * ratio**2 / max(self.target, TINY))
        return left > -math.log(ratio) * (self.cost + 2.0)
