r"""Gradients of ±1: coin flips, and the greedy adversary that punishes the sign of every coordinate.

.. math:: g_{t,i} \sim \mathrm{Unif}\{-1, 1\} \qquad\text{and}\qquad g_{t,i} = \operatorname{sign}(x_{t,i}) .

Coin flips give the classical lower bounds for bounded gradients; the greedy rule (with sign(0) = 1) keeps the iterate near zero.

Source: Orabona, A modern introduction to online learning, sec. 5.1 (random signs); the greedy rule is derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regret.adversaries.base import Adversary, Oblivious, Sampler, Stream, parameter_shape
from structures.arrays import Array, namespace

__all__ = ["GreedySign", "RandomSigns"]


@dataclass(frozen=True)
class RandomSigns(Oblivious):
    """Independent fair signs."""

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", parameter_shape(self.shape))

    def sampler(self, rng: np.random.Generator) -> Sampler:
        return lambda steps: np.where(rng.random((steps, *self.shape)) < 0.5, -1.0, 1.0)


@dataclass(frozen=True)
class GreedySign(Adversary):
    """The sign of the current iterate, with sign(0) = 1."""

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", parameter_shape(self.shape))

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        return _GreedyStream()


class _GreedyStream(Stream):
    def gradient(self, t: int, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x >= 0, xp.ones_like(x), -xp.ones_like(x))
