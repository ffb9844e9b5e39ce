r"""The minimum of a finite sum, from both sides.

Newton's method with backtracking (conjugate gradients from 1000 parameters on) finds :math:`\hat x`; its gradient g makes a bound
from below, so that the solver need not be trusted:

.. math::
    \inf f \ge f(\hat x) - \frac{\|g\|^2}{2\alpha} \quad (\alpha > 0), \qquad
    \inf f \ge -\textstyle\sum_i p_i \varphi_i^*(s_i) \text{ for any } s \text{ with } \sum_i p_i s_i a_i = 0 \quad (\alpha = 0),
    \qquad \inf f \ge \ell .

Everything is measured in units of the columns :math:`(\sum_i p_i a_{ij}^2 + \alpha)^{1/2}`, so that one that is 1e-13 of another
counts as much: along it the minimiser may be far away. For the second,
:math:`s_i = \varphi'(z_i) + \varphi''(z_i) \langle a_i, u\rangle` with u the next Newton step.

Source: derived here (strong convexity; Fenchel's inequality).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from problems.losses import LinearPredictor
from problems.smooth.base import Minimum
from problems.smooth.sparse import SparseLinearPredictor
from structures.arrays import to_numpy

if TYPE_CHECKING:
    from problems.smooth.finite_sum import FiniteSum

__all__ = ["Found", "column_sizes", "lower_bound", "minimise_on_host"]

LARGEST_DENSE = 1000
STEPS = 100
EPS = float(np.finfo(np.float64).eps)
ARRIVED = 1e-9  # a Newton step this small beside x: where there is no minimiser, steps do not shrink
NEAR = 1e-5  # distance from x* beside x, where strong convexity proves it
GAP = 1e-12  # of f above its minimum beside f, likewise
SEEN = 0.5  # share of the gradient that a Newton step may leave before the largest curvature takes the Hessian's place
BALANCED = 1e-12  # of the sizes that cancel in a column: rounding


class Found(NamedTuple):
    """What was found."""

    bracket: Minimum
    x: np.ndarray | None  # (*shape), None where the steps did not shrink, or f is not convex


def minimise_on_host(problem: FiniteSum) -> Found:
    """In double precision on the host, whatever the problem's namespace is."""
    host = problem.beside(np.zeros(1))
    sizes = column_sizes(host)
    x, step = _newton(host, sizes) if prod(problem.shape) <= LARGEST_DENSE else _many_parameters(host, sizes)
    upper = float(host.value(x))
    bracket = Minimum(min(lower_bound(host, x, step), upper), upper)
    return Found(bracket, x if host.convex and _arrived(host, x, step, sizes) else None)


def _arrived(host: FiniteSum, x: np.ndarray, step: np.ndarray, sizes: np.ndarray) -> bool:
    """Whether the Newton step is small, and small because the gradient is, not because the Hessian does not see it."""
    slope, alpha = float(np.linalg.norm(host.gradient(x))), host.ridge
    if alpha > 0 and slope**2 <= 2.0 * alpha * GAP * abs(float(host.value(x))):
        return slope <= NEAR * alpha * (1.0 + float(np.linalg.norm(x)))  # ‖x - x*‖ ≤ ‖∇f(x)‖/α
    if not np.linalg.norm(sizes * step) <= ARRIVED * (np.max(sizes, initial=1.0) + np.linalg.norm(sizes * x)):
        return False
    g, image = host.gradient(x) / sizes, host.hessian_product(x, step) / sizes
    seen = np.linalg.norm(image + g) <= SEEN * np.linalg.norm(g)
    return bool(seen or np.linalg.norm(g) <= ARRIVED * _norm(host, np.zeros(host.shape), sizes))


def column_sizes(host: FiniteSum) -> np.ndarray:  # -> (*shape)
    """√(Σ p_i a_ij² + α), 1 for a column of zeros: the units of 1/x_j, so that a tiny column counts as any other."""
    loss, p = host.loss, host.composite.mass
    features: Any = getattr(loss, "matrix", getattr(loss, "features", None))
    if features is None:
        return np.ones(host.shape)
    sparse = hasattr(features, "multiply")
    rows: Any = features if sparse else to_numpy(features).reshape(len(features), -1)
    peak = abs(rows).max(axis=0)
    peak = np.asarray(peak.todense() if sparse else peak, dtype=np.float64).reshape(-1)
    inverse = 1.0 / np.where(peak > 0, peak, 1.0)
    scaled = rows.multiply(inverse[None]).power(2) if sparse else (rows * inverse) ** 2
    sizes = np.hypot(np.sqrt(np.asarray(scaled.T @ p).reshape(-1)) * peak, host.ridge**0.5)  # no overflow at 1e200
    sizes = np.where(sizes > 0, sizes, 1.0)
    return sizes.reshape(host.shape) if sizes.size == host.dim else np.broadcast_to(sizes, host.shape)


