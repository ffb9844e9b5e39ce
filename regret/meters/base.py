r"""What a meter is: a statistic of a game, kept in memory that does not grow with T · d.

Most statistics are cheap per number and dear per call, so they are evaluated on *blocks* of consecutive steps, stacked along a
first axis: `observe` returns (k, B) numbers for k steps. What needs the moment itself (the step's metric, a running sum) is
taken `live`, step by step. `fields` turns the (T, B) series of the whole game into entries of the trace.

Source: derived here.
"""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np

from problems.domains.vectors import norm
from regret.adversaries.base import Stream
from regret.learners.base import Metric, State
from structures.arrays import Array, namespace, to_numpy

__all__ = ["Block", "Meter", "Recorder", "Series", "Step", "inner", "norm2", "stacked"]

Series = dict[str, np.ndarray]  # name -> (T, B) float64


class Step(NamedTuple):
    """One move of a game."""

    t: int  # 0, 1, ..., T - 1
    x: Array  # (B, *shape) the iterate that was punished
    G: Array  # (B, *shape) its gradient
    state: State  # after the step
    metric: Metric  # H_t
    stream: Stream


class Block:
    """Consecutive moves."""

    def __init__(self, steps: list[Step]) -> None:
        self.first, self.length = steps[0].t, len(steps)
        self._steps = steps

    @cached_property
    def x(self) -> Array:  # (k, B, *shape)
        """The iterates that were punished."""
        return stacked([step.x for step in self._steps])

    @cached_property
    def G(self) -> Array:  # (k, B, *shape)
        """Their gradients."""
        return stacked([step.G for step in self._steps])

    @cached_property
    def gradient_norm(self) -> Array:  # (k, B)
        """‖g_t‖₂."""
        return norm2(self.G)

    def scalar(self, name: str) -> Array:  # (k, B)
        """An entry (B,) of every state."""
        return stacked([step.state[name] for step in self._steps])


class Meter:
    """A statistic of a game; this one measures nothing."""

    def live(self, step: Step) -> None:
        """See a step while its metric is alive."""

    def observe(self, block: Block) -> dict[str, Array]:
        """Numbers of a block whose steps were all seen live, each (k, B)."""
        return {}

    def finish(self, x: Array) -> None:  # (B, *shape)
        """See the last iterate, which nobody punished."""

    def fields(self, series: Series) -> dict[str, Any]:
        """Entries of the trace, from the series of the whole game."""
        return {}


class Recorder:
    """Collects steps into blocks and the numbers of blocks into (T, B) arrays on the host."""

    LARGEST = 256  # steps in a block: enough to make the calls cheap
    ENTRIES = 1 << 18  # parameters in a block: stacks that fit a cache

    def __init__(self, meters: list[Meter], horizon: int, x: Array) -> None:  # (B, *shape)
        self._meters, self._horizon, self._batch = meters, horizon, x.shape[0]
        self._size = max(1, min(self.LARGEST, self.ENTRIES // prod(x.shape)))
        self._live = [meter for meter in meters if type(meter).live is not Meter.live]
        self._steps: list[Step] = []
        self.series: Series = {}

    def add(self, step: Step) -> bool:
        """Take one step; True when a block was finished with it."""
        for meter in self._live:
            meter.live(step)
        self._steps.append(step)
        if len(self._steps) < self._size and step.t + 1 < self._horizon:
            return False
        self._flush()
        return True

    def _flush(self) -> None:
        block = Block([step._replace(metric=None) for step in self._steps])  # pyright: ignore[reportArgumentType]
        self._steps = []
        for meter in self._meters:
            for name, values in meter.observe(block).items():
                target = self.series.setdefault(name, np.empty((self._horizon, self._batch)))
                target[block.first : block.first + block.length] = to_numpy(values)


def stacked(arrays: list[Array]) -> Array:  # k times (B, ...) -> (k, B, ...)
    """The arrays along a new first axis."""
    return namespace(arrays[0]).stack(arrays, axis=0)


def inner(A: Array, B: Array) -> Array:  # (k, B, *shape), (k, B, *shape) -> (k, B)
    """<A, B> for each step and batch element."""
    xp = namespace(A)
    return xp.sum(xp.reshape(A * B, (*A.shape[:2], -1)), axis=-1)


def norm2(X: Array) -> Array:  # (k, B, *shape) -> (k, B)
    """‖X‖₂ for each step and batch element, at every scale: an error bound that underflows is none."""
    return norm(namespace(X).reshape(X, (*X.shape[:2], -1)))
