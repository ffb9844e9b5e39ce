r"""Regret of the convex losses themselves, on a declared grid of horizons.

.. math:: \sum_{s \le t} f_s(x_s) - \min_{u \in \mathcal X} \sum_{s \le t} f_s(u) \;\le\; \sum_s \langle g_s, x_s - u^*\rangle .

The minimum is bracketed by a Frank-Wolfe gap (`problems.comparator`), so that no solver has to be trusted; with a fixed
comparator its own losses are summed. The rounding of a loss is estimated, to first order, as
:math:`16\,\mathrm{eps}\,d\,(|f| + \|\nabla f\|\,\|x\|)`: an inner product of d terms inside a function of that slope.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from regret.learners.base import norm2
from regret.meters.base import Block, Meter, Series, Step, stacked
from regret.rounding import compensated_cumsum
from structures.arrays import Array, to_numpy, tolerance

if TYPE_CHECKING:
    from problems.domains import Domain

__all__ = ["ConvexLoss", "default_grid"]

# A comparator is searched on every point of the grid, so the search is short; what that costs is the bracket's width.
GAP = 1e-5  # relative width that ends a search
ITERATIONS = 500


class ConvexLoss(Meter):
    """Losses of every step, and their regret on `grid`; silent when the adversary's losses are linear."""

    def __init__(self, grid: Sequence[int], x: Array, comparator: Array | None, domain: Domain | None) -> None:
        self._grid = frozenset(grid)
        self._comparator, self._domain = comparator, domain
        self._reach = _reach(comparator, domain, tuple(x.shape[1:]))
        self._tolerance = tolerance(x, prod(x.shape[1:]))
        self._best: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # horizon -> bracket of the minimum
        self._paid: list[Array] = []  # f_t(x_t) of the current block
        self._owed: list[Array] = []  # f_t(u)
        self._last: Array | None = None  # the last comparator, where the next search starts

    def live(self, step: Step) -> None:
        loss = step.stream.loss(step.t, step.x)
        if loss is None:
            return
        self._paid.append(loss)
        if self._comparator is not None:
            self._owed.append(self._loss_of(self._comparator, step))
        elif step.t + 1 in self._grid and self._domain is not None:
            self._bracket(step, self._domain)

    def observe(self, block: Block) -> dict[str, Array]:
        found = {name: stacked(values) for name, values in (("loss", self._paid), ("owed", self._owed)) if values}
        self._paid, self._owed = [], []
        return found

    def fields(self, series: Series) -> dict[str, Any]:
        if "loss" not in series:
            return {}
        grid = np.array(sorted(self._grid)) if self._comparator is not None else np.array(sorted(self._best), dtype=int)
        entries: dict[str, Any] = {"losses": series["loss"]}
        if grid.size == 0:  # no comparator for sums that are not given as one function
            return entries
        lower, upper = self._minima(series, grid)
        paid = compensated_cumsum(series["loss"])[grid - 1]
        slopes = np.cumsum(series["product"] + self._reach * series["gradient_norm"], axis=0)[grid - 1]
        sizes = np.cumsum(np.abs(series["loss"]), axis=0)[grid - 1] + np.maximum(np.abs(lower), np.abs(upper))
        error = self._tolerance * (slopes + sizes)
        return entries | {
            "loss_grid": grid,
            "loss_regret": paid - lower + error,
            "loss_regret_lower": paid - upper - error,
        }

    def _loss_of(self, point: Array, step: Step) -> Array:
        loss = step.stream.loss(step.t, point)
        if loss is None:
            raise ValueError("the adversary gave a loss at the iterate and none at the comparator.")
        return loss

    def _bracket(self, step: Step, domain: Domain) -> None:
        """The comparator of the sum so far, where the adversary knows the sum as one function."""
        from problems.comparator import best_in_hindsight

        objective = step.stream.total(step.t + 1)
        if objective is None:
            return
        found = best_in_hindsight(
            objective, domain, step.x if self._last is None else self._last, tol=GAP, iterations=ITERATIONS
        )
        self._last = found.x
        self._best[step.t + 1] = (to_numpy(found.lower), to_numpy(found.upper))

    def _minima(self, series: Series, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # (L, B), (L, B)
        if self._comparator is not None:
            exact = compensated_cumsum(series["owed"])[grid - 1]
            return exact, exact
        brackets = [self._best[int(t)] for t in grid]
        return np.stack([low for low, _ in brackets]), np.stack([high for _, high in brackets])


def default_grid(horizon: int, points: int = 10) -> tuple[int, ...]:
    """About ten horizons from 1 to T, evenly spaced in the logarithm."""
    return tuple(int(t) for t in np.unique(np.round(np.geomspace(1, horizon, points)).astype(int)))


def _reach(comparator: Array | None, domain: Domain | None, shape: tuple[int, ...]) -> np.ndarray | float:
    """The size of the point that the losses are compared at."""
    if comparator is not None:
        return to_numpy(norm2(comparator))
    return 0.0 if domain is None else domain.euclidean_radius(shape)
