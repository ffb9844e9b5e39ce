r"""What an adversary is: a rule that answers every iterate with a gradient.

.. math:: x_t \mapsto g_t \in \partial f_t(x_t), \qquad t = 0, 1, \dots, T - 1 .

An adversary is a frozen description; ``start`` gives a stream, which plays one game. Each element of the batch has its own
random generator, seeded by ``SeedSequence([seed, element])``, so that a batch of B equals B runs of one, and the first
steps of a long game are those of a short one.

An adversary that draws its gradients without looking at the iterates is *oblivious*: subclass `Oblivious` and write
`sampler`. Others write `start`.

Source: the protocol of online convex optimization, Orabona, A modern introduction to online learning, ch. 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from structures.arrays import Array, asarray_like, positive_sizes

if TYPE_CHECKING:
    from problems.losses import Objective

__all__ = ["Adversary", "Oblivious", "Stream", "generators", "parameter_shape"]

Sampler = Callable[[int], np.ndarray]  # number of steps -> (steps, *shape), continuing where it stopped

CHUNK_BYTES = 1 << 24  # of gradients drawn ahead on the host: large against one step, small against memory


class Stream(ABC):
    """One game. Steps are asked for in order, t = 0, 1, ..."""

    @abstractmethod
    def gradient(self, t: int, x: Array) -> Array:  # (B, *shape) -> (B, *shape)
        """The gradient of step t at the iterate x, which must not be changed in place."""

    def loss(self, t: int, x: Array) -> Array | None:  # (B, *shape) -> (B,)
        """f_t(x), of the step whose gradient was asked for last; None where f_t is the linear <g_t, ·>."""
        return None

    def total(self, horizon: int) -> Objective | None:
        """The convex function f_0 + ... + f_{horizon-1}, for comparators; None where the losses are linear."""
        return None


class Adversary(ABC):
    """A frozen description (subclasses are frozen dataclasses) of who chooses the gradients."""

    shape: tuple[int, ...] | None  # of the parameter; None when it takes the learner's

    oblivious: ClassVar[bool] = False  # whether the gradients do not depend on the iterates

    @property
    def length(self) -> int | None:
        """The longest game that it can play; None without limit."""
        return None

    @property
    def prototype(self) -> Array | None:
        """An array of the kind that it plays with, when it holds arrays of its own; None when it plays with any."""
        return None

    def elements(self, shape: tuple[int, ...]) -> int | None:
        """The batch size that its own arrays have, for parameters of `shape`; None when they fit any."""
        return None

    @abstractmethod
    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:  # x: (B, *shape)
        """A new game for elements first, ..., first + batch - 1, beside `x`: same namespace, dtype and device."""


class Oblivious(Adversary):
    """Gradients drawn in advance, in chunks on the host."""

    shape: tuple[int, ...]

    oblivious: ClassVar[bool] = True

    @abstractmethod
    def sampler(self, rng: np.random.Generator) -> Sampler:
        """The source of one element's gradients, in float64; it keeps its own place, whatever the chunks are."""

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        return _ChunkedStream([self.sampler(rng) for rng in generators(batch, seed, first)], self.length, x)


class _ChunkedStream(Stream):
    """Draws a chunk of steps for every element, moves it to the iterate's device once, and hands out its rows."""

    def __init__(self, samplers: Sequence[Sampler], length: int | None, x: Array) -> None:
        self._samplers, self._length, self._like = samplers, length, x[:1, ...]
        self._largest = max(1, CHUNK_BYTES // (8 * prod(x.shape)))
        self._first, self._steps, self._chunk = 0, 0, None

    def gradient(self, t: int, x: Array) -> Array:
        if t == self._first + self._steps and (self._length is None or t < self._length):
            self._draw(t)
        if self._chunk is None or not self._first <= t < self._first + self._steps:
            raise ValueError(
                f"step {t} is not next: a stream plays one game, t = 0, 1, ..."
                + ("" if self._length is None else f", {self._length - 1}")
            )
        return self._chunk[t - self._first, ...]

    def _draw(self, t: int) -> None:
        """The next chunk, (steps, B, *shape): twice as long as the last one, so that short games stay cheap."""
        steps = min(max(32, 2 * self._steps), self._largest)
        steps = steps if self._length is None else min(steps, self._length - t)
        drawn = np.stack([draw(steps) for draw in self._samplers], axis=1)
        self._first, self._steps, self._chunk = t, steps, asarray_like(drawn, self._like)


def generators(batch: int, seed: int, first: int = 0) -> list[np.random.Generator]:
    """One generator for each batch element, independent of the batch that it is drawn in."""
    return [np.random.default_rng(np.random.SeedSequence([seed, element])) for element in range(first, first + batch)]


def parameter_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """`shape` as a tuple of positive integers; raises ValueError or TypeError otherwise."""
    return positive_sizes("an adversary", shape)
