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

from optimizers.theorems.rules import one_sided
from theory.theorem import Check

__all__ = ["RootRun", "dynamic_beta2", "faithful", "follow", "is_diagonal"]

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


def faithful(run: RootRun, step: Step = one_sided) -> Check:
    """Whether every recorded root is the published step from the one before, and every statistic the average it is called."""
    if not np.all((run.beta2 > 0.0) & (run.beta2 <= 1.0)):
        return Check(False, float(np.min(run.beta2)), "β₂ is not in (0, 1] at every step")
    again = np.stack(
        [step(P, C, float(b), run.order) for P, C, b in zip(run.P[:-1], run.grams, run.beta2, strict=True)]
    )
    rates = run.beta2[:, None, None]
    average = rates * run.L[:-1] + (1.0 - rates) * run.grams
    apart = max(_apart(run.P[1:], again), _apart(run.L[1:], average))
    allowed = 64.0 * (run.order + 4) * run.size * float(np.finfo(run.P.dtype).eps)
    return Check(apart <= allowed, allowed - apart, f"relative difference {apart:.2g} from the step taken once more")


def _apart(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative difference (spectral size) over time; inf when not finite."""
    size = np.max(np.abs(expected), axis=(-2, -1))
    gap = np.max(np.abs(found - expected), axis=(-2, -1))
    ratio = gap / np.where(size > 0, size, 1.0)
    return float(np.max(ratio)) if np.all(np.isfinite(ratio)) else float("inf")
