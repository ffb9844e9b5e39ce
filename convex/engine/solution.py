r"""What `minimise` hands back: the point, its certificate, and what it took.

.. math:: P(w, b) - P^\star \le \text{gap} = P(w, b) - D(\theta)

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Record", "Solution"]


@dataclass(frozen=True)
class Record:
    """One line of the history: a snapshot at which the objective was computed."""

    passes: float  # gradients of one row computed so far, over the rows
    seconds: float  # since the call
    objective: float
    gap: float  # certified; inf where no certificate was computed
    nonzeros: int
    phase: str  # "dasvrda", "finish"


@dataclass(frozen=True)
class Solution:
    """A point with its certified duality gap."""

    coef: np.ndarray  # (d,) or (K, d)
    intercept: float | np.ndarray  # or (K,)
    objective: float
    gap: float  # objective - dual objective >= objective - optimum
    dual: np.ndarray | None  # (n,) the feasible dual point of the gap
    passes: float
    converged: bool  # gap <= tol
    seconds: float
    history: tuple[Record, ...]
