r"""Whether a function keeps within the majorant of its Hessian, tried on the points of a run and around them.

.. math::
    -\tfrac12\|v - u\|_{H_*}^2 \;\le\; f(v) - f(u) - \langle\nabla f(u), v - u\rangle \;\le\; \tfrac12\|v -
    u\|_{H_*}^2

on pairs of points near and far, and the eigenvalues of :math:`H_* \pm \nabla^2 f(u)` at some of them: for a
quadratic, and for a function whose steepest point is declared, this is the whole hypothesis. A violation refutes the
majorant; none found does not prove it.

Source: derived here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from convex.theorems.stochastic.constants import majorant, structure_of
from convex.theorems.stochastic.runs import StochasticRun

__all__ = ["BregmanFaults", "bregman_faults", "hessian_excess"]

EPS = float(np.finfo(np.float64).eps)
LARGEST = 200  # parameters beyond which no Hessian is formed
REACH = (1e-2, 1.0, 100.0)  # displacements in units of the run's own size


class BregmanFaults(NamedTuple):
    """The worst of many comparisons, relative to the terms compared; a fault is positive."""

    below: float  # a tangent above the function
    above: float  # the function above its upper parabola
    under: float  # the function below its lower parabola


def points_of(run: StochasticRun) -> np.ndarray:  # -> (k, *shape)
    """Some of the points that the run came by, the minimiser and 0."""
    shape = run.problem.shape
    visited = run.points.reshape(-1, *shape)
    picks = np.linspace(0, len(visited) - 1, min(6, len(visited))).astype(int)
    known = [run.problem.solution, run.problem.curvature_point]
    given = [np.asarray(x)[None] for x in known if x is not None]
    return np.concatenate([visited[picks], run.answers[-1, :1], np.zeros((1, *shape)), *given])


@lru_cache(maxsize=4)
def bregman_faults(run: StochasticRun) -> BregmanFaults:
    """Over all pairs of the points, and from each to neighbours at several distances."""
    K, f = structure_of(run), run.problem
    u, v = _pairs(run)
    fu, fv, g, move = f.value(u), f.value(v), f.gradient(u), v - u
    linear = np.sum(K.flatten(g * move), axis=-1)
    bregman, half = fv - fu - linear, 0.5 * np.sum(K.flatten(move * K.apply(majorant(run), move)), axis=-1)
    squares = np.sum(K.flatten(u) ** 2, -1) + np.sum(K.flatten(v) ** 2, -1) + _centre(run)
    pull = np.sqrt(np.sum(K.flatten(g) ** 2, -1) * squares)
    # A value may be a sum of products that cancel: its rounding is that of the curvature times the squared size of the point.
    terms = np.abs(fu) + np.abs(fv) + pull + half + f.smoothness * squares
    room = 64.0 * EPS * (K.dim + 4) * terms + np.finfo(float).tiny
    size = np.abs(bregman) + half + room
    worst = [float(np.max((fault - room) / size)) for fault in (-bregman, bregman - half, -half - bregman)]
    return BregmanFaults(*(w if np.isfinite(w) else np.inf for w in worst))


def _centre(run: StochasticRun) -> float:
    """‖x*‖₂², 0 where it is not known."""
    return 0.0 if run.problem.solution is None else float(np.sum(np.square(np.asarray(run.problem.solution))))


def _pairs(run: StochasticRun) -> tuple[np.ndarray, np.ndarray]:  # each (k, *shape)
    points = points_of(run)
    rng = np.random.default_rng(20_251_122)
    far = float(np.max(np.abs(points - points[:1])))
    size = far if far > 0 else 1.0
    k = len(points)
    first, second = (part.ravel() for part in np.meshgrid(np.arange(k), np.arange(k)))
    starts, ends = [points[first[first != second]]], [points[second[first != second]]]
    for reach in REACH:
        starts.append(points)
        ends.append(points + reach * size * rng.standard_normal(points.shape))
        slopes = run.problem.gradient(points)
        steepness = np.max(np.abs(slopes))
        starts.append(points)
        ends.append(points - reach * size * slopes / (steepness if steepness > 0 else 1.0))
    return np.concatenate(starts), np.concatenate(ends)


def hessian_excess(run: StochasticRun) -> float:
    """How far an eigenvalue of ±∇²f exceeds H*, relative to the largest of H*; -inf where no Hessian is formed."""
    K = structure_of(run)
    if K.dim > LARGEST:
        return -np.inf
    dense, basis = K.dense(majorant(run)), np.eye(K.dim).reshape(K.dim, *K.shape)
    scale = max(float(np.linalg.eigvalsh(dense)[-1]), np.finfo(float).tiny)
    declared = np.asarray(run.problem.curvature.dense())
    hessians = [declared, -declared]
    for x in points_of(run):
        columns = run.problem.hessian_product(np.broadcast_to(x, basis.shape), basis)
        A = K.flatten(columns)
        hessians += [A, -A]
    worst = max(float(np.linalg.eigvalsh((A + A.T) / 2.0 - dense)[-1]) for A in hessians)
    return (worst - 64.0 * EPS * K.dim * scale) / scale
