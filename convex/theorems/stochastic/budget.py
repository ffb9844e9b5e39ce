r"""How much rounding separates a run in floating point from the exact recursion that the theorems speak about.

With unit roundoff u, d parameters, spectral blocks of size k, smallest multiplicity w, :math:`\Delta` the largest
Euclidean distance from the minimiser and r the largest size of the points, one step misses its three-point inequality
by at most

.. math::
    e_t = 8 d u \Bigl(\kappa_t \|g_t\| + \tfrac{\operatorname{Tr}H_t}{w}\tfrac r\eta\Bigr)\Delta + \|P_0 g_t\|
    \Delta , \qquad
    \kappa_t = \min\Bigl((2ku)^{-1/2}, \tfrac{\operatorname{Tr}H_t}{w\sqrt\varepsilon}\Bigr),

and :math:`\operatorname{Tr}H_t` its growth by :math:`d\,o_t`,
:math:`o_t = \min(\sqrt{\delta_t}, \delta_t/\sqrt\varepsilon)`,
:math:`\delta_t = 4(k + d/k) u (\operatorname{Tr}H_t/w)^2`. A theorem's budget is its bound with these errors in it,
minus its bound.

Source: derived here, docs/proofs/regret.md#rounding.
"""

from __future__ import annotations

import numpy as np

from convex.theorems.stochastic.constants import comparator, structure_of
from convex.theorems.stochastic.runs import StochasticRun, is_accelerated
from convex.theorems.stochastic.visited import heights
from problems.domains.facts import smallest_multiplicity
from structures.commutative import Commutative

__all__ = ["growth_rounding", "relative", "step_rounding", "value_rounding"]

UNIT = 2.0**-53


def relative(run: StochasticRun) -> float:
    """A relative bound of the rounding of sums over steps, parameters and paths."""
    return 16.0 * UNIT * (run.horizon + 4 * run.problem.dim + 64)


def step_rounding(run: StochasticRun, reach: np.ndarray | float | None = None) -> np.ndarray:  # (T, B)
    """e_t; `reach` in place of Δ, the distance that the error of a step is multiplied with."""
    K = structure_of(run)
    size = run.scalars["trace_root"] / smallest_multiplicity(K)
    if isinstance(K, Commutative) and not K.mixing:
        condition = np.ones_like(size)
    else:
        condition = np.full_like(size, (2.0 * K.spectrum_size * UNIT) ** -0.5)
        if run.eps > 0:
            condition = np.minimum(condition, size / run.eps**0.5)
    gradient = _length(run, run.gradients) * _scale(run)
    far = _largest(run, comparator(run)) if reach is None else reach
    points = _largest(run, 0.0)
    return 8.0 * K.dim * UNIT * (condition * gradient + size * points / run.rates) * far + run.scalars["dropped"] * far


def growth_rounding(run: StochasticRun) -> np.ndarray:  # (T, B)
    """d · o_t."""
    K = structure_of(run)
    size = run.scalars["trace_root"] / smallest_multiplicity(K)
    if isinstance(K, Commutative):
        return 8.0 * UNIT * run.scalars["trace_root"]
    delta = 4.0 * (K.spectrum_size + K.dim / K.spectrum_size) * UNIT * size**2
    error = np.sqrt(delta)
    return K.dim * (np.minimum(error, delta / run.eps**0.5) if run.eps > 0 else error)


def value_rounding(run: StochasticRun) -> float:
    """Rounding of f at the points of the run: sums of as many terms as there are parameters, which may cancel."""
    f, shape = run.problem, run.problem.shape
    given = [] if f.solution is None else [np.asarray(f.solution)[None]]
    others = np.concatenate([run.iterates[-1], run.answers[-1], *given])
    largest = max(float(np.max(np.abs(values))) for values in (heights(run), f.value(others)))
    points = np.concatenate([run.points.reshape(-1, *shape), others])
    squares = float(np.max(np.sum(np.square(points), axis=tuple(range(1, points.ndim)))))
    return 64.0 * UNIT * (f.dim + 4) * (largest + f.smoothness * squares)


def _scale(run: StochasticRun) -> np.ndarray | float:  # (T, 1) or 1
    """By how much the core's gradients are larger than those of f."""
    return (np.arange(run.horizon)[:, None] + 2.0) / 2.0 if is_accelerated(run) else 1.0


def _largest(run: StochasticRun, centre: np.ndarray | float) -> float:
    return float(np.max(_length(run, run.iterates - centre)))


def _length(run: StochasticRun, X: np.ndarray) -> np.ndarray:  # (..., *shape) -> (...)
    return np.sqrt(np.sum(np.square(X), axis=tuple(range(-len(run.problem.shape), 0))))
