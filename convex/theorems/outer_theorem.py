r"""What the four theorems on the outer loop share: the left side, its range, its expectation over all paths.

.. math:: \mathbb E[P(x_S) - P_*] \le \text{bound}(P(x_0) - P_*, \|z_0 - x_*\|)

A comparator u that is a minimiser up to a residual r makes both sides wrong by at most :math:`\delta = |r| \max_s |x_s - u|`.

Source: derived here (docs/proofs/dasvrda.md#comparators-that-are-nearly-optimal).
"""

from __future__ import annotations

import numpy as np

from convex.theorems.bounds import outer_bound
from convex.theorems.hypotheses import lack, rounding
from convex.theorems.runs import OuterRun
from convex.theorems.stage_theorem import expectation
from convex.theorems.support import outer_range
from theory.theorem import Kind, Theorem

__all__ = ["OuterTheorem", "gap_at_start", "one_loop_bound"]


class OuterTheorem(Theorem):
    """Subclasses write the bound and say which hypotheses it needs."""

    kind = Kind.EXPECTATION
    axes = ("seed",)

    def measured(self, run: OuterRun) -> np.ndarray:  # (B,)
        return self.measured_lower(run) + lack(run)

    def measured_lower(self, run: OuterRun) -> np.ndarray:  # (B,)
        """P(x) - P(u) is at most P(x) - P*."""
        return run.problem.value(run.snapshots[-1]) - float(run.problem.value(run.comparator))

    def budget(self, run: OuterRun) -> float:
        """Rounding of the values, and what the comparator is off, as often as the proof uses it."""
        values = [abs(float(run.problem.value(point))) for point in (run.x0, run.comparator)]
        return rounding(run) * (sum(values) + abs(self.bound(run))) + lack(run)

    def support(self, run: OuterRun) -> tuple[float, float]:
        """From below by optimality; from above in a box only, so that a sampled run elsewhere can be refuted, not confirmed."""
        low, high = outer_range(run, lack(run))
        return low - self.budget(run), high + 2.0 * self.budget(run)

    def exact(self, run: OuterRun) -> float | None:
        """The mean over all paths, when all of them were run."""
        return expectation(self.measured(run), run.draws.probabilities)


def gap_at_start(run: OuterRun) -> float:
    """P(x_0) - P(u), at most P(x_0) - P*."""
    return float(run.problem.value(run.x0) - run.problem.value(run.comparator))


def one_loop_bound(run: OuterRun, leading: float) -> float:
    """The bound of one loop of stages at a run's own numbers; `leading` is the factor of the gap at the start."""
    distance2 = float(np.sum((run.z0 - run.comparator) ** 2))
    return outer_bound(
        gap_at_start(run), distance2, stages=run.stages, step=run.step, m=run.length, c=run.c, leading=leading
    )
