r"""The accelerated proximal gradient method with restarts: where the reference begins when there is an L1 term.

.. math:: w_{k+1} = \mathrm{prox}_{\lambda_1 \|\cdot\|_1 / L}\bigl(u_k - \tfrac1L \nabla F(u_k)\bigr), \quad
          u_{k+1} = w_{k+1} + \tfrac{t_k - 1}{t_{k+1}} (w_{k+1} - w_k),

restarted when :math:`\langle u_k - w_{k+1}, w_{k+1} - w_k \rangle > 0`.

Source: Beck and Teboulle 2009; O'Donoghue and Candès 2015 for the restart.
"""

from __future__ import annotations

import numpy as np

from benchmarks.race.certificate import smooth_gradient, violation
from benchmarks.race.problem import Problem

__all__ = ["proximal_gradient"]


def proximal_gradient(problem: Problem, accuracy: float = 1e-3, max_steps: int = 3000) -> np.ndarray:  # (d,)
    """A point whose optimality violation is at most `accuracy` times λ1, or the one after max_steps."""
    step = 1.0 / (0.25 * _largest_eigenvalue(problem) + problem.l2)
    w = np.zeros(problem.X.shape[1])
    u, t = w, 1.0
    for k in range(max_steps):
        forward = u - step * smooth_gradient(problem, u)
        after = np.sign(forward) * np.maximum(np.abs(forward) - step * problem.l1, 0.0)
        if (u - after) @ (after - w) > 0.0:
            t = 1.0
        t, before = 0.5 + (0.25 + t * t) ** 0.5, t
        u, w = after + (before - 1.0) / t * (after - w), after
        if k % 20 == 0 and np.abs(violation(problem, w, smooth_gradient(problem, w))).max() <= accuracy * problem.l1:
            break
    return w


def _largest_eigenvalue(problem: Problem, steps: int = 50) -> float:
    """Of XᵀX / n, by power iteration, a little enlarged."""
    v = np.random.default_rng(0).standard_normal(problem.X.shape[1])
    size = 1.0
    for _ in range(steps):
        v = problem.X.T @ (problem.X @ (v / np.linalg.norm(v)))
        size = float(np.linalg.norm(v))
    return 1.05 * size / len(problem.y)
