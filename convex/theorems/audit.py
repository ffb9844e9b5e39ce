r"""Declared constants, tried on the points of a run and around them.

A function h is convex and M-smooth on the whole space exactly when, for all u and v,

.. math:: h(v) - h(u) - \langle \nabla h(u), v - u\rangle \ge \frac1{2M}\|\nabla h(v) - \nabla h(u)\|^2 ,

which is what the proof uses, sample by sample. It is tried on pairs of points of the run, and along the gradient of each sample
near those points and 0, where a smooth function of one score has its largest curvature. A violation refutes the constants;
none found does not prove them.

Source: Nesterov 2004, Theorem 2.1.5 (remembered); derived here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from problems.composite import Composite

__all__ = ["Excess", "Sum", "Terms", "prox_fault", "smoothness_faults"]

EPS = float(np.finfo(np.float64).eps)
MOST_NUMBERS = 60_000
REACH = (
    1e-3,
    1.0,
    30.0,
)  # displacements in units of 1/√L: infinitesimal curvature, the scale of the function, saturation


@dataclass(frozen=True)
class Excess:
    """The worst of many comparisons, relative to the size of what was compared; a fault is positive."""

    convexity: float  # how far a tangent rises above its function
    smoothness: float  # |∇h(v) - ∇h(u)|²/(2M · Bregman) - 1 at its largest


class Terms:
    """The samples F_i = n p_i f_i, all at once; of large data as many, evenly spaced, as hold MOST_NUMBERS numbers."""

    def __init__(self, problem: Composite) -> None:
        size = int(np.prod(problem.shape))
        self.problem = problem
        self.index = np.arange(0, problem.samples, 1 + problem.samples * size // MOST_NUMBERS)
        self.factor = problem.samples * np.asarray(problem.mass)[self.index]
        self.constants = np.asarray(problem.constants)[self.index]

    def value(self, x: np.ndarray) -> np.ndarray:  # (n, *shape) -> (n,)
        return self.factor * self.problem.loss.value(x, self.index)

    def gradient(self, x: np.ndarray) -> np.ndarray:  # (n, *shape) -> (n, *shape)
        factor = self.factor.reshape(-1, *[1] * len(self.problem.shape))
        return factor * self.problem.loss.gradient(x, self.index)


class Sum:
    """F itself, with its constant L_F."""

    def __init__(self, problem: Composite) -> None:
        self.problem, self.constants = problem, np.asarray([problem.smoothness])

    def value(self, x: np.ndarray) -> np.ndarray:  # (1, *shape) -> (1,)
        return self.problem.smooth_value(x)

    def gradient(self, x: np.ndarray) -> np.ndarray:  # (1, *shape) -> (1, *shape)
        return self.problem.gradient(x)


def smoothness_faults(functions: Terms | Sum, points: np.ndarray) -> Excess:  # points: (k, *shape)
    """The worst of the pairs (point, next point), and of each point and 0 with a neighbour along its own gradient."""
    worst = Excess(-np.inf, -np.inf)
    for u, v in _pairs(functions, points):
        found = _compare(functions, u, v)
        if np.isnan(found.convexity + found.smoothness):
            return Excess(np.inf, np.inf)
        worst = Excess(max(worst.convexity, found.convexity), max(worst.smoothness, found.smoothness))
    return worst


def _pairs(functions: Terms | Sum, points: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    shape = (len(functions.constants), *points.shape[1:])
    spread = [np.broadcast_to(p, shape) for p in (np.zeros(points.shape[1:]), *points)]
    yield from zip(spread, spread[1:], strict=False)
    for u in spread[:4]:  # 0 and the given points
        e = _direction(functions, u)
        yield from ((u, u + reach * e) for reach in REACH)


def _direction(functions: Terms | Sum, u: np.ndarray) -> np.ndarray:
    """A vector of length 1/√L for each function: its gradient at u, turned towards the steepest curvature."""
    axes, here = tuple(range(1, u.ndim)), functions.gradient(u)
    curved = functions.constants > 0
    length = 1.0 / np.sqrt(np.where(curved, functions.constants, 1.0)).reshape(-1, *[1] * len(axes))
    start = np.random.default_rng(0).standard_normal(u.shape[1:])
    e = last = here
    for _ in range(3):
        size = np.max(np.abs(e), axis=axes, keepdims=True)  # before squares, which may leave the range of doubles
        e = np.where(size > 0, e, start) / np.where(size > 0, size, 1.0)
        e = length * e / np.sqrt(np.sum(e * e, axis=axes, keepdims=True))
        last, e = e, functions.gradient(u + REACH[0] * e) - here
    return last


def _compare(functions: Terms | Sum, u: np.ndarray, v: np.ndarray) -> Excess:
    axes = tuple(range(1, u.ndim))
    values, slopes = (functions.value(u), functions.value(v)), (functions.gradient(u), functions.gradient(v))
    move, turn = v - u, slopes[1] - slopes[0]
    bregman = values[1] - values[0] - np.sum(slopes[0] * move, axis=axes)
    lengths = [np.sqrt(np.sum(part * part, axis=axes)) for part in (*slopes, move, turn)]
    # Each side is a sum of d + n terms, rounded once each; the values bring the rounding of their own inputs.
    scale = np.abs(values[0]) + np.abs(values[1]) + (lengths[0] + lengths[1]) * (
        lengths[2] + np.sqrt(np.sum(u * u, axis=axes))
    )  # fmt: skip
    room = 64.0 * EPS * (scale + np.finfo(np.float64).tiny)
    curved = functions.constants > 0
    needed = np.where(curved, lengths[3] ** 2 / (2.0 * np.where(curved, functions.constants, 1.0)), 0.0)
    rigid = ~curved & (
        lengths[3] > 64.0 * EPS * (lengths[0] + lengths[1])
    )  # no curvature was declared, and there is some
    ratio = np.where(rigid, np.inf, (needed - bregman - room) / (np.abs(needed) + room))
    return Excess(float(np.max((-bregman - room) / scale.clip(np.finfo(np.float64).tiny))), float(np.max(ratio)))


def prox_fault(problem: Composite, points: np.ndarray, steps: tuple[float, ...]) -> float:  # points: (k, *shape)
    """How far R(z) + <(v - z)/τ, u - z> rises above R(u) for z = prox_τ(v), at its largest, relative to what is compared."""
    penalty, ndim = problem.penalty, len(problem.shape)
    axes = tuple(range(-ndim, 0))
    inside = np.concatenate([points, penalty.prox(points, steps[0])])
    worst = -np.inf
    for tau in steps:
        for v in (*points, *(points - tau * problem.gradient(points))):
            z = penalty.prox(v, tau)
            slope, at = (v - z) / tau, float(penalty.value(z))
            if not np.isfinite(at):
                return np.inf
            tangent = at + np.sum(slope * (inside - z), axis=axes)
            there = penalty.value(inside)
            # Points are rounded, so that one on the border of a domain may lie outside by an eps of its length.
            pull = (_length(v, ndim) + _length(z, ndim)) / tau
            size = pull * (_length(z, ndim) + _length(inside, ndim)) + abs(at) + np.where(there < np.inf, there, 0.0)
            fault = (tangent - there - 64.0 * EPS * size) / (size + np.finfo(np.float64).tiny)
            worst = max(worst, float(np.max(fault)))
    return worst


def _length(x: np.ndarray, ndim: int) -> np.ndarray:  # (..., *shape) -> (...)
    """At least the Euclidean length, without squares that underflow."""
    flat = np.abs(x).reshape(*x.shape[: x.ndim - ndim], -1)
    return np.sqrt(flat.shape[-1]) * np.max(flat, axis=-1)
