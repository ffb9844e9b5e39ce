r"""Linear losses, :math:`f_i(x) = \langle g_i, x\rangle`, and their sum :math:`\langle S, x\rangle`.

.. math:: \min_{x \in X} \langle S, x\rangle = -\operatorname{support}_X(-S)

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Self

import numpy as np

from problems.losses.base import Loss
from problems.losses.data import rows
from structures.arrays import Array, asarray_like, like, namespace, require_finite, require_shape

__all__ = ["Linear", "LinearFunction"]


@dataclass(frozen=True, eq=False)
class LinearFunction:
    """<S, x>, as an `Objective`; a batch of slopes is a batch of functions."""

    slopes: Array = field(repr=False)  # (..., *shape)
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        require_finite("slopes", self.slopes)
        require_shape("slopes", self.slopes, self.shape)

    @property
    def smoothness(self) -> float:
        return 0.0

    def value(self, x: Array) -> Array:
        axes = tuple(range(-len(self.shape), 0))
        return namespace(x).sum(self.slopes * x, axis=axes)

    def gradient(self, x: Array) -> Array:
        return self.slopes + namespace(x).zeros_like(x)


@dataclass(frozen=True, eq=False, repr=False)
class Linear(Loss):
    """<g_i, x>."""

    slopes: Array  # (n, *shape)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(np.random.default_rng(3).standard_normal((12, 2, 2)))]

    def __post_init__(self) -> None:
        require_finite("slopes", self.slopes)
        if self.slopes.ndim < 2:
            raise ValueError(f"slopes must be (samples, *shape), got shape {tuple(self.slopes.shape)}.")

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.slopes.shape[1:])

    @property
    def samples(self) -> int:
        return self.slopes.shape[0]

    @property
    def lipschitz(self) -> Array:
        return namespace(self.slopes).linalg.vector_norm(self._rows, axis=1)

    @property
    def smoothness(self) -> Array:
        return namespace(self.slopes).zeros(self.samples, **like(self.slopes))

    def beside(self, x: Array) -> Self:
        return replace(self, slopes=asarray_like(self.slopes, x))

    def value(self, x: Array, i: Array) -> Array:
        return LinearFunction(rows(self.slopes, i), self.shape).value(x)

    def gradient(self, x: Array, i: Array) -> Array:
        return LinearFunction(rows(self.slopes, i), self.shape).gradient(x)

    def weighted_value(self, x: Array, weights: Array) -> Array:
        return self.total(weights).value(x)

    def weighted_gradient(self, x: Array, weights: Array) -> Array:
        return self.total(weights).gradient(x)

    def weighted_smoothness(self, weights: Array) -> Array:
        return namespace(weights).zeros_like(weights[..., 0])

    def total(self, weights: Array) -> LinearFunction:  # pyright: ignore[reportIncompatibleMethodOverride]
        """F_w is itself linear: its slopes are summed once."""
        summed = weights @ self._rows
        return LinearFunction(namespace(weights).reshape(summed, (*summed.shape[:-1], *self.shape)), self.shape)

    @property
    def _rows(self) -> Array:  # (n, d)
        return namespace(self.slopes).reshape(self.slopes, (self.samples, prod(self.shape)))
