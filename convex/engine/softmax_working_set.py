r"""Many features and an L1 penalty: work on those that matter, certify on all.

.. math:: A \supseteq \{j : W_{\cdot j} \ne 0\} \cup \{j : \max_k |g_{kj}| > l_1\} \text{ as far as there is room}

The features outside of A keep weight 0 until the gradient of all of them says otherwise. There is room for twice as many new
ones as the support has, the worst offenders first. The problem on A is solved to a fraction of the gap of the whole; where no
feature asks to come in, both gaps are the same.

Source: derived here; massias2018celer for working sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from convex.engine.options import Options
from convex.engine.softmax_run import SoftmaxRun
from convex.engine.softmax_task import SoftmaxSnapshot, SoftmaxTask

__all__ = ["on_working_sets"]

ROOM = 100  # new features that there is room for at least
FRACTION = 0.1  # of the gap of the whole, to which a part is solved
EPS = float(np.finfo(np.float64).eps)
STALLS = 3  # sets without progress after which the run ends


def on_working_sets(
    run: SoftmaxRun,
    now: SoftmaxSnapshot,
    options: Options,
    solve: Callable[[SoftmaxRun, SoftmaxSnapshot], None],  # a run on a part, from a snapshot of it
) -> None:
    """From a recorded snapshot until the run is over or sets make no difference."""
    stalls = 0
    while not run.over and stalls < STALLS:
        chosen = choose(run.task, now)
        part = restricted(run.task, chosen)
        inner = run.part(part, max(FRACTION * run.gap, 0.5 * run.tol))
        rows = np.append(chosen, np.arange(run.task.rows.d, run.task.rows.size))
        at = part.snapshot(now.U[rows], None, now.Z)
        inner.note(at, 0.5, "dasvrda")
        if not inner.over:
            solve(inner, at)
        assert inner.best is not None
        U = np.zeros_like(now.U)
        U[rows] = inner.best.U
        before, now = now.objective, run.task.snapshot(U, run.accuracy(options), inner.best.Z)
        run.note(now, 0.5, "finish")
        stalls = stalls + 1 if now.objective >= before * (1.0 - EPS) else 0


def choose(task: SoftmaxTask, snap: SoftmaxSnapshot) -> np.ndarray:
    """Feature numbers, increasing."""
    d = task.rows.d
    support = (snap.U[:d] != 0.0).any(axis=1)
    size = np.abs(snap.gradient[:d]).max(axis=1)
    asking = np.flatnonzero(~support & (size > task.l1))
    room = max(ROOM, 2 * int(support.sum()))
    if asking.size > room:
        asking = asking[np.argpartition(-size[asking], room)[:room]]
    return np.union1d(np.flatnonzero(support), asking)


def restricted(task: SoftmaxTask, chosen: np.ndarray) -> SoftmaxTask:
    """The task with the weights of all other features held at 0."""
    rows = np.append(chosen, np.arange(task.rows.d, task.rows.size))
    return replace(task, rows=task.rows.columns(chosen), target=task.target[rows], mean=task.mean[rows])
