r"""Noise that is added to a gradient, independent of the point: its law, its covariance, its streams.

.. math:: g(x, \omega) = \nabla f(x) + \xi(\omega), \qquad \mathbb E \xi = 0, \qquad \operatorname{Cov} \xi = \Sigma .

``NoNoise()``: :math:`\xi = 0`. ``EntryNoise(scale, law)``: independent entries of standard deviation `scale`, an array of the
parameter's shape or one number. ``FactorNoise(factors, law)``: :math:`\xi = \sum_k s_k F_k`, a low-rank or structured covariance
:math:`\Sigma = \sum_k F_k F_k^\top`. The law of one coefficient is "normal" or "signs" (±1 with probability ½): with signs the
noise is bounded, and few enough of them can be enumerated.

Source: derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod

import numpy as np

from problems.operators import DiagonalOperator, GramOperator, SymmetricOperator
from structures.arrays import Array, asarray_like, namespace, require_finite, require_shape, to_numpy

__all__ = ["AdditiveNoise", "EntryNoise", "FactorNoise", "NoNoise", "SignOrNormalStream"]

LAWS = ("normal", "signs")
ENUMERABLE = 12  # 2^12 outcomes of one step are the most that is worth listing


class AdditiveNoise(ABC):
    """ξ as a linear function of `coefficients` independent standard coefficients."""

    law: str

    @abstractmethod
    def coefficients(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one draw, for parameters of this shape."""

    @abstractmethod
    def combine(self, draw: Array) -> Array:  # (..., *coefficients) -> (..., *shape)
        """ξ."""

    @abstractmethod
    def covariance(self, like: Array) -> SymmetricOperator:  # like: (*shape)
        """Σ for parameters like this one."""

    def require(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError when the noise does not fit parameters of this shape; any shape will do by default."""
        del shape

    def stream(self, shape: tuple[int, ...], batch: int, seed: int, first: int) -> SignOrNormalStream:
        """Its draws for runs first, ..., first + batch - 1."""
        return SignOrNormalStream(self.coefficients(shape), self.law, batch, seed, first)

    def all_draws(self, shape: tuple[int, ...]) -> np.ndarray | None:  # -> (N, *coefficients)
        """Every draw, all equally likely; None where they are infinitely many or more than 2^12."""
        sizes = self.coefficients(shape)
        k = prod(sizes)
        if k > ENUMERABLE or (self.law == "normal" and k > 0):
            return None
        bits = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
        return (2.0 * bits - 1.0).reshape(2**k, *sizes)


@dataclass(frozen=True)
class NoNoise(AdditiveNoise):
    """ξ = 0: the deterministic case of every stochastic theorem."""

    law: str = "signs"

    def coefficients(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (0,)

    def combine(self, draw: Array) -> Array:
        raise TypeError("there is nothing to combine: NoNoise adds nothing.")

    def covariance(self, like: Array) -> SymmetricOperator:
        return DiagonalOperator(namespace(like).zeros_like(like))


@dataclass(frozen=True, eq=False)
class EntryNoise(AdditiveNoise):
    """Independent entries. Raises ValueError for a scale that is negative or not finite, or an unknown law."""

    scale: np.ndarray | float = 1.0  # (*shape) or one number: standard deviations
    law: str = "normal"

    def __post_init__(self) -> None:
        _require_law(self.law)
        require_finite("scale", np.asarray(self.scale, dtype=np.float64))
        if np.any(np.asarray(self.scale) < 0):
            raise ValueError("scale holds standard deviations: none may be negative.")

    def require(self, shape: tuple[int, ...]) -> None:
        if np.ndim(self.scale) and np.shape(self.scale) != tuple(shape):
            raise ValueError(f"the noise's scale has shape {np.shape(self.scale)}, the parameter's is {tuple(shape)}.")

    def coefficients(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(shape)

    def combine(self, draw: Array) -> Array:
        return draw * (float(self.scale) if np.ndim(self.scale) == 0 else asarray_like(self.scale, draw))

    def covariance(self, like: Array) -> SymmetricOperator:
        deviation = np.broadcast_to(np.asarray(self.scale, dtype=np.float64), tuple(like.shape))
        return DiagonalOperator(asarray_like(np.array(deviation**2), like))


@dataclass(frozen=True, eq=False)
class FactorNoise(AdditiveNoise):
    """A combination of given directions. Raises ValueError for factors that are not finite or an unknown law."""

    factors: np.ndarray  # (r, *shape)
    law: str = "normal"

    def __post_init__(self) -> None:
        _require_law(self.law)
        object.__setattr__(self, "factors", np.asarray(to_numpy(self.factors), dtype=np.float64))
        require_finite("factors", self.factors)

    def require(self, shape: tuple[int, ...]) -> None:
        require_shape("factors", self.factors, tuple(shape))
        if self.factors.ndim != len(shape) + 1:
            raise ValueError(f"factors must be (r, *{tuple(shape)}), got {self.factors.shape}.")

    def coefficients(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (len(self.factors),)

    def combine(self, draw: Array) -> Array:
        xp, (r, *shape) = namespace(draw), self.factors.shape
        flat = draw @ asarray_like(self.factors.reshape(r, -1), draw)
        return xp.reshape(flat, (*draw.shape[:-1], *shape))

    def covariance(self, like: Array) -> SymmetricOperator:
        return GramOperator(asarray_like(self.factors, like))


class SignOrNormalStream:
    """Independent standard coefficients, each run from a generator of its own."""

    def __init__(self, shape: tuple[int, ...], law: str, batch: int, seed: int, first: int) -> None:
        if batch < 1 or seed < 0 or first < 0:
            raise ValueError(f"batch must be >= 1, seed and first >= 0, got {batch}, {seed}, {first}.")
        self._shape, self._signs = shape, law == "signs"
        self._generators = [
            np.random.default_rng(np.random.SeedSequence([seed, element])) for element in range(first, first + batch)
        ]

    def draw(self, steps: int) -> np.ndarray:  # -> (steps, batch, *coefficients)
        """The next steps: the same numbers however the calls are divided."""
        return np.stack([self._of(rng, (steps, *self._shape)) for rng in self._generators], axis=1)

    def _of(self, rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
        if self._signs:
            return np.where(rng.random(size) < 0.5, -1.0, 1.0)
        return rng.standard_normal(size)


def _require_law(law: str) -> None:
    if law not in LAWS:
        raise ValueError(f"law must be one of {LAWS}, got {law!r}.")
