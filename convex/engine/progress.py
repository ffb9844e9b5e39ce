r"""What a run has cost so far, its history, and whether it is over.

.. math::
    \text{over} \iff \text{gap} \le \text{tol} \;\lor\; \text{passes} \ge \text{max\_passes}
        \;\lor\; \text{nothing moves} \;\lor\; \text{the callback says so}

A pass is n gradients of one row. The limit is kept up to one stage or step and the intercept of the point where it
ends: up to four passes. A snapshot costs one pass; a stage of m steps with b rows costs m b / n, because the
slopes of the snapshot are kept (the published count takes them again: 2 m b / n). Scores alone, or their transpose
alone, count a half. The squared norms of the rows and the shuffle at the beginning are not counted; they are in the
seconds.

Source: derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from convex.engine.gap import certified_gap, gap_below, least_gap
from convex.engine.losses import HUBER
from convex.engine.snapshot import balanced
from convex.engine.solution import Record, Solution
from convex.engine.task import Snapshot, Task
from convex.engine.unpenalised import flattened, flattened_passes, unpenalised

__all__ = ["Progress"]

ROUNDING = 1e-14  # relative to P: smaller differences say nothing
PATIENCE = 40  # snapshots without any progress


class Progress:
    """Counts and records of one run, and the snapshot whose gap was small enough."""

    def __init__(self, tol: float, max_passes: float, callback: Callable[[Record], Any] | None) -> None:
        """Start the clock."""
        self.tol, self.max_passes, self.callback = tol, max_passes, callback
        self.begin = perf_counter()
        self.passes = 0.0
        self.history: list[Record] = []
        self.certified: Snapshot | None = None  # with a gap of at most tol
        self.stopped = False
        self._least, self._still = math.inf, 0  # gap, and snapshots since it fell or the objective moved
        self._until = math.inf  # passes at which the method at work has had its turn
        self._before = (math.inf, math.inf)  # objective and gap when `fell` was asked
        self.certificate = False  # whether passes have been put aside for the one at the end
        self._failed, self._wait = 0, 0  # certificates that were too large, and snapshots until the next one

    @property
    def left(self) -> float:
        """Passes that may still be spent: what costs more than these is not begun."""
        return self.max_passes - self.passes

    def put_aside(self, passes: float) -> None:
        """End earlier by what a certificate costs, if that is less than half of all."""
        self.certificate = passes < 0.5 * self.max_passes
        self.max_passes -= passes * self.certificate

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do: certified, stopped from outside, or out of passes."""
        return self.certified is not None or self.stopped or self.passes >= self.max_passes

    @property
    def over(self) -> bool:
        """Whether the method at work should end: all has ended, nothing moves, or it has had its passes."""
        return self.ended or self._still >= PATIENCE or self.passes >= self._until

    def another(self, passes: float = math.inf) -> None:
        """Let another method try, for at most so many passes."""
        self._still, self._until = 0, self.passes + passes

    def fell(self) -> bool:
        """Whether P or the gap fell visibly since this was asked before."""
        now = (min(line.objective for line in self.history), self._least)
        last, self._before = self._before, now
        return now[0] < last[0] - 100 * ROUNDING * abs(now[0]) or now[1] < 0.9 * last[1]

    def record(self, task: Task, snap: Snapshot, phase: str) -> bool:
        """Note a snapshot; whether the run is over."""
        snap = self._flattened(task, self._balanced(task, snap))
        gap, _ = gap_below(task, snap, self.tol)
        if gap <= self.tol:
            self.certified = snap
        self._watch(snap.objective, gap if gap < math.inf else least_gap(task, snap))
        line = Record(self.passes, perf_counter() - self.begin, snap.objective, gap, snap.penalty.nonzeros, phase)
        self.history.append(line)
        if self.callback is not None and self.callback(line):
            self.stopped = True
        return self.over

    def _watch(self, objective: float, gap: float) -> None:
        """Count snapshots at which the objective has not moved and the gap has not fallen: rounding forbids the tolerance."""
        moved = not self.history or abs(objective - self.history[-1].objective) > ROUNDING * abs(objective)
        if moved or gap < 0.9 * self._least:
            self._least, self._still = min(gap, self._least), 0
            return
        self._still += 1

    def _flattened(self, task: Task, snap: Snapshot) -> Snapshot:
        """Without a penalty, where P hardly falls any more: with a dual point that may prove the gap."""
        if not unpenalised(task) or not math.isfinite(snap.excess):
            return snap
        fell = self.history[-1].objective - snap.objective if self.history else math.inf
        cost = flattened_passes(task)
        if fell > self.tol or cost > self.left:
            return snap
        return self._attempt(lambda: flattened(task, snap), cost) or snap

    def _attempt(self, make: Callable[[], Snapshot | None], passes: float) -> Snapshot | None:
        """What `make` makes, but after k failures in a row not for the next 2^k - 1 snapshots."""
        if self._wait:
            self._wait -= 1
            return None
        self._failed += 1
        self._wait = 2**self._failed - 1
        self.passes += passes
        return make()

    def _balanced(self, task: Task, snap: Snapshot) -> Snapshot:
        """With the intercept minimised over where that may prove the gap; ever rarer while it does not."""
        if math.isfinite(snap.excess) or max(snap.penalty.young, 0.0) > self.tol:
            return snap
        done = self._attempt(lambda: balanced(task, snap.w, snap.z.copy(), snap.s.copy(), self.tol), 0.5)
        return snap if done is None else done

    def solution(self, task: Task, snap: Snapshot) -> Solution:
        """The answer, with its certificate: the certified snapshot if there is one, else this one."""
        snap = self.certified or snap
        if not math.isfinite(snap.excess):
            snap = balanced(task, snap.w, snap.z.copy(), snap.s.copy(), self.tol)
            self.passes += 0.5
        if self.certificate and not snap.flat:
            self.passes += flattened_passes(task)
            snap = flattened(task, snap) or snap
        gap, tau = certified_gap(task, snap)
        return Solution(
            coef=snap.w[:-1].copy(),
            intercept=float(snap.w[-1] * task.scale),
            objective=snap.objective,
            gap=gap,
            dual=dual_point(task, snap, tau),
            passes=self.passes,
            converged=gap <= self.tol,
            seconds=perf_counter() - self.begin,
            history=tuple(self.history),
        )


def dual_point(task: Task, snap: Snapshot, tau: float) -> np.ndarray:
    """(n,) θ = -τ s / p."""
    theta = -tau * snap.s / task.p
    # p δ / p may round to just above δ, where the conjugate is infinite.
    return np.clip(theta, -task.delta, task.delta) if task.code == HUBER else theta
