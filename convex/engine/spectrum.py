r"""How long the longest direction of the data is: what sets the scale of the intercept's column and the size of a batch.

.. math::
    \lambda = \lambda_{\max}(X^\top \mathrm{diag}(p) X) \approx \frac{\sum_i p_i (x_i \cdot u)^2}{|u|^2},
    \qquad u = X^\top \mathrm{diag}(p)\, X \bar x

Two steps of the power method from the mean row, on a sample of rows spread over the data. Entries that are not
negative have their longest direction near the mean; where the mean is 0 the rows themselves start it. It only has to
be right to a factor of two.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.rows import Rows

__all__ = ["longest_direction"]

SAMPLE = 4096  # rows that are looked at


def longest_direction(rows: Rows, p: np.ndarray) -> float:
    """λ, about; 0 for rows of zeros."""
    if rows.n > SAMPLE:
        at = np.arange(SAMPLE) * rows.n // SAMPLE
        rows, p = rows.take(at), p[at]
    total = float(p.sum())
    u, best = (
        rows.scatter(p * (1.0 + 0.5 * np.cos(np.arange(p.size))), 0.0),
        0.0,
    )  # not exactly the mean, which may be 0
    for _ in range(2):
        # By a power of two: its square does not overflow then, and nothing but exponents changes.
        u = np.ldexp(u, -int(np.frexp(np.abs(u).max(initial=0.0))[1]))
        size = float(u @ u)
        if not size > 0.0:
            break
        r = rows.scores(u, 0.0)
        best = max(best, float(p @ (r * r)) / (size * total))
        u = rows.scatter(p * r, 0.0)
    return best
