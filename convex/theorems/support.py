r"""Deterministic ranges of what a random stage can reach, for tests that need the range of every sample.

The mini-batch part of a gradient is at most :math:`\min(2G, \ell\,|y - \tilde x|)` long, G the largest Lipschitz constant of
:math:`F_i/(n q_i)`. With :math:`c_k = \operatorname{prox}_{\tau_k R}(\tilde y - \tau_k \nabla F(\tilde x))` and
:math:`\tau_k = \eta A_k`, the centre of what step k can reach, and :math:`c_0 = \tilde y`, nonexpansiveness gives

.. math::
    |z_k - c_k| \le h_k = \eta \sum_{j \le k} a_j \min\bigl(2G, \ell \max_{i < j} (|c_i - \tilde x| + h_i)\bigr), \qquad
    P(x_m) \le \max_k \max_{|z - c_k| \le h_k} P(z) .

In a box everything is within its corners as well.

Source: derived here (docs/proofs/dasvrda.md#ranges).
"""

from __future__ import annotations

from math import inf, isfinite, sqrt

import numpy as np

from convex.solvers.sampling import variance_constant
from convex.theorems.bounds import distance_factor
from convex.theorems.runs import OuterRun, StageRun
from problems.composite import Composite
from problems.penalties import BoxIndicator

__all__ = ["outer_range", "stage_range"]

ROOM = 1.0 + 1e-9  # the ranges are computed in floating point, far less accurately lost than this


def stage_range(run: StageRun, shortfall: float) -> tuple[float, float]:
    """Of P(x_m) - P(u) + K|z_m - u|² - K|ytil - u|²; `shortfall` bounds how far P(x_m) can be below P(u), inf if unknown."""
    problem, u, K = run.problem, run.comparator, distance_factor(run.step, run.length)
    centres, heights = _reach(run)
    here, start = float(problem.value(u)), K * float(np.sum((run.ytil - u) ** 2))
    far = max(_length(c - u) + h for c, h in zip(centres, heights, strict=True))
    top = max(_highest(run, k, c, h) for k, (c, h) in enumerate(zip(centres, heights, strict=True), 1)) - here
    ending = _length(centres[-1] - u) + heights[-1]
    corner = _farthest(problem, u)
    if isfinite(corner):
        top, far, ending = min(top, _highest_in_box(problem, u, corner)), min(far, corner), min(ending, corner)
    # Unless u is a minimiser: F lies above its tangent at u, and R above its least value.
    below = min(shortfall, _length(problem.gradient(u)) * far + _above_least(problem, u))
    return -start - below * ROOM, max(top, 0.0) * ROOM + K * ending**2 * ROOM - start


def outer_range(run: OuterRun, shortfall: float) -> tuple[float, float]:
    """Of P(x_S) - P(u) for a minimiser u: bounded in a box, unbounded above otherwise."""
    corner = _farthest(run.problem, run.comparator)
    return -shortfall, _highest_in_box(run.problem, run.comparator, corner) * ROOM if isfinite(corner) else inf


def _reach(run: StageRun) -> tuple[list[np.ndarray], list[float]]:
    """The centres c_1, ..., c_m and the heights h_1, ..., h_m."""
    problem, full = run.problem, run.problem.gradient(run.xtil)
    seen = run.q > 0
    G, ell = float(np.max(_lipschitz(problem)[seen] / run.q[seen])), variance_constant(problem, run.q)
    centres, heights, total = [], [], 0.0
    farthest = _length(run.ytil - run.xtil)
    for k in range(1, run.length + 1):
        total += k / 2 * min(2.0 * G, ell * farthest)
        tau = run.step * k * (k + 1) / 4
        centre = problem.penalty.prox(run.ytil - tau * full, tau)
        centres.append(centre)
        heights.append(run.step * total * ROOM)
        farthest = max(farthest, _length(centre - run.xtil) + heights[-1])
    return centres, heights


def _highest(run: StageRun, k: int, centre: np.ndarray, h: float) -> float:
    """max P(z_k), z_k the proximal point of a vector within h of the one whose proximal point is the centre."""
    problem, tau = run.problem, run.step * k * (k + 1) / 4
    slope = _length(run.ytil - tau * problem.gradient(run.xtil) - centre) / tau
    steep = _length(problem.gradient(centre)) + slope
    return float(problem.value(centre)) + steep * h + (problem.smoothness / 2 + 0.25 / tau) * h**2


def _farthest(problem: Composite, u: np.ndarray) -> float:
    """The distance of u from the farthest corner of the box; inf without one."""
    box = problem.penalty
    if not (isinstance(box, BoxIndicator) and isfinite(box.low) and isfinite(box.high)):
        return inf
    return sqrt(float(np.sum(np.maximum(box.high - u, u - box.low) ** 2)))


def _highest_in_box(problem: Composite, u: np.ndarray, corner: float) -> float:
    """max P - P(u) over the box, F from above by smoothness or by its Lipschitz constant."""
    box, g = problem.penalty, problem.gradient(u)
    assert isinstance(box, BoxIndicator)
    tangent = float(np.sum(np.maximum(g * (box.high - u), g * (box.low - u))))
    return min(tangent + problem.smoothness / 2 * corner**2, float(np.sum(_lipschitz(problem))) * corner)


def _lipschitz(problem: Composite) -> np.ndarray:  # (n,)
    """Lipschitz constants of p_i f_i; 0 where p_i is, also for a loss without one."""
    mass, each = np.asarray(problem.mass), np.asarray(problem.loss.lipschitz)
    return np.multiply(mass, each, out=np.zeros(len(mass)), where=mass > 0)


def _above_least(problem: Composite, u: np.ndarray) -> float:
    """R(u) - inf R."""
    return float(problem.penalty.value(u) + problem.penalty.conjugate(np.zeros_like(u)))


def _length(x: np.ndarray) -> float:
    return float(np.linalg.norm(x))
