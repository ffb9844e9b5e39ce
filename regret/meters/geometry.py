r"""Distances, widths and norms of a game: the constants that its bounds are made of.

.. math::
    D_t = \max_{s \le t} \|x_s - x^*\|, \qquad
    \textstyle\sum_s \max_{x, y \in \mathcal X} \langle g_s, x - y\rangle, \qquad
    |||g_{1:t}|||_{\mathcal H} = \operatorname{Tr} P_{\mathcal H}\bigl(\sum_{s \le t} g_s g_s^\top\bigr),

and, for identities, the energies :math:`\|x_t - x^*\|_{H_t}^2` and :math:`\|x_{t+1} - x^*\|_{H_t}^2`.

Source: derived here.
"""

from __future__ import annotations

import operator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from regret.learners.base import Learner
from regret.meters.base import Block, Meter, Series, Step, stacked
from regret.rounding import compensated_cumsum
from structures.arrays import Array, like, namespace, to_numpy, tree_map
from structures.base import Structure

if TYPE_CHECKING:
    from problems.domains import Domain

HALF = Fraction(1, 2)

__all__ = ["AdaptiveNorm", "Average", "Distances", "Feasibility", "Scalars", "Width"]


class Scalars(Meter):
    """What the learner itself reports, and the two sums that the regret theorems need."""

    def __init__(self, learner: Learner) -> None:
        self._names = learner.scalars

    def observe(self, block: Block) -> dict[str, Array]:
        return {name: block.scalar(name) for name in self._names}

    def fields(self, series: Series) -> dict[str, Any]:
        kept = {name: series[name] for name in (*self._names, "inner", "gradient_norm")}
        own = {"adaptive_norm": series["adaptive_norm"]} if "adaptive_norm" in self._names else {}
        return own | {
            "trace_root": series["trace_root"],
            "q_sum": compensated_cumsum(series["q"]),
            "gap_sum": compensated_cumsum(series["gap"]),
            "scalars": kept,
        }


class AdaptiveNorm(Meter):
    """|||g_{1:t}|||_H without ε: the learner's own Tr H_t where that is the same, otherwise from a sum of its own."""

    def __init__(self, structure: Structure, of_learner: bool) -> None:
        self._structure, self._of_learner = structure, of_learner
        self._sum, self._traces = None, []

    def live(self, step: Step) -> None:
        if self._of_learner:
            return
        outer, seen = self._structure.outer(step.G), self._sum
        self._sum = outer if seen is None else tree_map(operator.add, seen, outer)
        self._traces.append(self._structure.metric(self._sum).trace(HALF))

    def observe(self, block: Block) -> dict[str, Array]:
        if self._of_learner:
            return {}
        traces, self._traces = stacked(self._traces), []
        return {"adaptive_norm": traces}

    def fields(self, series: Series) -> dict[str, Any]:
        return {"adaptive_norm": series["trace_root" if self._of_learner else "adaptive_norm"]}


class Width(Meter):
    """The trivial bound: what could be lost at most in a compact domain."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def observe(self, block: Block) -> dict[str, Array]:
        return {"width": self._domain.width(block.G)}

    def fields(self, series: Series) -> dict[str, Any]:
        return {"width_sum": compensated_cumsum(series["width"])}


class Feasibility(Meter):
    """The largest Euclidean distance of an iterate from the domain, over x_1, ..., x_{T+1}."""

    def __init__(self, domain: Domain | None, x: Array) -> None:  # (B, *shape)
        self._domain = domain
        self._worst = namespace(x).zeros(x.shape[0], **like(x))

    def observe(self, block: Block) -> dict[str, Array]:
        self._see(block.x)
        return {}

    def finish(self, x: Array) -> None:
        self._see(x[None, ...])

    def _see(self, x: Array) -> None:  # (k, B, *shape)
        if self._domain is not None:
            xp = namespace(x)
            self._worst = xp.maximum(self._worst, xp.max(self._domain.infeasibility(x), axis=0))

    def fields(self, series: Series) -> dict[str, Any]:
        return {"infeasibility": to_numpy(self._worst).astype(np.float64)}


class Distances(Meter):
    """From a fixed comparator: in each norm of the learner, and in the metric of each step before and after it."""

    def __init__(self, learner: Learner, comparator: Array) -> None:  # (B, *shape)
        self._norms, self._comparator = learner.norms(), comparator
        self._before, self._after = [], []

    def live(self, step: Step) -> None:
        self._before.append(step.metric.energy(step.x - self._comparator))
        self._after.append(step.metric.energy(step.state["x"] - self._comparator))

    def observe(self, block: Block) -> dict[str, Array]:
        away = block.x - self._comparator
        before, after = stacked(self._before), stacked(self._after)
        self._before, self._after = [], []
        distances = {f"distance/{name}": norm(away) for name, norm in self._norms.items()}
        return {**distances, "energy_before": before, "energy_after": after}

    def fields(self, series: Series) -> dict[str, Any]:
        running = {name: np.maximum.accumulate(series[f"distance/{name}"], axis=0) for name in self._norms}
        return {
            "distance": next(iter(running.values())),
            "distances": running,
            "energy_before": series["energy_before"],
            "energy_after": series["energy_after"],
        }


class Average(Meter):
    """The average of the iterates x_1, ..., x_T that were punished."""

    def __init__(self, x: Array) -> None:  # (B, *shape)
        self._sum, self._steps = namespace(x).zeros_like(x), 0

    def live(self, step: Step) -> None:
        self._sum, self._steps = self._sum + step.x, self._steps + 1  # one by one: no trace of the blocks

    def fields(self, series: Series) -> dict[str, Any]:
        return {"average_iterate": to_numpy(self._sum) / self._steps}
