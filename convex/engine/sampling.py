r"""Which rows a stage of AccSVRDA draws, and the step size that the way of drawing allows.

.. math::
    L_q = \max_i \frac{L_i}{n q_i}, \qquad \gamma^\star = \tfrac12 \big(3 + \sqrt{9 + 8b/(m+1)}\big), \qquad
    \eta = \frac{1}{(1 + \gamma^\star (m + 1)/b)\, L_q}

q_i is the expected number of times that row i is drawn, over b. Importance sampling, q_i = L_i / Σ L, gives L_q =
mean L; equal chances give max L. Four ways: i.i.d. rows (what the theorems are about); i.i.d. chunks of 8 consecutive
rows of data sorted by L_i, drawn with the chance of their sum; one block of b consecutive rows after another from a
random start, after one shuffle; and, where data are too large to be copied, ranges of consecutive rows in random
order, each once.

Source: murata2017doubly for the step; the chunks and ranges are derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from convex.engine.options import Options
from convex.engine.spectrum import longest_direction
from convex.engine.task import Task

__all__ = ["Plan", "arranged", "contraction", "gamma_star", "step_size"]

CHUNK = 8
RANGE = 64  # rows that are read together where data stay where they are
LONG = 1000  # features from which on the vectors of a step cost as much as its rows
LARGEST = 8.0  # batch over sqrt(n) / 2
NEARLY_EQUAL = 1.5  # max L / mean L up to which equal chances cost less than drawing rows one by one


def gamma_star(length: int, batch: int) -> float:
    """γ* of a stage of `length` steps with `batch` rows each."""
    return 0.5 * (3.0 + math.sqrt(9.0 + 8.0 * batch / (length + 1)))


def contraction(gamma: float, sharp: bool) -> float:
    """c = 1 - ρ(γ) with ρ = 1/γ, or the sharper 2 / (3 (2γ - 1))."""
    return 1.0 - (2.0 / (3.0 * (2.0 * gamma - 1.0)) if sharp else 1.0 / gamma)


def step_size(gamma: float, length: int, batch: int, smoothness: float) -> float:
    """η."""
    return 1.0 / ((1.0 + gamma * (length + 1) / batch) * smoothness)


@dataclass(frozen=True)
class Plan:
    """How the rows of a stage are drawn."""

    kind: str  # "contiguous" | "ranges" | "drawn"
    n: int
    batch: int
    length: int  # steps of a stage
    smoothness: float  # L_q
    size: int = 1  # rows of a range
    cumulative: np.ndarray | None = None  # of q, range by range; None: equal chances
    weights: np.ndarray | None = None  # 1/(b q), range by range

    @property
    def passes(self) -> float:
        """Gradients of a stage over n: the snapshot's slopes are kept, so a drawn row costs one."""
        return self.length * self.batch / self.n

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int, bool]:
        """(starts (m, r), weights 1/(b q), rows of a range, whether ranges go round)."""
        m, r = self.length, self.batch // self.size
        if self.kind != "drawn":
            places = np.arange(m * r) if self.kind == "contiguous" else rng.permutation(self.n // self.size)[: m * r]
            starts = (places * self.size + int(rng.integers(self.n))) % self.n
            return starts.astype(np.uint64).reshape(m, r), np.full((m, r), self.n / self.batch), self.size, True
        if self.cumulative is None or self.weights is None:
            return rng.integers(self.n, size=(m, r)).astype(np.uint64), np.full((m, r), self.n / self.batch), 1, True
        which = np.searchsorted(self.cumulative, rng.random((m, r)), side="right")
        return (which * self.size).astype(np.uint64), self.weights[which], self.size, False


def automatic_batch(task: Task) -> int:
    """sqrt(n) / 2; where vectors are long, larger as long as the noise of a batch outweighs the curvature of F.

    A batch of b rows lets the step grow to about b / (γ m mean L) or 1 / L_F, whichever is less: the two meet at
    b = sqrt(γ n mean L / L_F).
    """
    rows = task.rows
    root = 0.5 * math.sqrt(rows.n)
    if rows.d >= LONG:
        share = longest_direction(rows, task.p) / max(float(task.p @ rows.squared_norms()), 1e-300)
        root *= min(max(1.0 / math.sqrt(max(share, 1e-6)), 1.0), LARGEST)
    return max(1, min(int(root), rows.n))


def drawn_plan(n: int, batch: int, size: int, weighted: np.ndarray, mean: float) -> Plan:
    """Ranges of `size` rows, drawn with the chance of their share of Σ p_i L(x_i)."""
    batch = size * max(1, round(batch / size))
    q = np.add.reduceat(weighted, np.arange(0, n, size)) / mean
    cumulative = np.cumsum(q)
    cumulative[np.flatnonzero(q)[-1] :] = 1.0  # a draw is below 1: a range of chance 0 never comes
    with np.errstate(divide="ignore"):
        weights = 1.0 / (batch // size * q)
    return Plan("drawn", n, batch, max(1, n // batch), mean, size, cumulative, weights)


def make_plan(task: Task, options: Options, rng: np.random.Generator) -> tuple[Plan, np.ndarray | None]:
    """The plan, and the order into which the rows have to be copied."""
    rows, weighted = task.rows, task.smoothness()  # p_i L(x_i), whose sum is mean L
    n, mean = rows.n, float(weighted.sum())
    batch = min(options.batch or automatic_batch(task), n)
    if rows.stays and options.contiguous:
        return plan_in_place(n, batch, weighted, mean, options), None
    largest = n * float(weighted.max(initial=0.0))
    if options.importance == "uniform" or (options.contiguous and largest <= NEARLY_EQUAL * mean) or mean == 0.0:
        if options.contiguous:
            return Plan("contiguous", n, batch, max(1, n // batch), largest or 1.0, batch), rng.permutation(n)
        return Plan("drawn", n, batch, max(1, n // batch), largest or 1.0), None
    if options.importance == "iid" or n < 4 * CHUNK or rows.stays:
        return drawn_plan(n, batch, 1, weighted, mean), None
    order = np.argsort(weighted, kind="stable")
    return drawn_plan(n, batch, CHUNK, weighted[order], mean), order


def plan_in_place(n: int, batch: int, weighted: np.ndarray, mean: float, options: Options) -> Plan:
    """Ranges of rows where they are: a range is as smooth as the mean of its L_i, so ranges are more alike than rows."""
    size = min(RANGE, batch)
    batch = batch // size * size
    largest = n / size * float(np.add.reduceat(weighted, np.arange(0, n - n % size, size)).max())
    if options.importance == "uniform" or largest <= NEARLY_EQUAL * mean or mean == 0.0:
        return Plan("ranges", n, batch, max(1, n // batch), largest or 1.0, size)
    return drawn_plan(n, batch, size, weighted, mean)


def arranged(task: Task, options: Options, rng: np.random.Generator) -> tuple[Task, Plan, np.ndarray | None]:
    """The task with its rows in the order that the plan wants, the plan, and that order."""
    plan, order = make_plan(task, options, rng)
    if order is None:
        return task, plan, None
    return replace(task, rows=task.rows.take(order), y=task.y[order], p=task.p[order]), plan, order
