r"""A minimiser to compare with, and how far from one a point can be.

For :math:`u^+ = \operatorname{prox}_{R/L}(u - \nabla F(u)/L)` the vector
:math:`r = \nabla F(u^+) - \nabla F(u) + L(u - u^+)` is in :math:`\partial P(u^+)`, so that

.. math:: P(v) \ge P(u^+) + \langle r, v - u^+\rangle \quad \text{for all } v, \qquad |r| \le 2 L |u - u^+| ;

with strong convexity μ, :math:`P(u^+) - P^* \le |r|^2 / 2\mu`. The point :math:`u^+` is the exact minimiser of
:math:`P - \langle r, \cdot\rangle`: at :math:`|r| \approx 10^{-15}` the difference is one rounding of a gradient.

Source: derived here (docs/proofs/dasvrda.md#comparators-that-are-nearly-optimal).
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from convex.solvers import AcceleratedGradient
from convex.solvers.sampling import IndexStream, probabilities
from problems.composite import Composite

__all__ = ["minimiser", "proximal_step", "residual"]


def proximal_step(problem: Composite, u: np.ndarray) -> np.ndarray:  # (*shape) -> (*shape)
    """u⁺."""
    L = problem.smoothness
    return problem.penalty.prox(u - problem.gradient(u) / L, 1.0 / L)


def residual(problem: Composite, u: np.ndarray) -> float:  # (*shape)
    """An upper bound of |r|, rounding of the proximal step included; inf for a point that is not finite."""
    L, eps = problem.smoothness, float(np.finfo(np.float64).eps)
    moved = float(np.linalg.norm(u - proximal_step(problem, u)))
    rounding = eps * (np.linalg.norm(u) + float(np.linalg.norm(problem.gradient(u))) / L)
    return 2.0 * L * (moved + float(rounding)) if np.isfinite(moved) else float("inf")


def minimiser(problem: Composite, iterations: int = 50_000) -> np.ndarray:  # -> (*shape)
    """Where accelerated proximal gradient from 0 moves nothing but roundings, three times in a row."""
    x0 = np.zeros((1, *problem.shape))
    stream = IndexStream(probabilities(problem, "uniform"), 1, 0)  # nothing is drawn from it
    x, calm = x0, 0
    for point in islice(AcceleratedGradient(restart="gradient").snapshots(problem, x0, stream), iterations):
        still = float(np.max(np.abs(point.x - x))) <= 4e-16 * float(np.max(np.abs(point.x)))
        x, calm = point.x, calm + 1 if still else 0
        if calm == 3:
            break
    return x[0]
