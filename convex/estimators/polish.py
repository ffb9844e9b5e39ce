r"""Small problems to the last digit: once the gap is reached, the solver goes on until rounding stops it.

.. math:: \|w - w^\star\| \le \sqrt{2\,\mathrm{gap} / l_2}

A gap of 1e-6 leaves the first two or three digits of w to chance: mini-batches are random. Where a pass costs next to nothing,
a few more make equal problems (repeated rows and weights, dense and sparse storage, two seeds) have equal coefficients.

Source: the bound is strong convexity; derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from scipy import sparse

from convex.engine import Record, Solution

__all__ = ["polished", "worth_polishing"]

SMALL = 2**15  # stored numbers of X: a pass takes some ten microseconds
CLOSE = 1e-5  # who asks for a larger gap wants it soon
PASSES = 500  # that polishing may take at most
STALLS = 5  # records in a row that do not halve the gap: the rest is rounding


def worth_polishing(X: Any, tol: float) -> bool:
    """Whether polishing costs next to nothing, and a close answer is wanted."""
    return tol <= CLOSE and (X.nnz if sparse.issparse(X) else X.size) <= SMALL


class Stalled:
    """A callback that stops when the gap no longer falls; who watched the run before sees its records go on."""

    def __init__(self, before: Solution, watch: Callable[[Record], bool] | None) -> None:
        self._best, self._idle = math.inf, 0
        self._before, self._watch = before, watch

    def __call__(self, record: Record) -> bool:
        """Whether it is time."""
        if self._watch is not None and self._watch(later(record, self._before)):
            return True
        self._idle = 0 if record.gap < 0.5 * self._best else self._idle + 1
        self._best = min(self._best, record.gap)
        return self._idle >= STALLS


def later(record: Record, before: Solution) -> Record:
    """A record of the second run as one of both."""
    return replace(record, passes=record.passes + before.passes, seconds=record.seconds + before.seconds)


def polished(
    solve: Callable[..., Solution],  # of tol, max_passes, start and callback
    solution: Solution,
    tol: float,
    most: float,  # passes, of both runs together
    watch: Callable[[Record], bool] | None,
) -> Solution:
    """The solution, or a better one; passes, seconds and history are those of both runs."""
    left = min(PASSES, most - solution.passes)
    # A start that was good enough is left as it is.
    if not solution.converged or len(solution.history) == 1 or left < 1.0:
        return solution
    stalled = Stalled(solution, watch)
    finer = solve(tol=0.0, max_passes=left, start=(solution.coef, solution.intercept), callback=stalled)
    best = finer if finer.gap <= solution.gap else solution
    return replace(
        best,
        converged=best.gap <= tol,
        passes=solution.passes + finer.passes,
        seconds=solution.seconds + finer.seconds,
        history=(*solution.history, *(later(line, solution) for line in finer.history)),
    )
