r"""Run a method on a stochastic problem and keep what figures need: values on a grid of steps, the last point, the average.

.. math:: f(y_t), \qquad f(\hat x_t) \text{ (the answer)}, \qquad f\Bigl(\tfrac1t \textstyle\sum_{s \le t} y_s\Bigr)

Seeds and step sizes ride on the batch: element e draws from a generator of its own, so that a batch of B is B runs of
one.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from convex.adaptive.base import Method
from convex.adaptive.walk import drawn, starts, walk
from problems.smooth.base import SmoothProblem
from structures.arrays import Array, namespace

__all__ = ["Descent", "descend"]


@dataclass(frozen=True, eq=False)
class Descent:
    """What a run leaves behind."""

    method: Method
    steps: np.ndarray  # (K,) numbers of gradients at which values were taken
    at_query: Array = field(repr=False)  # (K, B) f(y_t) of the t-th gradient's point
    at_answer: Array = field(repr=False)  # (K, B) f of the answer after t gradients
    at_average: Array = field(repr=False)  # (K, B) f of the mean of the first t queries
    x: Array = field(repr=False)  # (B, *shape) the last answer
    average: Array = field(repr=False)  # (B, *shape)


def descend(
    method: Method,
    problem: SmoothProblem,
    x0: Array,  # (*shape) or (B, *shape)
    steps: int,
    *,
    batch: int | None = None,  # B; None is that of x0, or 1
    seed: int = 0,
    first: int = 0,  # the number of the first run: elements first, first + 1, ... of a larger batch
    exact: bool = False,  # take ∇f itself
    grid: Sequence[int] | None = None,  # increasing step numbers from 1 to `steps`; None is all of them
) -> Descent:
    """`steps` gradients of every run, in the namespace, dtype and device of x0; the data go there once.

    Raises ValueError for a start or a grid that does not fit, and when a gradient stops being finite.
    """
    x0 = starts(x0, problem.shape, batch)
    problem, marks = problem.beside(x0), _marks(grid, steps)
    xp, total, values = namespace(x0), namespace(x0).zeros_like(x0), []
    stream, state = None if exact else problem.noise(batch=x0.shape[0], seed=seed, first=first), method.init(x0)
    for t, (_, point, _, state) in enumerate(walk(method, problem, x0, drawn(stream, steps)), start=1):
        total = total + point
        if t in marks:
            values.append(tuple(problem.value(x) for x in (point, method.answer(state), total / t)))
    query, answer, average = (xp.stack(list(series)) for series in zip(*values, strict=True))
    return Descent(method, np.asarray(sorted(marks)), query, answer, average, method.answer(state), total / steps)


def _marks(grid: Sequence[int] | None, steps: int) -> set[int]:
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    marks = set(range(1, steps + 1)) if grid is None else {int(t) for t in grid}
    if not marks or min(marks) < 1 or max(marks) > steps:
        raise ValueError(f"the grid holds step numbers from 1 to {steps}, got {grid!r}.")
    return marks
