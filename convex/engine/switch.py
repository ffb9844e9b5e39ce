r"""When to leave the stages of DASVRDA for second-order steps.

.. math::
    2 \,\frac{\log(e_s / \text{tol})}{\log(1 / r)} > \text{passes of a Hessian and a few steps with it}, \qquad
    r = \frac{P_{s-1} - P_s}{P_{s-2} - P_{s-1}}, \quad e_s = \frac{r}{1 - r} (P_{s-1} - P_s)

A stage with its snapshot costs two passes and multiplies the error e_s by about the same number r as the one before;
second-order steps cost what their matrix costs, whatever the accuracy. Where the features are many the vectors of a
stage cost more than its rows, and the other methods begin at once.

Source: derived here.
"""

from __future__ import annotations

import math

from convex.engine.hessian import gram_passes
from convex.engine.sampling import LONG
from convex.engine.task import Snapshot, Task

__all__ = ["Switch"]

STAGES = 2  # at least: they cost less than Newton steps on samples, and come as near (measured)
STEPS = 3.0  # passes of the second-order steps besides their matrix


class Switch:
    """Looks at one snapshot after another."""

    def __init__(self, task: Task, tol: float) -> None:
        """`tol` is the duality gap that is wanted."""
        self.tol, self.at_once = tol, task.rows.d >= LONG
        self.cost = STEPS + gram_passes(task.rows)
        self.seen: list[float] = []
        self.last: float | None = None

    def leave(self, snap: Snapshot) -> bool:
        """Whether the stages should end at this snapshot."""
        if self.at_once:
            return True
        if self.last is not None:
            self.seen.append(self.last - snap.objective)
        self.last = snap.objective
        if len(self.seen) < STAGES:
            return False
        return self.stages_left() * 2.0 > self.cost

    def stages_left(self) -> float:
        """How many stages the error needs from here, if P goes on falling by the ratio of the last two decreases."""
        before, now = self.seen[-2], self.seen[-1]
        if not (0.0 < now < before and self.tol > 0.0):
            return math.inf
        ratio = now / before
        error = now * ratio / (1.0 - ratio)
        return math.log(error / self.tol) / -math.log(ratio) if error > self.tol else 0.0
