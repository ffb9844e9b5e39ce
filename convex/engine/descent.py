r"""What all second-order steps share: how far a point is from optimal, and a step along a line that never goes up.

.. math::
    \tilde g_j = \begin{cases}
        g_j + l_1 \mathrm{sign}(w_j) & w_j \ne 0 \\ \mathrm{sign}(g_j)\,(|g_j| - l_1)_+ & w_j = 0
    \end{cases}, \qquad g = \nabla F + l_2 w

is the element of ∂P of smallest size. A step δ is halved until P falls by a share of what its linear model promises,
:math:`g \cdot \delta + l_1 (|w + \delta|_1 - |w|_1) < 0`. Only the first trial reads the data: scores are linear in the
length.

Source: tseng2009coordinate for the rule; derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from convex.engine.compiled import HAS_NUMBA, kernel
from convex.engine.progress import Progress
from convex.engine.snapshot import balanced
from convex.engine.task import Snapshot, Task

__all__ = ["Damping", "Slopes", "Step", "along", "record", "slopes", "stalled"]

EPS = float(np.finfo(np.float64).eps)
SHARE = 1e-3  # of the promised decrease, that a step has to reach
INVISIBLE = 100.0  # times the rounding of P: smaller promises cannot be checked
HALVINGS, BISECTIONS, FLAT = 40, 30, 0.1
SHORT = 0.25  # a step this short says that its model was wrong
DAMPING = 1e-4  # the first one that is not 0
LARGEST = 1e4


@dataclass(frozen=True)
class Slopes:
    """First-order conditions at a snapshot."""

    g: np.ndarray  # (d + 1,) ∇F + l2 w; without an intercept its last entry is 0
    wrong: float  # the largest entry of the smallest element of ∂P: 0 at the optimum


def slopes(task: Task, snap: Snapshot) -> Slopes:
    """The conditions at a snapshot."""
    g = np.empty_like(snap.w)
    return Slopes(g, smooth_slopes(snap.gradient, snap.w, task.l1, task.l2, g))


@kernel
def smooth_slopes(gradient: np.ndarray, w: np.ndarray, l1: float, l2: float, g: np.ndarray) -> float:
    """g := gradient + l2 w but for the intercept; the violation."""
    last = w.size - 1
    g[last] = gradient[last]
    wrong = abs(g[last])
    for j in range(last):
        g[j] = gradient[j] + l2 * w[j]
        slack = abs(g[j]) - l1 if w[j] == 0.0 else abs(g[j] + math.copysign(l1, w[j]))
        wrong = max(wrong, slack)
    return wrong


@kernel
def promise(g: np.ndarray, w: np.ndarray, step: np.ndarray, l1: float) -> float:
    """The change of P that its linear model promises for a step; negative for a good one."""
    last = w.size - 1
    change = g[last] * step[last]
    for j in range(last):
        change += g[j] * step[j] + l1 * (abs(w[j] + step[j]) - abs(w[j]))
    return change


if not HAS_NUMBA:

    def smooth_slopes(gradient: np.ndarray, w: np.ndarray, l1: float, l2: float, g: np.ndarray) -> float:
        """g := gradient + l2 w but for the intercept; the violation."""
        g[:] = gradient
        g[:-1] += l2 * w[:-1]
        at_zero = np.maximum(np.abs(g[:-1]) - l1, 0.0)
        wrong = np.where(w[:-1] == 0.0, at_zero, np.abs(g[:-1] + l1 * np.sign(w[:-1])))
        return max(float(wrong.max(initial=0.0)), abs(float(g[-1])))

    def promise(g: np.ndarray, w: np.ndarray, step: np.ndarray, l1: float) -> float:
        """The change of P that its linear model promises for a step; negative for a good one."""
        return float(g @ step) + l1 * float(np.sum(np.abs(w[:-1] + step[:-1]) - np.abs(w[:-1])))


@dataclass(frozen=True)
class Step:
    """What became of a step."""

    after: Snapshot | None  # None: no length lowers P
    t: float  # its length
    gain: float  # half of the promise: what a quadratic model gains that is right and was minimised


def along(task: Task, snap: Snapshot, at: Slopes, step: np.ndarray) -> Step:
    """Go to w + t step for the first of t = 1, 1/2, 1/4, ... that lowers P enough.

    A length below 1 is improved by bisection: the step came from a wrong model, and may have a minimum anywhere.
    """
    promised = promise(at.g, snap.w, step, task.l1)
    if not promised < 0.0:
        return Step(None, 0.0, 0.0)
    line = Line(task, snap, step)
    whole = line.completed(1.0)
    if whole.objective <= snap.objective + SHARE * promised:
        return Step(whole, 1.0, -0.5 * promised)
    lost = rounding(snap)
    slack = lost if -promised > INVISIBLE * lost else INVISIBLE * lost
    if whole.objective <= snap.objective + SHARE * promised + slack:
        return Step(whole, 1.0, -0.5 * promised)
    t = 0.5
    for _ in range(HALVINGS):
        if line.value(t) <= snap.objective + SHARE * t * promised + slack:
            t = line.improve(t, -promised)
            return Step(line.completed(t), t, -0.5 * promised)
        t *= 0.5
    return Step(None, 0.0, -0.5 * promised)


class Line:
    """P along a line; the data are read once for the scores, and once for each gradient."""

    def __init__(self, task: Task, snap: Snapshot, step: np.ndarray) -> None:
        """The line through w and w + step."""
        self.task, self.snap, self.step = task, snap, step
        self.end = task.rows.scores(snap.w + step, task.scale)
        self.s = np.empty_like(self.end)

    def point(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """(weights, scores): at t = 1 the scores of the weights themselves, without the rounding of a sum of steps."""
        w = self.snap.w + t * self.step
        return w, self.end if t == 1.0 else self.snap.z + t * (self.end - self.snap.z)

    def completed(self, t: float) -> Snapshot:
        """The snapshot at t.

        The intercept stays where the step puts it. Minimising over it here would undo what a step learnt where the loss
        is flat for most rows: the only active row would be let go again.
        """
        task, s = self.task, np.empty_like(self.s)
        w, z = self.point(t)
        loss = task.loss_rows(z, 0.0, s)[0]
        gradient = task.rows.scatter(s, task.scale)
        return task.snapshot_of(w, z, s, gradient, loss, math.inf if task.scale else 0.0)

    def value(self, t: float) -> float:
        """P at t; the slopes of its rows are kept."""
        task = self.task
        w, z = self.point(t)
        v = w[:-1]
        return task.loss_rows(z, 0.0, self.s)[0] + 0.5 * task.l2 * float(v @ v) + task.l1 * float(np.abs(v).sum())

    def slope(self, t: float) -> float:
        """The derivative from the right at the t whose `value` was taken last."""
        task, w, d = self.task, (self.snap.w + t * self.step)[:-1], self.step[:-1]
        smooth = float(self.s @ (self.end - self.snap.z)) + task.l2 * float(w @ d)
        return smooth + task.l1 * float(np.sum(np.where(w == 0.0, np.abs(d), np.sign(w) * d)))

    def improve(self, t: float, steep: float) -> float:
        """A better t between 0 and 2 t, by bisection until the slope is well below `steep`."""
        best, least = t, self.value(t)
        slope = self.slope(t)
        low, high = (t, 2.0 * t) if slope < 0.0 else (0.0, t)
        for _ in range(BISECTIONS):
            if abs(slope) <= FLAT * steep:
                break
            middle = 0.5 * (low + high)
            value, slope = self.value(middle), self.slope(middle)
            low, high = (middle, high) if slope < 0.0 else (low, middle)
            if value < least:
                best, least = middle, value
        return best


def rounding(snap: Snapshot) -> float:
    """About what rounding does to P: to its sum, and to the scores before."""
    return 4.0 * EPS * (abs(snap.objective) + float(np.abs(snap.s) @ np.abs(snap.z)))


def stalled(before: Snapshot, after: Snapshot, wrong_before: float, wrong_after: float) -> bool:
    """Whether a step changed P by rounding only and did not bring the optimality conditions nearer."""
    return wrong_after > 0.5 * wrong_before and before.objective - after.objective <= INVISIBLE * rounding(before)


def record(task: Task, snap: Snapshot, gain: float, progress: Progress) -> None:
    """Note a snapshot, its intercept minimised over where a gain this small says that the gap may be good enough."""
    if not math.isfinite(snap.excess) and gain <= progress.tol:
        snap = balanced(task, snap.w, snap.z.copy(), snap.s.copy(), progress.tol)
        progress.passes += 0.5
    progress.record(task, snap, "finish")


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
