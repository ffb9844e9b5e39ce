r"""What all second-order steps share: how far a point is from optimal, and a step along a line that never goes up.

.. math::
    \tilde g_j = \begin{cases} g_j + l_1 \mathrm{sign}(w_j) & w_j \ne 0 \\ \mathrm{sign}(g_j)\,(|g_j| - l_1)_+ & w_j = 0 \end{cases},
    \qquad g = \nabla F + l_2 w

is the element of ∂P of smallest size. A step δ is halved until P falls by a share of what the linear model of it promises,
:math:`g \cdot \delta + l_1 (|w + \delta|_1 - |w|_1) < 0`. Only the first trial reads the data: scores are linear in the length.

Source: tseng2009coordinate for the rule; derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from convex.engine.task import Snapshot, Task

__all__ = ["Damping", "along", "completed", "promise", "pseudo_gradient", "smooth_gradient", "stalled", "violation"]

EPS = float(np.finfo(np.float64).eps)
SHARE = 1e-3  # of the promised decrease, that a step has to reach
INVISIBLE = 100.0  # times the rounding of P: smaller promises cannot be checked
HALVINGS, BISECTIONS, FLAT = 40, 30, 0.1
SHORT = 0.25  # a step this short says that its model was wrong
DAMPING = 1e-4  # the first one that is not 0
LARGEST = 1e4


def smooth_gradient(task: Task, snap: Snapshot) -> np.ndarray:  # (d + 1,)
    """∇F + l2 w; without an intercept its last entry is 0."""
    g = snap.gradient.copy()
    g[:-1] += task.l2 * snap.w[:-1]
    return g


def pseudo_gradient(task: Task, snap: Snapshot) -> np.ndarray:  # (d + 1,)
    """The element of ∂P of smallest size."""
    g = smooth_gradient(task, snap)
    if task.l1:
        w, head = snap.w[:-1], g[:-1]
        beyond = np.sign(head) * np.maximum(np.abs(head) - task.l1, 0.0)
        head[:] = np.where(w != 0.0, head + task.l1 * np.sign(w), beyond)
    return g


def violation(task: Task, snap: Snapshot) -> float:
    """Its largest entry: 0 at the optimum."""
    return float(np.abs(pseudo_gradient(task, snap)).max(initial=0.0))


def rounding(snap: Snapshot) -> float:
    """About what rounding does to P: to its sum, and to the scores before."""
    return 4.0 * EPS * (abs(snap.objective) + float(np.abs(snap.s) @ np.abs(snap.z)))


def promise(task: Task, snap: Snapshot, step: np.ndarray) -> float:
    """The change of P that its linear model promises for a step; negative."""
    w, d = snap.w[:-1], step[:-1]
    change = float(snap.gradient @ step) + task.l2 * float(w @ d)
    return change + task.l1 * float(np.sum(np.abs(w + d) - np.abs(w))) if task.l1 else change


def along(task: Task, snap: Snapshot, step: np.ndarray) -> tuple[Snapshot | None, float]:
    """The snapshot at w + t step for the first of t = 1, 1/2, 1/4, ... that lowers P enough, and t; None when none does.

    A shorter t than 1 is improved by bisection: the step came from a wrong model, and may have a minimum anywhere.
    """
    promised = promise(task, snap, step)
    if not promised < 0.0:
        return None, 0.0
    line = Line(task, snap, step)
    lost = rounding(snap)
    slack = lost if -promised > INVISIBLE * lost else INVISIBLE * lost
    t = 1.0
    for _ in range(HALVINGS):
        if line.at(t) <= snap.objective + SHARE * t * promised + slack:
            break
        t *= 0.5
    else:
        return None, 0.0
    if t < 1.0:
        t = line.improve(t, -promised)
    return completed(task, line.w, line.z, line.s, line.loss), t


class Line:
    """P along a line; the data are read once."""

    def __init__(self, task: Task, snap: Snapshot, step: np.ndarray) -> None:
        """The line through w and w + step."""
        self.task, self.snap, self.step = task, snap, step
        self.end = task.rows.scores(snap.w + step, task.scale)
        self.s = np.empty_like(self.end)

    def at(self, t: float) -> float:
        """P at w + t step, kept with its scores and slopes."""
        # Not w + step less w: at t = 1 the scores are those of the point itself, without the rounding of a difference.
        self.w = self.snap.w + t * self.step
        self.z = self.end if t == 1.0 else self.snap.z + t * (self.end - self.snap.z)
        self.loss = self.task.loss_rows(self.z, 0.0, self.s)[0]
        return self.loss + ridge_and_lasso(self.task, self.w)

    def slope(self) -> float:
        """The derivative, from the right, where P was computed last."""
        task, w, d = self.task, self.w[:-1], self.step[:-1]
        out = float(self.s @ (self.end - self.snap.z)) + task.l2 * float(w @ d)
        return out + task.l1 * float(np.sum(np.where(w != 0.0, np.sign(w) * d, np.abs(d)))) if task.l1 else out

    def improve(self, t: float, steep: float) -> float:
        """A better t between 0 and 2 t, by bisection from a t at which P was just computed to a slope well below `steep`."""
        slope, best, least = self.slope(), t, self.loss + ridge_and_lasso(self.task, self.w)
        low, high = (t, 2.0 * t) if slope < 0.0 else (0.0, t)
        for _ in range(BISECTIONS):
            if abs(slope) <= FLAT * steep:
                break
            middle = 0.5 * (low + high)
            value, slope = self.at(middle), self.slope()
            low, high = (middle, high) if slope < 0.0 else (low, middle)
            if value < least:
                best, least = middle, value
        self.at(best)
        return best


def ridge_and_lasso(task: Task, w: np.ndarray) -> float:
    """R(w)."""
    v = w[:-1]
    value = 0.5 * task.l2 * float(v @ v)
    return value + task.l1 * float(np.abs(v).sum()) if task.l1 else value


def completed(task: Task, w: np.ndarray, z: np.ndarray, s: np.ndarray, loss: float) -> Snapshot:
    """The snapshot at w whose scores and slopes are there already.

    The intercept stays where the step put it. Minimising over it here would undo what a step learnt where the loss is flat for
    most rows: the only active row would be let go again.
    """
    return task.snapshot_of(w, z, s, task.rows.scatter(s, task.scale), loss, math.inf if task.scale else 0.0)


def stalled(task: Task, before: Snapshot, after: Snapshot) -> bool:
    """Whether a step changed P by rounding only and did not bring the optimality conditions nearer."""
    if before.objective - after.objective > INVISIBLE * rounding(before):
        return False
    return violation(task, after) > 0.5 * violation(task, before)


@dataclass
class Damping:
    """What to enlarge the curvature of every coordinate by, as a share of itself, after models that were wrong.

    Ten times more after a short step, ten times less after a whole one.
    """

    share: float = 0.0

    def learn(self, t: float) -> bool:
        """From the length of a step, 0 for none; whether there is more to try."""
        if t < SHORT:
            self.share = max(10.0 * self.share, DAMPING)
        elif t == 1.0:
            self.share = 0.1 * self.share if self.share > 1e-10 else 0.0
        return self.share <= LARGEST
