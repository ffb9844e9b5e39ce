r"""Judging a theorem that speaks about every entry of a run: pathwise bounds, lower bounds and identities.

With the measured bracket \([\ell, u]\), the bound \(b\) and the rounding budget \(\beta\), an upper bound

\[ \text{holds where } b - u \ge \beta, \qquad \text{fails where } \ell - b > \beta, \]

and is undecided elsewhere. An entry with \(u = b = 0\) holds whatever the budget is: sums and products of zeros are
exact. A lower bound is the mirror image; an identity holds where \(\max(|u - b|, |\ell - b|) \le \beta\) and \(\beta\) is
at most a tenth of the largest entry: a budget as large as its sides would be met by any formula.

Source: derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from theory.finding import Finding, VerdictKind
from theory.readings import Readings
from theory.theorem import Kind, Theorem

Array = Any
RESOLVED = 0.1  # of the largest entry: what an identity's rounding budget may be


@dataclass(frozen=True)
class Comparison:
    """Entry by entry: where the statement holds, where it fails, by how much it is exceeded, and how tight it is."""

    holds: Array
    fails: Array
    excess: Array  # positive where the measured side is on the wrong side of the bound
    ratios: Array  # NaN where the ratio has no meaning
    ratio_of: str

    @property
    def ratio(self) -> float:
        """The largest ratio, NaN when no entry has one."""
        import numpy as np

        return math.nan if np.isnan(self.ratios).all() else float(np.nanmax(self.ratios))


def judge(theorem: Theorem, readings: Readings) -> Finding:
    """The verdict on all entries together. NaN or inf anywhere, or a bracket upside down, is INCONCLUSIVE."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        comparison = compare(theorem.kind, readings)
        broken = readings.broken()
        if broken is not None:
            return _unusable(comparison, *broken)
        evidence = _summary(theorem, readings, comparison)
        kind, reason = _word(theorem, readings, comparison)
    return Finding(kind, comparison.ratio, {"reason": reason, **evidence})


def compare(kind: Kind, readings: Readings) -> Comparison:
    """The comparison that belongs to this kind of theorem."""
    if kind is Kind.EXACT:
        return _identity(readings)
    return _lower_bound(readings) if kind is Kind.LOWER_BOUND else _upper_bound(readings)


def _upper_bound(r: Readings) -> Comparison:
    holds = (r.bound - r.measured >= r.budget) | ((r.measured == 0) & (r.bound == 0))
    excess = r.lower - r.bound
    return Comparison(holds, excess > r.budget, excess, _ratios(r.measured, r.bound), "max measured / bound")


def _lower_bound(r: Readings) -> Comparison:
    holds = (r.lower - r.bound >= r.budget) | ((r.lower == 0) & (r.bound == 0))
    excess = r.bound - r.measured
    return Comparison(holds, excess > r.budget, excess, _ratios(r.bound, r.lower), "max bound / measured")


def _identity(r: Readings) -> Comparison:
    import numpy as np

    residual = np.maximum(abs(r.measured - r.bound), abs(r.lower - r.bound))
    distance = np.maximum(r.lower - r.bound, r.bound - r.measured)  # of the bracket from the other side
    size = np.maximum(abs(r.measured), abs(r.bound)).max()
    words = "max |measured - bound| / max(|measured|, |bound|), each maximum over all entries"
    resolved = (r.budget <= RESOLVED * size) | (residual == 0)
    return Comparison((residual <= r.budget) & resolved, distance > r.budget, residual, _ratios(residual, size), words)


def _word(theorem: Theorem, readings: Readings, comparison: Comparison) -> tuple[VerdictKind, str]:
    if comparison.fails.any():
        return VerdictKind.VIOLATED, "fails by more than the rounding budget"
    if readings.vacuous(theorem.kind):
        return VerdictKind.VACUOUS, "does not fail, but the bound does not beat the trivial one at the last entry"
    if comparison.holds.all():
        return VerdictKind.VERIFIED, "holds at every entry by at least the rounding budget"
    return VerdictKind.INCONCLUSIVE, "within the rounding budget, or inside the measured bracket, at some entries"


def _summary(theorem: Theorem, r: Readings, comparison: Comparison) -> dict[str, Any]:
    """The counts, and the entry where the statement comes closest to failing or fails the most."""
    import numpy as np

    index = _index(np.argmax(comparison.excess - r.budget), r.measured.shape)
    worst = tuple(index)
    evidence = {
        "ratio_of": comparison.ratio_of,
        "entries": int(r.measured.size),
        "holds": int(comparison.holds.sum()),
        "fails": int(comparison.fails.sum()),
        "axes": list(theorem.axes[: r.measured.ndim]),
        "index": index,
        "measured": float(r.measured[worst]),
        "measured_lower": float(r.lower[worst]),
        "bound": float(r.bound[worst]),
        "budget": float(r.budget[worst]),
        "excess": float(comparison.excess[worst]),
    }
    if not np.isnan(comparison.ratios).all():
        evidence["ratio_index"] = _index(np.nanargmax(comparison.ratios), r.measured.shape)
    if comparison.fails.any():
        evidence["first_failure"] = [int(i) for i in np.argwhere(comparison.fails)[0]]
    return evidence


def _index(flat: Any, shape: tuple[int, ...]) -> list[int]:
    import numpy as np

    return [int(i) for i in np.unravel_index(int(flat), shape)]


def _unusable(comparison: Comparison, reason: str, index: list[int]) -> Finding:
    """INCONCLUSIVE whatever the other entries say; how many of them fail is part of the evidence."""
    evidence = {"reason": f"{reason} at {index}", "index": index, "other_failures": int(comparison.fails.sum())}
    return Finding(VerdictKind.INCONCLUSIVE, math.nan, evidence)


def _ratios(top: Array, bottom: Array) -> Array:
    """top/bottom where bottom > 0; over zero, 0 for top <= 0 and inf above; NaN where bottom < 0."""
    import numpy as np

    at_most_zero = np.where(bottom < 0, np.nan, np.where(top > 0, np.inf, 0.0))
    return np.where(bottom > 0, top / bottom, at_most_zero)
