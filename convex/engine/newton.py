r"""Proximal Newton steps with a matrix that is written down, corrected by what steps show, recomputed when that pays.

.. math::
    w^+ &= \arg\min_x \; \nabla F(w) \cdot (x - w) + \tfrac12 (x - w)^\top B (x - w) + R(x), \\
    B &\leftarrow B + \frac{y y^\top}{s \cdot y} - \frac{B s s^\top B}{s^\top B s},
    \qquad s = w^+ - w, \quad y = \nabla F(w^+) - \nabla F(w)

A Hessian costs as much as several passes. One that is a few steps old, corrected as by Broyden, Fletcher, Goldfarb and
Shanno, costs nothing and contracts nearly as well: it is kept while the steps that are left cost less than a new one.
With an l1 penalty and sparse rows it has only the columns that matter: those of the support, and those whose weight may
come to leave 0.

From far away the steps are taken on samples of rows of growing size, each solved to about its statistical error
d / (2 m), which is all that m rows decide about w. The whole data see the last steps only.

Source: derived here; lee2014proximal for proximal Newton, daneshmand2016starting for samples of growing size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from convex.engine.compiled import HAS_NUMBA, summing
from convex.engine.descent import LARGEST, SHORT, Damping, Slopes, Step, along, record, slopes, stalled
from convex.engine.hessian import curvatures, gram, gram_passes, is_dense, secants
from convex.engine.losses import SQUARED
from convex.engine.progress import Progress
from convex.engine.quadratic import GramModel, minimise_model
from convex.engine.snapshot import snapshot
from convex.engine.task import Snapshot, Task

__all__ = ["Metric", "Run", "newton", "sample_strides"]

ACCURACY = 0.1  # of a model's solution, relative to the violation of the optimality conditions
GROWTH = 4  # of the samples
ROWS_DENSE, ROWS_SPARSE = 6, 8  # of the smallest sample for each feature
SHARE = 0.1  # of a sample's statistical error to which it is solved
SAMPLE_STEPS = 12
MOST_STEPS = 100  # other methods must go on then: the loss has kinks that are met one by one
STALLS = 3
NEAR = 0.8  # of l1: a slope whose column is worth having
WORST = 0.3  # of the violation: a column that is missed
TINY = 1e-300


def newton(task: Task, snap: Snapshot, progress: Progress, rng: np.random.Generator) -> Snapshot:
    """From a recorded snapshot until `progress` is over or steps make no difference; the last snapshot."""
    metric = None
    if not np.any(snap.w[:-1]):
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
) -> tuple[np.ndarray | None, Metric | None]:
    """(w, its metric if that is worth keeping) after the largest sample; (None, None): too few rows for one."""
    end, metric = None, None
    for stride in reversed(sample_strides(task)):
        sample = rows_of(task, stride, rng)
        share, error = sample.rows.n / task.rows.n, SHARE * task.rows.d / (2.0 * sample.rows.n)
        now = snapshot(sample, w if end is None else end, bool(task.scale), progress.tol)
        progress.passes += share
        run = Run(sample, progress, share, error)
        now = run.steps(now, metric, lambda at, gain, e=error: gain <= min(e, SHARE * at.objective), None, SAMPLE_STEPS)
        metric = run.metric if is_dense(task.rows) else None  # of sparse rows a sample misses whole features
        end = now.w
        if progress.left <= 0.0:
            break
    return end, metric


def sample_strides(task: Task) -> list[int]:
    """One row out of how many the samples have, the largest sample first; none where one step on all rows is enough."""
    if task.code == SQUARED:
        return []
    least = max(task.rows.d * (ROWS_DENSE if is_dense(task.rows) else ROWS_SPARSE), 1)
    return [GROWTH**k for k in range(1, 30) if task.rows.n // GROWTH**k >= least]


def rows_of(task: Task, stride: int, rng: np.random.Generator) -> Task:
    """The task on one row out of every `stride` neighbours."""
    at = np.arange(0, task.rows.n - stride + 1, stride)
    at += rng.integers(stride, size=at.size)
    p = task.p[at]
    return replace(task, rows=task.rows.take(at), y=task.y[at], p=p / p.sum())


@dataclass(frozen=True)
class Metric:
    """A model of the curvature of F on some of its coordinates, the intercept among them if there is one."""

    B: np.ndarray  # (k, k)
    at: np.ndarray  # (k,) increasing


class Run:
    """Newton steps on one task."""

    def __init__(self, task: Task, progress: Progress, share: float, target: float) -> None:
        """`share` is what a pass over the task is of a pass over all rows; `target` the accuracy of P that is wanted."""
        self.task, self.progress, self.share, self.target = task, progress, share, target
        self.goal = 0.0  # a violation of the optimality conditions that is good enough
        self.cost = gram_passes(task.rows)
        self.metric: Metric | None = None
        self.weights, self.damping = curvatures, Damping()

    def steps(
        self,
        now: Snapshot,
        metric: Metric | None,
        done: Callable[[Snapshot, float], bool],  # of a snapshot and what the step before it promised to gain
        note: Callable[[Snapshot, float], None] | None = None,
        most: int = 10**9,
    ) -> Snapshot:
        """Steps until done, or until they stop making progress; the last snapshot."""
        stalls, gain, at = 0, math.inf, slopes(self.task, now)
        fresh = metric is None
        for _ in range(most):
            if at.wrong <= self.goal or stalls >= STALLS or self.progress.left <= 0.0 or done(now, gain):
                break
            if metric is None:
                metric, fresh = self.hessian(now, at), True
            if metric is None:
                break
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
            correct(metric.B, (step.after.w - now.w)[metric.at], (step.after.gradient - now.gradient)[metric.at])
            if self.refresh_pays(at.wrong / before.wrong, at.wrong, gain) or self.misses(metric, at):
                metric = None
            fresh, now = False, step.after
        self.metric = metric
        return now

    def hessian(self, now: Snapshot, at: Slopes) -> Metric | None:
        """A new metric at a snapshot; None where the passes that are left do not allow it."""
        task, d = self.task, self.task.rows.d
        chosen = np.arange(d)
        if task.l1 and not is_dense(task.rows):  # by BLAS all columns cost hardly more, and none is ever missed
            chosen = np.flatnonzero((now.w[:-1] != 0.0) | (np.abs(at.g[:-1]) > NEAR * task.l1))
        cost = (1.0 + self.cost * (chosen.size / max(d, 1)) ** 2) * self.share
        if cost > self.progress.left:
            return None
        self.progress.passes += cost
        B = gram(task, self.weights(task, now), chosen)
        return Metric(B, np.append(chosen, d) if task.scale else chosen)

    def step(self, metric: Metric, now: Snapshot, at: Slopes) -> Step:
        """One step."""
        task, w = self.task, now.w[metric.at]
        penalised = w.size - bool(task.scale)
        model = GramModel(metric.B, at.g[metric.at], task.l2, penalised, self.damping.share)
        delta = np.zeros_like(now.w)
        delta[metric.at] = minimise_model(model, w, task.l1, ACCURACY * at.wrong) - w
        step = along(task, now, at, delta)
        self.progress.passes += self.share
        self.weights = secants if step.t < SHORT else curvatures
        self.damping.learn(step.t)
        return step

    def misses(self, metric: Metric, at: Slopes) -> bool:
        """Whether a column that the metric does not have is among the worst."""
        if metric.at.size >= self.task.rows.d:
            return False
        size = np.abs(at.g[:-1])
        size[metric.at[metric.at < size.size]] = 0.0
        return float(size.max(initial=0.0)) - self.task.l1 > WORST * at.wrong

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
