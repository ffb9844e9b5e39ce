r"""Logistic regression on real data with its certified optimum: what finite-sum solvers are compared on.

.. math:: P(x) = \frac1n \sum_i \log(1 + e^{-b_i \langle a_i, x\rangle}) + l_1 \|x\|_1 + \tfrac{l_2}{2} \|x\|^2, \qquad
    P_* \in [P(\hat x) - \mathrm{gap}(\hat x),\; P(\hat x)]

Data: breast_cancer with its column of ones, and the digits, even against odd. The point :math:`\hat x` comes from the compiled
solver; its duality gap says how well :math:`P_*` is known.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from problems.composite import Composite
from problems.datasets import breast_cancer, digits
from problems.losses import Logistic
from problems.penalties import ElasticNet

__all__ = ["PENALTIES", "Optimum", "optimum", "problem", "samples"]

PENALTIES: dict[str, tuple[float, float]] = {"l2": (0.0, 1e-3), "elastic net": (1e-3, 1e-4)}  # name -> l1, l2
PRECISION = 1e-14  # of the optimum's duality gap, absolute; the losses here are between 0.05 and 0.7
PASSES = 20_000  # that the optimum may take: several times what it needs


@dataclass(frozen=True)
class Optimum:
    """A point that is optimal up to its certified gap."""

    x: np.ndarray  # (d,)
    upper: float  # P(x) >= P*
    gap: float  # P(x) - gap <= P*

    @property
    def lower(self) -> float:
        """What P* is not below."""
        return self.upper - self.gap


@cache
def samples(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) and labels ±1. Raises KeyError for another name than "breast_cancer" and "digits"."""
    chosen = {"breast_cancer": breast_cancer, "digits": digits}[data]()
    labels = chosen.labels if chosen.classes == 2 else np.where(chosen.labels % 2 == 0, 1, -1)
    return chosen.features, labels.astype(np.float64)


@cache
def problem(data: str, penalty: str) -> Composite:
    """The composite objective of a data set and a penalty of `PENALTIES`."""
    return Composite(Logistic(*samples(data)), ElasticNet(*PENALTIES[penalty]))


@cache
def optimum(data: str, penalty: str) -> Optimum:
    """The minimiser; raises RuntimeError when its gap is above `PRECISION`."""
    from convex.engine import minimise

    (features, labels), (l1, l2) = samples(data), PENALTIES[penalty]
    found = minimise(
        np.ascontiguousarray(features), labels, l1=l1, l2=l2, fit_intercept=False, tol=PRECISION, max_passes=PASSES
    )
    if not found.gap <= PRECISION:
        raise RuntimeError(f"the optimum of {data} with {penalty} is known up to {found.gap:.3g} only")
    # Its value by the same sum as the solvers' values: two orders of summation differ by more than the gap.
    return Optimum(found.coef, float(problem(data, penalty).value(found.coef)), found.gap)
