r"""What the two stage lemmas share: the left side, its range, its expectation over all paths.

.. math::
    \mathbb E[P(x_m) - P(x)] + K\,\mathbb E\|z_m - x\|^2 - K\|\tilde y - x\|^2
    \le \rho \cdot (\text{what the snapshot is off})

Source: derived here (docs/proofs/dasvrda.md#stage-lemma).
"""

from __future__ import annotations

from math import fsum
from typing import ClassVar

import numpy as np

from convex.theorems.bounds import distance_factor
from convex.theorems.hypotheses import lack, rounding
from convex.theorems.runs import StageRun
from convex.theorems.support import stage_range
from theory.theorem import Kind, Theorem

__all__ = ["StageTheorem", "expectation"]


class StageTheorem(Theorem):
    """Subclasses write the bound and say which hypotheses it needs."""

    kind = Kind.EXPECTATION
    axes = ("seed",)
    optimal: ClassVar[bool]  # whether a comparator other than the snapshot has to be a minimiser

    def measured(self, run: StageRun) -> np.ndarray:  # (B,)
        K, axes = distance_factor(run.step, run.length), tuple(range(1, run.z.ndim))
        ended = np.sum((run.z - run.comparator) ** 2, axis=axes)
        started = float(np.sum((run.ytil - run.comparator) ** 2))
        return run.problem.value(run.x) - float(run.problem.value(run.comparator)) + K * (ended - started)

    def budget(self, run: StageRun) -> float:
        """Rounding of the values and squared distances, and what the comparator is off, as often as the proof uses it."""
        K = distance_factor(run.step, run.length)
        squares = [np.max(np.sum((point - run.comparator) ** 2)) for point in (run.ytil, run.xtil)]
        values = [abs(float(run.problem.value(point))) for point in (run.xtil, run.comparator)]
        scale = sum(values) + K * float(sum(squares)) + abs(self.bound(run))
        return rounding(run) * scale + (2.0 * lack(run) if self._needs_minimiser(run) else 0.0)

    def support(self, run: StageRun) -> tuple[float, float]:
        """See `convex.theorems.support`: a deterministic range, from the start and the constants alone."""
        low, high = stage_range(run, lack(run) if self._needs_minimiser(run) else float("inf"))
        return low - self.budget(run), high + self.budget(run)

    def exact(self, run: StageRun) -> float | None:
        """The mean over all paths, when all of them were run."""
        return expectation(self.measured(run), run.draws.probabilities)

    def _needs_minimiser(self, run: StageRun) -> bool:
        return self.optimal and not np.array_equal(run.comparator, run.xtil)


def expectation(samples: np.ndarray, probabilities: np.ndarray | None) -> float | None:  # (B,)
    """Σ probability · sample, correctly rounded; None without probabilities."""
    return None if probabilities is None else fsum(probabilities * samples)
