r"""How far a point can be from the optimum: the duality gap and the optimality violation, in correctly rounded sums.

With :math:`\theta_i = y_i \sigma(-y_i \langle x_i, w \rangle)` and :math:`v = \frac1n \sum_i \theta_i x_i`,

.. math::
    D(\theta) = -\frac1n \sum_i \bigl[a_i \log a_i + (1 - a_i) \log(1 - a_i)\bigr] - R^*(v), \quad a_i = y_i \theta_i, \qquad
    R^*(v) = \sum_j \frac{(|v_j| - \lambda_1)_+^2}{2 \lambda_2},

and for :math:`\lambda_2 = 0` θ is scaled down until :math:`\|v\|_\infty \le \lambda_1`, where :math:`R^* = 0`. Weak
duality makes :math:`P(w) - D(\theta) \ge P(w) - P^*` for every feasible θ, whatever made w.

Source: derived here (Fenchel duality).
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.race.problem import Problem

__all__ = ["duality_gap", "smooth_gradient", "violation"]


def smooth_gradient(
    problem: Problem,
    w: np.ndarray,  # (d,)
) -> np.ndarray:  # (d,)
    """Gradient of the mean loss plus the L2 part."""
    theta = problem.y * _falling(problem.y * (problem.X @ w))
    return problem.l2 * w - (problem.X.T @ theta) / len(theta)


def violation(
    problem: Problem,
    w: np.ndarray,  # (d,)
    gradient: np.ndarray,  # (d,) of the smooth part
) -> np.ndarray:  # (d,)
    """The subgradient of least norm: zero exactly at the optimum."""
    at_zero = np.sign(gradient) * np.maximum(np.abs(gradient) - problem.l1, 0.0)
    return np.where(w != 0.0, gradient + problem.l1 * np.sign(w), at_zero)


def duality_gap(
    problem: Problem,
    w: np.ndarray,  # (d,)
) -> float:
    """P(w) - D(θ(w)), a bound on P(w) - P*."""
    a = _falling(problem.y * (problem.X @ w))
    v = (problem.X.T @ (problem.y * a)) / len(a)
    if problem.l2 > 0.0:
        excess = np.maximum(np.abs(v) - problem.l1, 0.0)
        conjugate = math.fsum(excess * excess) / (2.0 * problem.l2)
    else:
        a = a * min(1.0, problem.l1 / np.abs(v).max())
        conjugate = 0.0
    return problem.objective(w) - (math.fsum(_entropy(a)) / len(a) - conjugate)


def _falling(margins: np.ndarray) -> np.ndarray:
    """1 / (1 + e^t) without overflow."""
    e = np.exp(-np.abs(margins))
    return np.where(margins > 0.0, e, 1.0) / (1.0 + e)


def _entropy(a: np.ndarray) -> np.ndarray:
    """-a log a - (1 - a) log(1 - a), 0 at the ends."""
    inside = np.where(a > 0.0, a, 1.0)
    rest = np.where(a < 1.0, a, 0.0)
    return -inside * np.log(inside) - (1.0 - rest) * np.log1p(-rest)
