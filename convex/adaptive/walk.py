r"""A method on a stochastic problem, step by step: the only loop of adaptive methods.

.. math:: y_t = \mathrm{query}(s_t), \qquad g_t = g(y_t, \omega_t), \qquad s_{t+1} = \mathrm{step}(s_t, g_t)

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np

from convex.adaptive.base import Method
from problems.smooth.base import NoiseStream, SmoothProblem
from regret.learners import State
from structures.arrays import Array, namespace, own, require_finite, require_shape

__all__ = ["Step", "drawn", "starts", "walk"]

BLOCK = 256  # steps whose randomness is drawn at once


class Step(NamedTuple):
    """One step of every run of the batch."""

    before: State  # s_t
    point: Array  # (B, *shape) y_t
    gradient: Array  # (B, *shape) g_t
    after: State  # s_{t+1}


def walk(
    method: Method,
    problem: SmoothProblem,  # its data beside x0
    x0: Array,  # (B, *shape)
    draws: Iterable[np.ndarray | None],  # (B, ...) of each step; None is an exact gradient
) -> Iterator[Step]:
    """The steps of the method. Raises ValueError when a gradient is not finite, before the step is taken."""
    state = method.init(x0)
    for draw in draws:
        y = method.query(state)
        G = problem.gradient(y) if draw is None else problem.stochastic_gradient(y, draw)
        before, state = state, method.step(state, G)
        yield Step(before, y, G, state)


def drawn(stream: NoiseStream | None, steps: int) -> Iterator[np.ndarray | None]:
    """The randomness of each step, drawn block by block; nothing but None without a stream."""
    if stream is None:
        yield from repeat(None, steps)
        return
    for done in range(0, steps, BLOCK):
        yield from stream.draw(min(BLOCK, steps - done))


def starts(x0: Array, shape: tuple[int, ...], batch: int | None) -> Array:  # -> (B, *shape)
    """One start for each run, from one of shape (*shape) or as many as the batch. Raises ValueError when it does not fit."""
    require_shape("x0", x0, shape)
    require_finite("x0", x0)
    xp = namespace(x0)
    if x0.ndim == len(shape):
        return own(xp.broadcast_to(x0, (1 if batch is None else batch, *shape)))
    if x0.ndim != len(shape) + 1 or batch not in (None, x0.shape[0]):
        raise ValueError(f"x0 has shape {tuple(x0.shape)}; expected {shape}, or ({batch or 'B'}, *{shape}).")
    return own(x0)
