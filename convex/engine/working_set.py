r"""Many features and an l1 penalty: proximal Newton steps on few columns, optimality conditions on all.

.. math:: A \supseteq \{j : w_j \ne 0\} \cup \{j : |\nabla_j F(w)| > l_1\} \text{ as far as there is room}

The columns outside of A stay at 0 until a gradient of all of them says otherwise. There is room for twice as many new
ones as the support has, so the sets settle after a logarithmic number of passes. On A steps are taken until its
conditions are several times better than the worst were before, and, when no column asked to come in, until a step
promises less than the gap that is wanted. Few columns are a small problem, with a Hessian that is written down; on many
the model is minimised without it.

Source: derived here; massias2018celer for working sets.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from convex.engine.columns import ColumnModel, Columns, take_columns
from convex.engine.descent import SHORT, Damping, along, record, slopes, stalled
from convex.engine.hessian import curvatures, is_dense, secants
from convex.engine.newton import Run
from convex.engine.progress import Progress
from convex.engine.quadratic import minimise_model
from convex.engine.task import Snapshot, Task

__all__ = ["working_sets"]

ROOM, GROW = 100, 2  # new columns that there is room for: at least, and for each one in the support
NEAR = 0.95  # of l1: a slope that may soon be too large
FEW_SPARSE, FEW_DENSE = 500, 1500  # columns whose Gram matrix is written down
ACCURACY = 0.2  # of a model's solution, relative to the violation of the optimality conditions
MOST_STEPS = 30
STALLS = 3
TIGHTER = 0.03  # gain of P at which steps end, relative to the gap, which is of first order in what is left


def working_sets(task: Task, snap: Snapshot, progress: Progress) -> Snapshot:
    """From a recorded snapshot until `progress` is over or nothing changes any more; the last snapshot."""
    part, stalls, enough, at = None, 0, TIGHTER * progress.tol, slopes(task, snap)
    while not progress.over and stalls < STALLS:
        wanted, settled = choose(task, snap)
        if part is None or not np.isin(wanted, part.chosen, assume_unique=True).all():
            part = part_on(task, wanted, progress)
        now = part.solve(part.restricted(snap), enough, 0.0 if settled else part.better * at.wrong)
        enough *= TIGHTER if settled else 1.0
        after = part.extended(task, now)
        progress.passes += 0.5
        record(task, after, 0.0 if settled else math.inf, progress)
        before, at = at, slopes(task, after)
        stalls = stalls + 1 if stalled(snap, after, before.wrong, at.wrong) else 0
        snap = after
    return snap


def choose(task: Task, snap: Snapshot) -> tuple[np.ndarray, bool]:
    """The columns to work on, increasing, and whether all that matter are in the support already."""
    size = np.abs(snap.gradient[:-1])
    support = snap.w[:-1] != 0.0
    wanted = np.flatnonzero((size > NEAR * task.l1) & ~support)
    inside = np.flatnonzero(support)
    room = max(ROOM, GROW * inside.size)
    settled = not np.any(size[wanted] > task.l1)
    if wanted.size > room:
        wanted = wanted[np.argpartition(-size[wanted], room)[:room]]
    return np.union1d(inside, wanted), settled


def part_on(task: Task, chosen: np.ndarray, progress: Progress) -> Few | Many:
    """The task on the chosen columns."""
    rows = take_columns(task.rows, chosen)
    progress.passes += 0.25
    few = FEW_DENSE if is_dense(task.rows) else FEW_SPARSE
    kind = Few if chosen.size <= few else Many
    return kind(replace(task, rows=rows), chosen, progress, rows.entries / max(task.rows.entries, 1))


class Part:
    """A task on some of its columns."""

    better = 0.1  # violation to be reached on the part, relative to that of all columns before

    def __init__(self, task: Task, chosen: np.ndarray, progress: Progress, share: float) -> None:
        """`share` is what a pass over these columns is of a pass over all."""
        self.task, self.chosen, self.progress, self.share = task, chosen, progress, share

    def restricted(self, snap: Snapshot) -> Snapshot:
        """The snapshot of the part at a point of the whole, which is 0 elsewhere."""
        at = np.append(self.chosen, snap.w.size - 1)
        return self.task.snapshot_of(snap.w[at], snap.z, snap.s, snap.gradient[at], snap.loss, snap.excess)

    def extended(self, task: Task, now: Snapshot) -> Snapshot:
        """The snapshot of the whole task at a point of the part."""
        w = np.zeros(task.rows.d + 1)
        w[np.append(self.chosen, task.rows.d)] = now.w
        return task.snapshot_of(w, now.z, now.s, task.rows.scatter(now.s, task.scale), now.loss, now.excess)


class Few(Part):
    """With a Hessian that is written down."""

    def __init__(self, task: Task, chosen: np.ndarray, progress: Progress, share: float) -> None:
        """As for a `Part`."""
        super().__init__(task, chosen, progress, share)
        self.run = Run(task, progress, share, 0.0)

    def solve(self, now: Snapshot, enough: float, goal: float) -> Snapshot:
        """Steps until the violation is at most `goal`, or, with a goal of 0, until one promises at most `enough`."""
        run = self.run
        run.goal, run.target = goal, 0.0 if goal else enough
        return run.steps(now, run.metric, lambda _, gain: gain <= run.target)


class Many(Part):
    """With a model that is known by its columns."""

    better = 0.2

    def __init__(self, task: Task, chosen: np.ndarray, progress: Progress, share: float) -> None:
        """As for a `Part`."""
        super().__init__(task, chosen, progress, share)
        self.columns, self.damping, self.weights = Columns(task.rows), Damping(), curvatures

    def solve(self, now: Snapshot, enough: float, goal: float) -> Snapshot:
        """As for `Few`."""
        task, stalls, at = self.task, 0, slopes(self.task, now)
        for _ in range(MOST_STEPS):
            if at.wrong <= goal or stalls >= STALLS or self.progress.left <= 0.0:
                break
            D, damping = self.weights(task, now), self.damping
            most = self.progress.left / self.share if self.share else math.inf
            model = ColumnModel(self.columns, D, at.g, task.l2, task.scale, damping.share, most)
            step = along(task, now, at, minimise_model(model, now.w, task.l1, ACCURACY * at.wrong) - now.w)
            self.progress.passes += self.share * (1.0 + model.readings)
            self.weights = secants if step.t < SHORT else curvatures
            if not damping.learn(step.t):
                break
            if step.after is None:
                continue
            before, at = at, slopes(task, step.after)
            stalls = stalls + 1 if stalled(now, step.after, before.wrong, at.wrong) else 0
            now = step.after
            if goal == 0.0 and step.gain <= enough:
                break
        return now
