r"""Fenchel-Young terms of all rows, compiled.

.. math:: \sum_i p_i \big[\varphi(z_i) + \varphi^*(-\tau\theta_i) + \tau\theta_i z_i\big], \qquad \theta_i = -s_i / p_i

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.compiled import kernel
from convex.engine.losses import HUBER, young

__all__ = ["ALMOST", "young_rows"]

ALMOST = 1.0 + 1e-15  # p δ / p may round to just above δ: that is δ, all above it is infeasible


@kernel
def young_rows(
    code: int, z: np.ndarray, y: np.ndarray, p: np.ndarray, s: np.ndarray, tau: float, delta: float
) -> float:
    """The sum, compensated; inf where a dual variable is infeasible (or anything is nan)."""
    total, lost = 0.0, 0.0
    for i in range(z.size):
        theta = -tau * s[i] / p[i]
        if code == HUBER and abs(theta) <= delta * ALMOST:
            theta = min(max(theta, -delta), delta)
        term = p[i] * young(code, z[i], theta, y[i], delta) - lost
        if not term < np.inf:
            return np.inf
        after = total + term
        lost = (after - total) - term
        total = after
    return total
