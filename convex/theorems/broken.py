r"""Losses, penalties and draws that break one hypothesis each, for the controls.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from convex.theorems.draws import Draws
from problems.losses import LeastSquares
from problems.losses.linear_predictor import LinearPredictor
from problems.penalties import SquaredL2
from structures.arrays import Array

__all__ = ["Concave", "DoubledProx", "Understated", "misdrawn", "windows"]


@dataclass(frozen=True, eq=False, repr=False)
class Understated(LeastSquares):
    """Least squares that declares a hundredth of its curvature."""

    curvature_bound: ClassVar[float] = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Concave(LinearPredictor):
    """-(<a, x> - b)²/2."""

    slope_bound: ClassVar[float] = float("inf")
    curvature_bound: ClassVar[float] = 1.0

    def phi(self, z: Array, b: Array) -> Array:
        return -0.5 * (z - b) ** 2

    def slope(self, z: Array, b: Array) -> Array:
        return b - z


@dataclass(frozen=True)
class DoubledProx(SquaredL2):
    """A ridge whose proximal point takes twice the step."""

    def flat_prox(self, v: Array, step: Array | float) -> Array:
        return super().flat_prox(v, 2.0 * step)


def windows(n: int, length: int, every: int = 1) -> Draws:
    """One mini-batch of `length` consecutive indices (cyclically), from each start 0, every, 2 every, ..., equally likely."""
    starts = np.arange(0, n, every)
    indices = (starts[:, None] + np.arange(length)) % n
    return Draws(indices[None], np.full(len(starts), 1.0 / len(starts)))


def misdrawn(draws: Draws, q: np.ndarray) -> Draws:
    """The paths of `draws` with the probabilities that they have under another distribution q."""
    return Draws(draws.indices, np.prod(q[draws.indices], axis=(0, 2)))
