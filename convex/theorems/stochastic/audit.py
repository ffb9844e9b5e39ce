r"""Whether a function keeps within the majorant of its Hessian, tried on the points of a run and around them.

.. math::
    -\tfrac12\|v - u\|_{H_*}^2 \;\le\; f(v) - f(u) - \langle\nabla f(u), v - u\rangle \;\le\; \tfrac12\|v -
    u\|_{H_*}^2

on the pairs that the proofs compare, at every point of the run, and on pairs of points near and far; and the eigenvalues
of :math:`H_* \pm \nabla^2 f(u)` at some of them: for a quadratic, and for a function whose steepest point is declared,
this is the whole hypothesis up to `LARGEST` parameters. Beyond, Lanczos sees an eigenvalue that sticks out, but may miss one
that barely does. A violation refutes the majorant; none found does not prove it.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from convex.theorems.stochastic.constants import majorant, structure_of
from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.visited import moments, weight
from problems.operators.ritz import largest_ritz
from structures.base import Structure

__all__ = ["BregmanFaults", "bregman_faults", "hessian_excess"]

EPS = float(np.finfo(np.float64).eps)
LARGEST = 200  # parameters beyond which no Hessian is formed
PAIRS = 5  # of values at each point of the run
SOME = 500  # points whose other neighbours are looked at
CHUNK = 4_000_000  # numbers that are looked at together
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
    """Over the pairs that the proofs compare at every point of the run, pairs of a few, and neighbours near and far."""
    each = [_faults(run, u, v) for u, v in chain(_needed(run), _neighbours(run), [_pairs(run)])]
    return BregmanFaults(*(float(np.max(column)) for column in zip(*each, strict=True)))


def _faults(run: StochasticRun, u: np.ndarray, v: np.ndarray) -> BregmanFaults:  # (k, *shape), (..., k, *shape)
    K, f = structure_of(run), run.problem
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


def _needed(run: StochasticRun) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """At every point: what comes after it, x*, and the points of (F1) and (F2), on which the proofs rest."""
    for t, b in _in_chunks(run, *moments(run, PAIRS * weight(run))):
        y, solution = run.points[t, b], run.problem.solution
        drop = structure_of(run).factor(majorant(run)).apply(-1, run.problem.gradient(y))
        ends = [_after(run, t, b), y - drop]
        if solution is not None:
            centre = np.broadcast_to(np.asarray(solution), y.shape)
            ends += [centre, centre + drop]
            yield centre[:1], centre + drop
        yield y, np.stack(ends)


def _neighbours(run: StochasticRun) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """At some of the points: iterates and answers before and after, and the way back from what comes after."""
    t, b = moments(run, PAIRS * weight(run))
    some = np.unique(np.linspace(0, len(t) - 1, min(len(t), SOME)).astype(int))
    for step, path in _in_chunks(run, t[some], b[some]):
        y = run.points[step, path]
        before = np.where(_wide(step > 0, y), run.answers[np.maximum(step - 1, 0), path], run.iterates[0, path])
        near = [run.iterates[step, path], run.iterates[step + 1, path], run.answers[step, path]]
        yield y, np.stack([before, *near])
        yield _after(run, step, path), y


def _after(run: StochasticRun, t: np.ndarray, b: np.ndarray) -> np.ndarray:  # (k,), (k,) -> (k, *shape)
    """The next point of each path, the last iterate after the last."""
    last = run.horizon - 1
    end = run.iterates[-1, b]
    return np.where(_wide(t < last, end), run.points[np.minimum(t + 1, last), b], end)


def _in_chunks(run: StochasticRun, t: np.ndarray, b: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    size = max(1, CHUNK // (PAIRS * weight(run)))
    for begin in range(0, len(t), size):
        yield t[begin : begin + size], b[begin : begin + size]


def _wide(test: np.ndarray, y: np.ndarray) -> np.ndarray:  # (k,) -> (k, 1, ..., 1)
    return test.reshape(-1, *[1] * (y.ndim - 1))


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
    """How far an eigenvalue of ±∇²f exceeds H* at a few points, relative to the largest of H*."""
    K, f = structure_of(run), run.problem
    H = majorant(run)
    scale = max(float(np.max(K.factor(H).values)), np.finfo(float).tiny)
    hessians = [f.curvature.apply, *(partial(f.hessian_product, x) for x in points_of(run))]
    worst = max(_above(K, A, sign, H) for A in hessians for sign in (1.0, -1.0))
    return (worst - 64.0 * EPS * K.dim * scale) / scale


def _above(K: Structure, A: Callable[[np.ndarray], np.ndarray], sign: float, H: Any) -> float:
    """The largest eigenvalue of ±A - H; a lower bound of it beyond `LARGEST` parameters."""
    if K.dim <= LARGEST:
        basis = np.eye(K.dim).reshape(K.dim, *K.shape)
        columns = K.flatten(np.stack([A(e) for e in basis]))
        return float(np.linalg.eigvalsh(sign * (columns + columns.T) / 2.0 - K.dense(H))[-1])
    return largest_ritz(lambda v: sign * A(v) - K.apply(H, v), K.shape)
