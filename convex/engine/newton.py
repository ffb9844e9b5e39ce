r"""Proximal Newton steps with a matrix that is written down, corrected by what steps show, recomputed when that pays.

.. math::
    w^+ &= \arg\min_x \; \nabla F(w) \cdot (x - w) + \tfrac12 (x - w)^\top B (x - w) + R(x), \\
    B &\leftarrow B + \frac{y y^\top}{s \cdot y} - \frac{B s s^\top B}{s^\top B s},
    \qquad s = w^+ - w, \quad y = \nabla F(w^+) - \nabla F(w)

A Hessian costs as much as several passes. One that is a few steps old, corrected as by Broyden, Fletcher, Goldfarb and
Shanno, costs nothing and contracts nearly as well: it is kept while the steps that are left cost less than a new one.

From far away the steps are taken on samples of rows of growing size, each solved to about its statistical error
d / (2 m), which is all that m rows decide about w. The whole data see the last steps only.

Source: derived here; lee2014proximal for proximal Newton, daneshmand2016starting for samples of growing size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from convex.engine.compiled import HAS_NUMBA, summing
from convex.engine.descent import LARGEST, SHORT, Damping, Slopes, Step, along, record, slopes, stalled
from convex.engine.hessian import curvatures, gram, gram_passes, is_dense, secants
from convex.engine.losses import SQUARED
from convex.engine.progress import Progress
from convex.engine.quadratic import GramModel, minimise_model
from convex.engine.snapshot import snapshot
from convex.engine.task import Snapshot, Task

__all__ = ["Run", "newton"]

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
    return run.steps(
        snap, metric, lambda _, __: progress.over, lambda now, gain: record(task, now, gain, progress), MOST_STEPS
    )


def on_samples(
    task: Task, w: np.ndarray, progress: Progress, rng: np.random.Generator
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(w, its metric if that is worth keeping) after the largest sample; (None, None): too few rows for one."""
    n, d = task.rows.n, task.rows.d
    strides = [GROWTH**k for k in range(1, 30) if n // GROWTH**k >= ROWS * d]
    end, metric = None, None
    for stride in reversed(strides):
        sample = rows_of(task, stride, rng)
        share, error = sample.rows.n / n, SHARE * d / (2.0 * sample.rows.n)
        now = snapshot(sample, w if end is None else end, bool(task.scale), progress.tol)
        progress.passes += share
        run = Run(sample, progress, share, error)
        now = run.steps(now, metric, lambda at, gain, e=error: gain <= min(e, SHARE * at.objective), None, SAMPLE_STEPS)
        metric = run.metric if is_dense(task.rows) else None  # of sparse rows a sample misses whole features
        end = now.w
        if progress.passes >= progress.max_passes:
            break
    return end, metric


def rows_of(task: Task, stride: int, rng: np.random.Generator) -> Task:
    """The task on one row out of every `stride` neighbours."""
    at = np.arange(0, task.rows.n - stride + 1, stride)
    at += rng.integers(stride, size=at.size)
    p = task.p[at]
    return replace(task, rows=task.rows.take(at), y=task.y[at], p=p / p.sum())


class Run:
    """Newton steps on one task."""

    def __init__(self, task: Task, progress: Progress, share: float, target: float) -> None:
        """`share` is what a pass over the task is of a pass over all rows; `target` the accuracy of P that is wanted."""
        self.task, self.progress, self.share, self.target = task, progress, share, target
        self.goal = 0.0  # a violation of the optimality conditions that is good enough
        self.cost = gram_passes(task.rows)
        self.metric: np.ndarray | None = None
        self.weights, self.damping = curvatures, Damping()

    def steps(
        self,
        now: Snapshot,
        metric: np.ndarray | None,
        done: Callable[[Snapshot, float], bool],  # of a snapshot and what the step before it promised to gain
        note: Callable[[Snapshot, float], None] | None = None,
        most: int = 10**9,
    ) -> Snapshot:
        """Steps until done, or until they stop making progress; the last snapshot."""
        stalls, gain, at = 0, math.inf, slopes(self.task, now)
        fresh = metric is None
        for _ in range(most):
            if at.wrong <= self.goal or stalls >= STALLS or done(now, gain):
                break
            if metric is None:
                metric, fresh = self.hessian(now), True
            weights = self.weights
            step = self.step(metric, now, at)
            gain = step.gain
            if step.after is None:
                if fresh and weights is self.weights and self.damping.share > LARGEST:
                    break
                metric = metric if fresh and weights is self.weights else None
                continue
            if note is not None:
                note(step.after, gain)
            before, at = at, slopes(self.task, step.after)
            stalls = stalls + 1 if stalled(now, step.after, before.wrong, at.wrong) else 0
            size = metric.shape[0]
            correct(metric, (step.after.w - now.w)[:size], (step.after.gradient - now.gradient)[:size])
            if self.refresh_pays(at.wrong / before.wrong, at.wrong, gain):
                metric = None
            fresh, now = False, step.after
        self.metric = metric
        return now

    def hessian(self, now: Snapshot) -> np.ndarray:
        """A new metric at a snapshot."""
        self.progress.passes += self.cost * self.share
        return gram(self.task, self.weights(self.task, now))

    def step(self, metric: np.ndarray, now: Snapshot, at: Slopes) -> Step:
        """One step."""
        task, size = self.task, metric.shape[0]
        model = GramModel(metric, at.g[:size], task.l2, task.rows.d, self.damping.share)
        delta = np.zeros_like(now.w)
        delta[:size] = minimise_model(model, now.w[:size], task.l1, ACCURACY * at.wrong) - now.w[:size]
        step = along(task, now, at, delta)
        self.progress.passes += self.share
        self.weights = secants if step.t < SHORT else curvatures
        self.damping.learn(step.t)
        return step

    def refresh_pays(self, ratio: float, wrong: float, gain: float) -> bool:
        """Whether at this contraction the steps left cost more passes than a new Hessian and two steps with it."""
        if not 0.0 < ratio < 0.9:
            return ratio > 0.0
        left = wrong / self.goal if self.goal else math.sqrt(gain / max(self.target, TINY)) * ratio
        return math.log(max(left, TINY)) > -math.log(ratio) * (self.cost + 2.0)


@summing
def correct(B: np.ndarray, s: np.ndarray, y: np.ndarray) -> None:
    """The correction of B by a step s that changed the gradient by y; none where y shows no curvature."""
    Bs, seen, thought = np.zeros(s.size), 0.0, 0.0
    for i in range(s.size):
        for j in range(s.size):
            Bs[i] += B[i, j] * s[j]
        seen += s[i] * y[i]
        thought += s[i] * Bs[i]
    if seen > 1e-10 * thought and thought > 0.0:
        for i in range(s.size):
            a, b = y[i] / seen, Bs[i] / thought
            for j in range(s.size):
                B[i, j] += a * y[j] - b * Bs[j]


if not HAS_NUMBA:

    def correct(B: np.ndarray, s: np.ndarray, y: np.ndarray) -> None:
        """The correction of B by a step s that changed the gradient by y; none where y shows no curvature."""
        Bs = B @ s
        seen, thought = float(s @ y), float(s @ Bs)
        if seen > 1e-10 * thought > 0.0:
            B += np.outer(y / seen, y) - np.outer(Bs / thought, Bs)
