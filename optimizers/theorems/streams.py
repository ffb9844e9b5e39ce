r"""A record of an iterated root beside the statistic that it stands for.

.. math::
    L_t = \beta_{2,t} L_{t-1} + (1 - \beta_{2,t})\, C_t, \qquad P_t = \text{step}(P_{t-1}, C_t, \beta_{2,t}), \qquad
    C_t = G_tG_t^\top .

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from optimizers.theorems.resolution import apart
from optimizers.theorems.rules import one_sided
from theory.theorem import Check

__all__ = ["RootRun", "dynamic_beta2", "faithful", "follow", "is_diagonal", "step_rounding", "within"]

Step = Callable[[np.ndarray, np.ndarray, float, int], np.ndarray]


@dataclass(frozen=True, eq=False)
class RootRun:
    """T updates of a root; entry 0 of `P` and `L` is the start."""

    order: int
    beta2: np.ndarray  # (T,)
    grams: np.ndarray = field(repr=False)  # (T, n, n) G Gᵀ
    P: np.ndarray = field(repr=False)  # (T + 1, n, n)
    L: np.ndarray = field(repr=False)  # (T + 1, n, n)

    @property
    def horizon(self) -> int:
        """T."""
        return len(self.beta2)

    @property
    def size(self) -> int:
        """n."""
        return self.P.shape[-1]


def follow(
    grams: np.ndarray,  # (T, n, n)
    beta2: np.ndarray | float | None,  # (T,), one for all steps, or None for the dynamic rule
    order: int,
    P: np.ndarray,  # (n, n)
    L: np.ndarray,  # (n, n)
    step: Step = one_sided,
) -> RootRun:
    """The run of `step` over a stream, in the precision of P."""
    fixed = None if beta2 is None else np.broadcast_to(np.asarray(beta2, dtype=float), (len(grams),))
    roots, statistics, rates = [P], [L], []
    for t, C in enumerate(grams):
        rate = dynamic_beta2(roots[-1], C) if fixed is None else float(fixed[t])
        roots.append(step(roots[-1], C, rate, order))
        statistics.append(rate * statistics[-1] + (1.0 - rate) * C)
        rates.append(rate)
    return RootRun(order, np.array(rates), grams, np.stack(roots), np.stack(statistics))


def dynamic_beta2(P: np.ndarray, C: np.ndarray) -> float:  # (n, n), (n, n)
    """|X|/(1 + |X|) with the Frobenius norm of X = P⁴C."""
    square = P @ P
    size = float(np.linalg.norm(square @ square @ C))
    return size / (1.0 + size)


def is_diagonal(A: np.ndarray) -> bool:  # (..., n, n)
    """Whether every entry off the diagonal is exactly zero."""
    return not np.any(A * (1.0 - np.eye(A.shape[-1])))


def step_rounding(order: int, n: int, dtype: np.dtype | type = np.float64) -> float:
    """γ: order + 4 products of n × n matrices, of which the last term of the series has three in each of its factors."""
    return (4 * order + 8) * (n + 1) * float(np.finfo(dtype).eps)


def within(expected: np.ndarray, majorant: np.ndarray, gamma: float) -> np.ndarray:  # (..., n, n)
    """What two roundings of a step may differ by, entry by entry: γ of its majorant, and at most γ of its largest entry."""
    largest = np.max(np.abs(expected), axis=(-2, -1), keepdims=True)
    return gamma * np.fmin(majorant, largest)


def faithful(run: RootRun, step: Step = one_sided) -> Check:
    """Whether every recorded root is the published step from the one before, and every statistic the average it is called.

    Entry by entry: a stream of diagonal matrices is one of numbers, whose scales have nothing to do with each other. At -|C| all
    terms of the series are positive, and the step is the majorant of its own rounding.
    """
    if not np.all((run.beta2 > 0.0) & (run.beta2 <= 1.0)):
        return Check(False, float(np.min(run.beta2)), "β₂ is not in (0, 1] at every step")
    gamma = step_rounding(run.order, run.size, run.P.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # a majorant beyond all numbers leaves the largest entry
        again = _stepped(run.P[:-1], run.grams, run, step)
        majorant = _stepped(np.abs(run.P[:-1]), -np.abs(run.grams), run, step)
    rates = run.beta2[:, None, None]
    average = rates * run.L[:-1] + (1.0 - rates) * run.grams
    sizes = rates * np.abs(run.L[:-1]) + (1.0 - rates) * np.abs(run.grams)
    worst = max(
        apart(run.P[1:], again, within(again, majorant, gamma)),
        apart(run.L[1:], average, within(average, sizes, gamma)),
    )
    return Check(
        worst <= 1.0, 1.0 - worst, f"{worst:.2g} times what rounding may differ by from the step taken once more"
    )


def _stepped(P: np.ndarray, grams: np.ndarray, run: RootRun, step: Step) -> np.ndarray:  # (T, n, n)
    return np.stack([step(A, C, float(b), run.order) for A, C, b in zip(P, grams, run.beta2, strict=True)])
