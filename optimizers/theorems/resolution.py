r"""When a comparison means something: rounding small against what is compared, and records that are equal entry by entry.

.. math:: \beta \le 10^{-6}\,|b| \quad \text{(resolved)}, \qquad |\hat x_i - x_i| \le \gamma_i \quad \text{(the same record)} .

An identity whose rounding budget is as large as its sides would be met by any formula; a record compared by its largest entry
says nothing of its small ones. Bounds of a step, entry by entry, are those of products of absolute values (Higham 2002, section
3.5).

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from theory.theorem import Array, Check

__all__ = ["SHARE", "apart", "length", "or_nan", "resolved"]

SHARE = 1e-6  # of what is compared


def resolved(budget: np.ndarray | float, size: np.ndarray | float, share: float = SHARE) -> Check:
    """Whether `budget` leaves `share` of numbers of this size, entry by entry; undecided where it does not."""
    worst = _largest_ratio(np.asarray(budget, dtype=float), np.asarray(size, dtype=float))
    return Check(True if worst <= share else None, share - worst, f"rounding may be {worst:.2g} of what is compared")


def apart(found: np.ndarray, expected: np.ndarray, allowed: np.ndarray | float) -> float:
    """The largest |found - expected| in units of what is `allowed` at its entry; inf where either is not finite."""
    if found.shape != expected.shape or not (np.all(np.isfinite(found)) and np.all(np.isfinite(expected))):
        return float("inf")
    return _largest_ratio(np.abs(found - expected), np.asarray(allowed))


def length(x: np.ndarray) -> float:  # (n,)
    """|x|₂ of numbers whose squares may vanish or overflow."""
    largest = float(np.max(np.abs(x), initial=0.0))
    return largest * float(np.linalg.norm(x / largest)) if 0.0 < largest < np.inf else largest


def or_nan(compute: Callable[[], Array], shape: tuple[int, ...]) -> np.ndarray:
    """What `compute` returns, or NaN of this shape where float64 cannot: a number that is not there decides nothing."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(compute(), dtype=float)
    except np.linalg.LinAlgError:  # singular in float64, or NaN and infinities among the entries
        return np.full(shape, np.nan)


def _largest_ratio(top: np.ndarray, bottom: np.ndarray) -> float:
    """max top/bottom for top ≥ 0, where 0/0 is 0; inf over zero, over what is not finite, and for a NaN."""
    top, bottom = np.broadcast_arrays(top, bottom)
    known = np.isfinite(top) & np.isfinite(bottom) & (bottom > 0.0)
    with np.errstate(over="ignore"):
        ratio = np.where(known, top, 0.0) / np.where(known, bottom, 1.0)
    return float(np.max(np.where(known, ratio, np.where(top == 0.0, 0.0, np.inf)), initial=0.0))
