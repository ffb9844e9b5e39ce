r"""The minimum of a finite sum, from both sides.

Newton's method with backtracking (conjugate gradients from 1000 parameters on) finds :math:`\hat x`; its gradient g makes a bound
from below, so that the solver need not be trusted:

.. math::
    \inf f \ge f(\hat x) - \frac{\|g\|^2}{2\alpha} \quad (\alpha > 0), \qquad
    \inf f \ge -\textstyle\sum_i p_i \varphi_i^*(s_i) \text{ for any } s \text{ with } \sum_i p_i s_i a_i = 0 \quad (\alpha = 0),
    \qquad \inf f \ge \ell .

For the second, :math:`s_i = \varphi'(z_i) + \varphi''(z_i) \langle a_i, u\rangle` with u the next Newton step.

Source: derived here (strong convexity; Fenchel's inequality).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from problems.losses import LinearPredictor
from problems.smooth.base import Minimum
from structures.arrays import to_numpy

if TYPE_CHECKING:
    from problems.smooth.finite_sum import FiniteSum

__all__ = ["Found", "lower_bound", "minimise_on_host"]

LARGEST_DENSE = 1000
STEPS = 100
EPS = float(np.finfo(np.float64).eps)
ARRIVED = 1e-9  # a Newton step this small beside x: where there is no minimiser, steps do not shrink


class Found(NamedTuple):
    """What was found."""

    bracket: Minimum
    x: np.ndarray | None  # (*shape), None where the steps did not shrink, or f is not convex


def minimise_on_host(problem: FiniteSum) -> Found:
    """In double precision on the host, whatever the problem's namespace is."""
    host = problem.beside(np.zeros(1))
    x, step = _newton(host) if prod(problem.shape) <= LARGEST_DENSE else _many_parameters(host)
    arrived = host.convex and np.linalg.norm(step) <= ARRIVED * (1.0 + np.linalg.norm(x))
    upper = float(host.value(x))
    return Found(Minimum(min(lower_bound(host, x, step), upper), upper), x if arrived else None)


def _newton(host: FiniteSum) -> tuple[np.ndarray, np.ndarray]:
    """The last point, and the Newton step from it."""
    d, shape = prod(host.shape), host.shape
    units = np.eye(d).reshape(d, *shape)
    x, best = np.zeros(shape), float(host.value(np.zeros(shape)))
    step = np.zeros(shape)
    for _ in range(STEPS):
        g = host.gradient(x).reshape(d)
        hessian = host.hessian_product(x, units).reshape(d, d)
        step = -np.linalg.lstsq((hessian + hessian.T) / 2, g, rcond=None)[0].reshape(shape)
        if float(np.sum(g * step.reshape(d))) > 0:  # negative curvature, of a loss that is not convex
            step = -g.reshape(shape)
        moved = _backtracked(host, x, step, best, float(np.sum(g * step.reshape(d))))
        if moved is None:
            break
        x, best = moved
    return x, step


def _backtracked(
    host: FiniteSum, x: np.ndarray, step: np.ndarray, value: float, slope: float
) -> tuple[np.ndarray, float] | None:
    """The first point along the step that is low enough; None when rounding has the last word.

    Near the minimum values no longer differ, and a full step that halves the gradient is taken.
    """
    full = float(host.value(x + step))
    if full <= value + 8.0 * EPS * abs(value) and 2.0 * _norm(host, x + step) < _norm(host, x):
        return x + step, min(full, value)
    for halvings in range(40):
        t = 0.5**halvings
        trial = float(host.value(x + t * step))
        if trial < value + 1e-4 * t * slope:
            return x + t * step, trial
    return None


def _many_parameters(host: FiniteSum) -> tuple[np.ndarray, np.ndarray]:
    """L-BFGS to a coarse point, then Newton steps by conjugate gradients."""
    from scipy.optimize import minimize
    from scipy.sparse.linalg import aslinearoperator, cg

    d, shape = prod(host.shape), host.shape

    def both(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = flat.reshape(shape)
        return float(host.value(x)), host.gradient(x).reshape(d)

    x = minimize(both, np.zeros(d), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x.reshape(shape)
    best, step = float(host.value(x)), np.zeros(shape)
    for _ in range(10):
        g = host.gradient(x).reshape(d)
        hessian: Any = aslinearoperator(_Hessian(host, x))
        step = -cg(hessian, g, rtol=1e-8, maxiter=1000)[0].reshape(shape)
        moved = _backtracked(host, x, step, best, float(np.sum(g * step.reshape(d))))
        if moved is None:
            break
        x, best = moved
    return x, step


def _norm(host: FiniteSum, x: np.ndarray) -> float:
    return float(np.linalg.norm(host.gradient(x)))


class _Hessian:
    """∇²f(x) on flattened parameters, as SciPy's solvers take it."""

    def __init__(self, host: FiniteSum, x: np.ndarray) -> None:
        self._host, self._x = host, x
        self.shape, self.dtype = (host.dim, host.dim), np.dtype(np.float64)

    def matvec(self, v: np.ndarray) -> np.ndarray:  # (d,) -> (d,)
        """∇²f(x) v."""
        return self._host.hessian_product(self._x, v.reshape(self._host.shape)).reshape(-1)


def lower_bound(host: FiniteSum, x: np.ndarray, step: np.ndarray) -> float:
    """The best of the bounds from below that a point and a Newton step from it prove; any point will do."""
    floor = float(host.loss.floor)
    if not host.convex:
        return floor
    if host.ridge > 0:
        return max(floor, float(host.value(x)) - float(np.sum(host.gradient(x) ** 2)) / (2.0 * host.ridge))
    loss = host.loss
    if not isinstance(loss, LinearPredictor):
        return floor
    z, p = loss.scores(x), host.composite.mass
    s = loss.slope(z, loss.targets) + loss.bend(z, loss.targets) * loss.scores(step)
    dual = -np.sum(np.where(p > 0, p * loss.conjugate(s, loss.targets), 0.0))
    left = np.linalg.norm(loss.combine(p * s))
    balanced = left <= 1e-12 * float(np.linalg.norm(np.abs(p * s)) * np.linalg.norm(to_numpy(loss.features)) + 1e-300)
    return max(floor, float(dual)) if balanced and np.isfinite(dual) else floor
