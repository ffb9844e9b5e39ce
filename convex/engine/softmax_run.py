r"""What a run on a softmax problem has cost so far, its history, its best point, and whether it is over.

.. math:: \text{over} \iff \text{gap} \le \text{tol} \;\lor\; \text{passes} \ge \text{most} \;\lor\; \text{the callback says so}

A run on a part of the features reports to the run on all of them: its passes count by their share of the entries, and its lines
in the history have no gap, for what it certifies is the smaller problem.

Source: derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from convex.engine.options import Options
from convex.engine.softmax_gap import softmax_gap
from convex.engine.softmax_task import SoftmaxSnapshot, SoftmaxTask
from convex.engine.solution import Record, Solution

__all__ = ["SoftmaxRun"]


class SoftmaxRun:
    """Counts, records and the best point of one run."""

    def __init__(
        self, task: SoftmaxTask, tol: float, max_passes: float, callback: Callable[[Record], Any] | None
    ) -> None:
        """Start the clock."""
        self.task, self.tol, self.max_passes, self.callback = task, tol, max_passes, callback
        self.begin, self.passes, self.share = perf_counter(), 0.0, 1.0
        self.outer: SoftmaxRun | None = None
        self.history: list[Record] = []
        self.best: SoftmaxSnapshot | None = None
        self.gap, self.over, self.stopped = math.inf, False, False

    @property
    def left(self) -> float:
        """Passes that may still be spent."""
        return self.max_passes - self.passes

    def part(self, task: SoftmaxTask, tol: float) -> SoftmaxRun:
        """A run on the same rows and fewer features, which reports to this one."""
        share = task.rows.entries / max(self.task.rows.entries, 1)
        inner = SoftmaxRun(task, tol, self.left / max(share, 1e-3), None)
        inner.outer, inner.share = self, share
        return inner

    def accuracy(self, options: Options) -> float | None:
        """How well the intercepts of a snapshot have to fit, relative to the frequencies; None: they stay as they are."""
        return min(1e-3, 0.02 * self.tol) if options.exact_intercept else None

    def count(self, passes: float) -> None:
        """Add to the cost."""
        self.passes += passes
        self.over = self.over or self.passes >= self.max_passes
        if self.outer is not None:
            self.outer.count(passes * self.share)

    def note(self, snap: SoftmaxSnapshot, passes: float, phase: str) -> float:
        """Record a snapshot that cost `passes`; the gap. The best point is that with the smallest gap."""
        self.count(passes)
        gap = softmax_gap(self.task, snap)
        if self.best is None or gap < self.gap:
            self.best, self.gap = snap, gap
        self._line(snap.objective, gap, int(np.count_nonzero(snap.U[: self.task.rows.d])), phase)
        self.over = self.over or self.stopped or self.gap <= self.tol
        return gap

    def _line(self, objective: float, gap: float, nonzeros: int, phase: str) -> None:
        if self.outer is not None:
            self.outer._line(objective, math.inf, nonzeros, phase)
            self.stopped = self.outer.stopped
            return
        line = Record(self.passes, perf_counter() - self.begin, objective, gap, nonzeros, phase)
        self.history.append(line)
        self.stopped = self.stopped or (self.callback is not None and bool(self.callback(line)))

    def solution(self) -> Solution:
        """The best point."""
        assert self.best is not None
        task, U = self.task, self.best.U
        d = task.rows.d
        intercept = U[d] * task.rows.scale if task.rows.scale else np.zeros(task.classes)
        return Solution(
            coef=np.ascontiguousarray(U[:d].T),
            intercept=intercept - intercept.mean(),
            objective=self.best.objective,
            gap=self.gap,
            dual=None,
            passes=self.passes,
            converged=self.gap <= self.tol,
            seconds=perf_counter() - self.begin,
            history=tuple(self.history),
        )
