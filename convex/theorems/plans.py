r"""How many component gradients the published guarantee asks for, mini-batch by mini-batch.

.. math::
    N(b) = S(b)\,(n + 2 b m), \qquad m = \lfloor n/b \rfloor, \qquad
    S(b) = \min\{S \ge 1 : \text{the bound of DASVRDA-ns} \le \epsilon\}

Source: derived here (docs/proofs/dasvrda.md#mini-batches).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from convex.solvers.constants import gamma_star, step_size
from convex.theorems.bounds import outer_bound

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """A problem class and a target, with mini-batches to compare."""

    samples: int  # n
    smoothness: float  # the mean of the L_i
    gap: float  # P(x_0) - P*
    distance: float  # |z_0 - x*|
    target: float  # ε
    batches: tuple[int, ...]  # b
    length: int | None = None  # m for all of them; None is n/b, rounded down
    gamma: float | None = None  # None is γ_*

    def stage_length(self, b: int) -> int:
        """m."""
        return self.samples // b if self.length is None else self.length

    def stages(self, b: int) -> int:
        """S(b), from the bound of one stage, which falls like 1/(S+2)²."""
        m = self.stage_length(b)
        gamma = gamma_star(m, b) if self.gamma is None else self.gamma
        step = step_size(gamma, m, b, self.smoothness)
        one = outer_bound(
            self.gap, self.distance**2, stages=1, step=step, m=m, c=1.0 - 1.0 / gamma, leading=1.0
        )  # fmt: skip
        return max(1, ceil(3.0 * sqrt(one / self.target) * (1.0 - 1e-14)) - 2)

    def evaluations(self) -> np.ndarray:  # (k,)
        """N(b)."""
        return np.array([self.stages(b) * (self.samples + 2.0 * b * self.stage_length(b)) for b in self.batches])
