r"""One problem of the race: L2, elastic net or L1 regularised logistic regression without intercept.

.. math:: P(w) = \frac1n \sum_{i=1}^n \log\bigl(1 + e^{-y_i \langle x_i, w\rangle}\bigr)
          + \lambda_1 \|w\|_1 + \tfrac{\lambda_2}{2} \|w\|^2, \qquad y_i = \pm 1 .

No intercept, because several solvers penalise theirs: without one all of them minimise the same function, and a
solver's answer is judged by one number, :math:`(P(w) - P^*) / P^*`.

Source: derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """Data, labels and the two strengths of the penalty."""

    data: str  # name of the data set
    penalty: str  # "l2", "elastic net" or "l1"
    X: Any  # (n, d) float64: a C-contiguous array or a scipy CSR matrix
    y: np.ndarray  # (n,) float64, +1 or -1
    l1: float
    l2: float

    @property
    def name(self) -> str:
        """Data set and penalty."""
        return f"{self.data}, {self.penalty}"

    @property
    def sparse(self) -> bool:
        """Whether X is a CSR matrix."""
        return not isinstance(self.X, np.ndarray)

    @property
    def nnz(self) -> int:
        """Stored entries of X."""
        return int(self.X.nnz if self.sparse else self.X.size)

    @property
    def alpha(self) -> float:
        """λ1 + λ2: the one strength of the solvers that take a ratio beside it."""
        return self.l1 + self.l2

    @property
    def l1_ratio(self) -> float:
        """λ1 / (λ1 + λ2)."""
        return self.l1 / self.alpha

    def objective(
        self,
        w: np.ndarray,  # (d,)
    ) -> float:
        """P(w) with correctly rounded sums; inf where w is not finite, so that a solver that diverges is simply not there."""
        w = np.asarray(w, dtype=np.float64)
        if not np.isfinite(w).all():
            return math.inf
        losses = np.logaddexp(0.0, -self.y * (self.X @ w))
        penalty = self.l1 * math.fsum(np.abs(w)) + 0.5 * self.l2 * math.fsum(w * w)
        return math.fsum(losses) / len(self.y) + penalty
