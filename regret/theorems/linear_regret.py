r"""What theorems on the regret of the linearised losses have in common: the measured side, and what is trivial.

.. math::
    R_t = \sum_{s \le t} \langle g_s, x_s - u\rangle \;\le\; \sum_{s \le t} \max_{x, y \in \mathcal X} \langle g_s, x - y\rangle .
"""

from __future__ import annotations

from abc import ABC

import numpy as np

from regret.trace import Trace
from theory.theorem import Theorem

__all__ = ["LinearRegret"]


class LinearRegret(Theorem, ABC):
    """A statement about ``trace.regret``; a subclass writes `bound` and what it assumes."""

    def measured(self, run: Trace) -> np.ndarray:
        return run.regret

    def measured_lower(self, run: Trace) -> np.ndarray:
        return run.regret_lower

    def trivial(self, run: Trace) -> np.ndarray | None:
        """What a player in the domain can lose at most; None in the whole space."""
        return run.width_sum
