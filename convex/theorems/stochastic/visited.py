r"""The points that a run came by, what it may be compared with there, and the noise of its gradients at each of them.

.. math:: (t, b) \mapsto y_t, \qquad \xi_t = g_t - \nabla f(y_t), \qquad \xi(\omega) = g(y_t, \omega) - \nabla f(y_t)

Paths that have not parted yet are counted once. Where numbers would be too many, a random choice of the points stands for them.

Source: derived here (docs/proofs/stochastic.md#what-is-checked).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod

import numpy as np

from convex.theorems.stochastic.runs import StochasticRun
from problems.smooth.drawn import above_rounding

__all__ = ["apart", "cancelled", "heights", "moments", "noises", "own_noise", "slopes", "weight"]

MOST = 20_000_000  # numbers that one check may look at
CHUNK = 1_000_000  # numbers at once
AT_ONCE = 4_000_000  # numbers that f is evaluated with at once


# Several hypotheses, both sides and the budget need them, and each costs as much as the rest of a verdict together.


@lru_cache(maxsize=2)
def slopes(run: StochasticRun) -> np.ndarray:  # -> (T, B, *shape)
    """∇f(y_t)."""
    return np.concatenate([run.problem.gradient(y) for y in _parts(run)]).reshape(run.points.shape)


@lru_cache(maxsize=2)
def heights(run: StochasticRun) -> np.ndarray:  # -> (T, B)
    """f(y_t)."""
    return np.concatenate([run.problem.value(y) for y in _parts(run)]).reshape(run.points.shape[:2])


def _parts(run: StochasticRun) -> Iterator[np.ndarray]:
    """The points in a row, as many at once as a value may take memory for."""
    flat = run.points.reshape(-1, *run.problem.shape)
    size = max(1, AT_ONCE // weight(run))
    for begin in range(0, len(flat), size):
        yield flat[begin : begin + size]


def weight(run: StochasticRun) -> int:
    """Numbers that one evaluation of f takes: parameters, and the scores of samples where it is a sum over them."""
    composite = getattr(run.problem, "composite", None)
    return run.problem.dim + (0 if composite is None else composite.samples * prod(run.problem.shape[:-1]))


def cancelled(run: StochasticRun) -> float:
    """The rounding of products with a point that cancel in a gradient, and leave it smaller than they are."""
    far = float(np.max(np.sum(np.square(run.points), axis=tuple(range(2, run.points.ndim))))) ** 0.5
    return 64.0 * float(np.finfo(np.float64).eps) * (run.problem.dim + 4) * run.problem.smoothness * far


def moments(run: StochasticRun, numbers: int) -> tuple[np.ndarray, np.ndarray]:  # -> (k,), (k,)
    """Steps and elements of distinct points, at most as many as `numbers` for each of them allow."""
    T, B = run.points.shape[:2]
    outcomes = run.problem.outcomes() if run.enumerated and not run.exact else None
    if outcomes is not None and len(outcomes.probabilities) ** T == B:
        each = [np.arange(0, B, len(outcomes.probabilities) ** (T - t)) for t in range(T)]  # where paths part
        steps, elements = np.repeat(np.arange(T), [len(b) for b in each]), np.concatenate(each)
    else:
        steps, elements = (part.ravel() for part in np.meshgrid(np.arange(T), np.arange(B), indexing="ij"))
    room = max(1, MOST // max(numbers, 1))
    if len(steps) <= room:
        return steps, elements
    chosen = np.sort(np.random.default_rng(20_251_122).choice(len(steps), room, replace=False))
    return steps[chosen], elements[chosen]


def apart(run: StochasticRun, count: int) -> np.ndarray:  # -> (≤ count, *shape)
    """A few points that are far from each other: the first, the last, the farthest from the start, and some between."""
    T, B = run.points.shape[:2]
    flat = run.points.reshape(T * B, *run.problem.shape)
    far = np.sum((flat - flat[:1]) ** 2, axis=tuple(range(1, flat.ndim)))
    steps = np.linspace(0, T - 1, count - 1).astype(int)
    indices = [*(int(t) * B + k % B for k, t in enumerate(steps)), int(np.argmax(far))]
    return flat[np.unique(indices)]


def noises(run: StochasticRun) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(N, k, *shape), (N,), (k, *shape): g(y, ω) - ∇f(y), probabilities and ∇f(y), a chunk of the points at a time.

    Raises ValueError where outcomes cannot be listed.
    """
    outcomes = run.problem.outcomes()
    if outcomes is None:
        raise ValueError(f"{run.problem!r} declares no noise_covariance and cannot list its outcomes.")
    numbers = len(outcomes.draws) * run.problem.dim
    steps, elements = moments(run, numbers)
    size = max(1, CHUNK // numbers)
    for begin in range(0, len(steps), size):
        y = run.points[steps[begin : begin + size], elements[begin : begin + size]]
        exact = run.problem.gradient(y)
        wide = np.broadcast_to(y, (len(outcomes.draws), *y.shape))
        each = outcomes.draws[:, None]
        seen = run.problem.stochastic_gradient(wide, np.broadcast_to(each, (*wide.shape[:2], *each.shape[2:])))
        yield above_rounding(seen - exact, exact, cancelled(run)), outcomes.probabilities, exact


def own_noise(run: StochasticRun) -> np.ndarray:  # -> (T, B, d)
    """ξ_t of the run's own draws, 0 where it is rounding."""
    T, B = run.points.shape[:2]
    noise = above_rounding(run.gradients - slopes(run), run.gradients, cancelled(run))
    return noise.reshape(T, B, run.problem.dim)
