r"""Many features and an l1 penalty: proximal Newton steps on few columns, optimality conditions on all.

.. math:: A \supseteq \{j : w_j \ne 0\} \cup \{j : |\nabla_j F(w)| > l_1\} \text{ as far as there is room}

The columns outside of A stay at 0 until a gradient of all of them says otherwise. There is room for twice as many new ones as the
support has, so the sets settle after a logarithmic number of passes. On A steps are taken until its conditions are ten times
better than the worst were before, and, when no column asked to come in, until a step promises less than the gap that is wanted.
Few columns are a small problem, with a Hessian that is written down; on many the model is minimised without it.

Source: derived here; massias2018celer for working sets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convex.engine.columns import ColumnModel, Columns, take_columns
from convex.engine.descent import SHORT, Damping, along, promise, smooth_gradient, stalled, violation
from convex.engine.hessian import curvatures, is_dense, secants
from convex.engine.newton import Run
from convex.engine.progress import Progress
from convex.engine.quadratic import minimise_model
from convex.engine.task import Snapshot, Task

__all__ = ["working_sets"]

ROOM = 100  # new columns that there is room for at least
GROW = 2
NEAR = 0.95
FEW_SPARSE, FEW_DENSE = 500, 1500  # columns whose Gram matrix is written down
ACCURACY = 0.2  # of a model's solution, relative to the violation of the optimality conditions
MOST_STEPS = 30
STALLS = 3
TIGHTER = 0.03  # promised decrease of P at which steps end, relative to the gap, which is first order in what is left


def working_sets(task: Task, snap: Snapshot, progress: Progress) -> Snapshot:
    """From a recorded snapshot until `progress` is over or nothing changes any more; the last snapshot."""
    few = FEW_DENSE if is_dense(task.rows) else FEW_SPARSE
    chosen, part, stalls, enough = None, None, 0, TIGHTER * progress.tol
    while not progress.over and stalls < STALLS:
        wrong = violation(task, snap)
        wanted, settled = choose(task, snap)
        if part is None or not np.isin(wanted, chosen, assume_unique=True).all():
            chosen = wanted
            rows = take_columns(task.rows, chosen)
            share = rows.entries / max(task.rows.entries, 1)
            part = (Few if chosen.size <= few else Many)(replace(task, rows=rows), progress, share)
            progress.passes += 0.25
        at = np.append(chosen, task.rows.d)
        inner = part.task.snapshot_of(snap.w[at], snap.z, snap.s, snap.gradient[at], snap.loss, snap.excess)
        now = part.solve(inner, enough, 0.0 if settled else part.better * wrong)
        enough *= TIGHTER if settled else 1.0
        w = np.zeros(task.rows.d + 1)
        w[at] = now.w
        after = task.snapshot_of(w, now.z, now.s, task.rows.scatter(now.s, task.scale), now.loss, now.excess)
        progress.passes += 0.5
        progress.record(task, after, "finish")
        stalls = stalls + 1 if stalled(task, snap, after) else 0
        snap = after
    return snap


def choose(task: Task, snap: Snapshot) -> tuple[np.ndarray, bool]:
    """The columns to work on, increasing, and whether all that matter were in the support already."""
    size = np.abs(snap.gradient[:-1])
    support = snap.w[:-1] != 0.0
    wanted = np.flatnonzero((size > NEAR * task.l1) & ~support)
    inside = np.flatnonzero(support)
    room = max(ROOM, GROW * inside.size)
    settled = not np.any(size[wanted] > task.l1)
    if wanted.size > room:
        wanted = wanted[np.argpartition(-size[wanted], room)[:room]]
    return np.union1d(inside, wanted), settled


class Few:
    """The task on few columns."""

    better = 0.1  # violation of the restricted task to be reached, relative to the whole one's

    def __init__(self, task: Task, progress: Progress, share: float) -> None:
        """`share` is what a pass over the task is of a pass over all columns."""
        self.task = task
        self.run = Run(task, progress, share, 0.0)

    def solve(self, now: Snapshot, enough: float, goal: float) -> Snapshot:
        """Steps until the violation is at most `goal`, or, with a goal of 0, until one promises at most `enough`."""
        run = self.run
        run.goal, run.target = goal, 0.0 if goal else enough
        return run.steps(now, run.metric, lambda _, gain: gain <= run.target or run.progress.passes >= run.progress.max_passes)


class Many:
    """The task on many columns."""

    better = 0.2

    def __init__(self, task: Task, progress: Progress, share: float) -> None:
        """As for `Few`."""
        self.task, self.progress, self.share = task, progress, share
        self.columns = Columns(task.rows)

    def solve(self, now: Snapshot, enough: float, goal: float) -> Snapshot:
        """As for `Few`."""
        task, progress, weights, stalls, damping = self.task, self.progress, curvatures, 0, Damping()
        for _ in range(MOST_STEPS):
            wrong = violation(task, now)
            if wrong <= goal or stalls >= STALLS or progress.passes >= progress.max_passes:
                break
            model = ColumnModel(self.columns, weights(task, now), smooth_gradient(task, now), task.l2, task.scale, damping.share)
            step = minimise_model(model, now.w, task.l1, ACCURACY * wrong) - now.w
            after, t = along(task, now, step)
            progress.passes += self.share * (1.0 + model.readings)
            weights = secants if t < SHORT else curvatures
            if not damping.learn(t):
                break
            if after is None:
                continue
            stalls = stalls + 1 if stalled(task, now, after) else 0
            gain, now = -0.5 * promise(task, now, step), after
            if goal == 0.0 and gain <= enough:
                break
        return now