def _newton(host: FiniteSum, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last point, and the Newton step from it, in units of the columns."""
    d, shape = prod(host.shape), host.shape
    units, scale = np.eye(d).reshape(d, *shape) / sizes, sizes.reshape(d)
    x, best = np.zeros(shape), float(host.value(np.zeros(shape)))
    step = np.zeros(shape)
    for _ in range(STEPS):
        g = host.gradient(x).reshape(d) / scale
        hessian = host.hessian_product(x, units).reshape(d, d) / scale
        solved = _solved((hessian + hessian.T) / 2, g)
        step = (-solved / scale).reshape(shape)
        slope = -float(np.sum(g * solved))
        if slope > 0 or np.linalg.norm(hessian @ solved - g) > SEEN * np.linalg.norm(g):
            moved = _expanded(host, x, _safe_step(host, x, g, units, scale), best)
        else:
            moved = _backtracked(host, x, step, best, slope, sizes)
        if moved is None:
            break
        x, best = moved
    return x, step


def _safe_step(host: FiniteSum, x: np.ndarray, g: np.ndarray, units: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """−A⁺∇f with the largest curvature A ⪰ ∇²f, where the Hessian is flat (Huber's far part) or negative somewhere."""
    largest = host.curvature.apply(units).reshape(len(g), len(g)) / scale
    return (-_solved((largest + largest.T) / 2, g) / scale).reshape(x.shape)


def _expanded(host: FiniteSum, x: np.ndarray, step: np.ndarray, value: float) -> tuple[np.ndarray, float] | None:
    """The point along a step that is never too long, doubled as long as f falls; None where it does not fall."""
    found = None
    for doublings in range(60):
        trial = float(host.value(x + 2.0**doublings * step))
        if not trial < value - 8.0 * EPS * abs(value):
            break
        value, found = trial, x + 2.0**doublings * step
    return None if found is None else (found, value)


def _solved(A: np.ndarray, g: np.ndarray) -> np.ndarray:
    """A⁺g for A with its diagonal scaled to 1."""
    diagonal = np.diagonal(A)
    root = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    return np.linalg.lstsq(A / root[:, None] / root[None], g / root, rcond=None)[0] / root


def _backtracked(
    host: FiniteSum, x: np.ndarray, step: np.ndarray, value: float, slope: float, sizes: np.ndarray
) -> tuple[np.ndarray, float] | None:
    """The first point along the step that is low enough; None when rounding has the last word.

    Near the minimum values no longer differ, and a full step that makes the gradient smaller is taken.
    """
    full = float(host.value(x + step))
    if full <= value + 8.0 * EPS * abs(value) and _norm(host, x + step, sizes) < 0.9 * _norm(host, x, sizes):
        return x + step, min(full, value)
    for halvings in range(40):
        t = 0.5**halvings
        trial = float(host.value(x + t * step))
        if trial < value + 1e-4 * t * slope:
            return x + t * step, trial
    return None


def _many_parameters(host: FiniteSum, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L-BFGS to a coarse point, then Newton steps by conjugate gradients, both in units of the columns."""
    from scipy.optimize import minimize
    from scipy.sparse.linalg import aslinearoperator, cg

    d, shape = prod(host.shape), host.shape

    def both(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = flat.reshape(shape) / sizes
        return float(host.value(x)), (host.gradient(x) / sizes).reshape(d)

    found = minimize(both, np.zeros(d), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    x = found.x.reshape(shape) / sizes
    best, step = float(host.value(x)), np.zeros(shape)
    for _ in range(10):
        g = host.gradient(x)
        hessian: Any = aslinearoperator(_Hessian(host, x, sizes))
        step = -cg(hessian, (g / sizes).reshape(d), rtol=1e-8, maxiter=1000)[0].reshape(shape) / sizes
        moved = _backtracked(host, x, step, best, float(np.sum(g * step)), sizes)
        if moved is None:
            break
        x, best = moved
    return x, step


def _norm(host: FiniteSum, x: np.ndarray, sizes: np.ndarray) -> float:
    """Of the gradient, in units of the columns."""
    return float(np.linalg.norm(host.gradient(x) / sizes))


class _Hessian:
    """∇²f(x) on flattened parameters in units of the columns, as SciPy's solvers take it."""

    def __init__(self, host: FiniteSum, x: np.ndarray, sizes: np.ndarray) -> None:
        self._host, self._x, self._sizes = host, x, sizes
        self.shape, self.dtype = (host.dim, host.dim), np.dtype(np.float64)

    def matvec(self, v: np.ndarray) -> np.ndarray:  # (d,) -> (d,)
        """D⁻¹ ∇²f(x) D⁻¹ v."""
        product = self._host.hessian_product(self._x, v.reshape(self._host.shape) / self._sizes)
        return (product / self._sizes).reshape(-1)


def lower_bound(host: FiniteSum, x: np.ndarray, step: np.ndarray) -> float:
    """The best of the bounds from below that a point and a Newton step from it prove; any point will do."""
    floor = float(host.loss.floor)
    if not host.convex:
        return floor
    if host.ridge > 0:
        return max(floor, float(host.value(x)) - float(np.sum(host.gradient(x) ** 2)) / (2.0 * host.ridge))
    loss = host.loss
    if not isinstance(loss, LinearPredictor | SparseLinearPredictor):
        return floor
    link = loss.link if isinstance(loss, SparseLinearPredictor) else loss
    z, p = loss.scores(x), host.composite.mass
    bend = link.bend(z, loss.targets)
    s = link.slope(z, loss.targets) + bend * loss.scores(step)
    dual = -np.sum(np.where(p > 0, p * link.conjugate(s, loss.targets), 0.0))
    # An unbalanced column proves nothing, however small it is: x goes to infinity along it.
    balanced = np.all(np.abs(loss.combine(p * s)) <= BALANCED * _cancelled(loss, np.abs(p * s)))
    return max(floor, float(dual)) if balanced and np.isfinite(dual) else floor


def _cancelled(loss: LinearPredictor | SparseLinearPredictor, sizes: np.ndarray) -> np.ndarray:  # (n,) -> (*shape)
    """Σ_i |c_i a_ij|, what cancels in each column."""
    if isinstance(loss, SparseLinearPredictor):
        return np.asarray(abs(loss.matrix).T @ sizes).reshape(-1)
    rows = np.abs(to_numpy(loss.features))
    return np.tensordot(sizes, rows, axes=(0, 0))
