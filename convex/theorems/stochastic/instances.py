r"""Functions that the theorems on adaptive methods are tried on: corners, waves, rotated and matrix quadratics, tiny data sets.

.. math::
    \text{corner:}\quad \sum_i s_i h_\delta(x_i), \; h_\delta(t) = \begin{cases} t^2/2\delta & |t| \le \delta \\
    |t| - \delta/2 & \text{else} \end{cases}
    \qquad \text{waves:}\quad \sum_i s_i (1 - \cos x_i)

A corner is a straight line with as much curvature as the theorem is told, none of which is met on the way: there the
terms of the damping are sharp. Waves are smooth and not convex.

Source: derived here (docs/proofs/stochastic.md#near-tight).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from problems.composite import Composite
from problems.losses import LeastSquares, Logistic
from problems.matrix_quadratic import MatrixQuadratic
from problems.operators import DenseOperator, DiagonalOperator
from problems.penalties import SquaredL2
from problems.smooth import FactorNoise, FiniteSum, Minimum, SmoothMatrixQuadratic, SmoothQuadratic
from problems.smooth.additive import AdditiveProblem
from problems.smooth.noise import AdditiveNoise, NoNoise
from structures.arrays import Array, asarray_like, namespace, to_numpy

__all__ = ["Corner", "Waves", "line_noise", "logistic", "matrix", "rows", "rotated"]


@dataclass(frozen=True, eq=False, repr=False)
class Separable(AdditiveProblem):
    """A sum over the entries of the parameter; subclasses write the entry's function."""

    slope: Array  # (*shape) s > 0
    noise_model: AdditiveNoise = field(default_factory=NoNoise)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.slope.shape)

    @property
    def _parameter(self) -> Array:
        return self.slope

    def beside(self, x: Array) -> Self:
        fields = {**vars(self), "slope": asarray_like(to_numpy(self.slope), x)}
        return type(self)(**fields)

    def summed(self, entries: Array) -> Array:  # (..., *shape) -> (...)
        """Σ s_i entry_i."""
        return namespace(entries).sum(self.slope * entries, axis=tuple(range(-len(self.shape), 0)))

    @property
    def minimum(self) -> Minimum:
        return Minimum(0.0, 0.0)

    @property
    def solution(self) -> Array:
        return namespace(self.slope).zeros_like(self.slope)

    @property
    def curvature_point(self) -> Array:
        return self.solution


@dataclass(frozen=True, eq=False, repr=False)
class Corner(Separable):
    """Σ s_i h_δ(x_i): slopes ±s_i outside of |x_i| ≤ δ, curvature s_i/δ inside."""

    width: float = 0.1  # δ

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        size = xp.abs(x)
        return self.summed(xp.where(size <= self.width, x * x / (2.0 * self.width), size - self.width / 2.0))

    def gradient(self, x: Array) -> Array:
        return self.slope * namespace(x).clip(x / self.width, -1.0, 1.0)

    def hessian_product(self, x: Array, v: Array) -> Array:
        xp = namespace(x)
        inside = xp.astype(xp.abs(x) <= self.width, x.dtype)
        return inside * self.slope / self.width * v

    @property
    def curvature(self) -> DiagonalOperator:
        return DiagonalOperator(self.slope / self.width)


@dataclass(frozen=True, eq=False, repr=False)
class Waves(Separable):
    """Σ s_i (1 - cos x_i)."""

    @property
    def convex(self) -> bool:
        return False

    def value(self, x: Array) -> Array:
        return self.summed(2.0 * namespace(x).sin(x / 2.0) ** 2)

    def gradient(self, x: Array) -> Array:
        return self.slope * namespace(x).sin(x)

    def hessian_product(self, x: Array, v: Array) -> Array:
        return self.slope * namespace(x).cos(x) * v

    @property
    def curvature(self) -> DiagonalOperator:
        return DiagonalOperator(self.slope)


def line_noise(shape: tuple[int, ...], size: float, count: int = 1, seed: int = 0) -> FactorNoise:
    """± along `count` random directions: 2^count outcomes of a step."""
    directions = np.random.default_rng(seed).standard_normal((count, *shape))
    return FactorNoise(size * directions / np.sqrt(np.prod(shape)), "signs")


def matrix(shape: tuple[int, int], noise: AdditiveNoise, seed: int = 1, rotated: bool = False) -> SmoothMatrixQuadratic:
    """A matrix quadratic with eigenvalues 1, 1/2, 1/4, ... and a Gaussian minimiser."""
    rng = np.random.default_rng(seed)
    quadratic = MatrixQuadratic(0.5 ** np.arange(float(shape[0])), rng.standard_normal(shape))
    if rotated:
        quadratic = quadratic.rotated(np.linalg.qr(rng.standard_normal((shape[0],) * 2))[0])
    return SmoothMatrixQuadratic(quadratic, noise)


def rotated(shape: tuple[int, ...], noise: AdditiveNoise, seed: int = 2, condition: float = 100.0) -> SmoothQuadratic:
    """A quadratic whose Hessian is in no small structure."""
    rng, d = np.random.default_rng(seed), int(np.prod(shape))
    U = np.linalg.qr(rng.standard_normal((d, d)))[0]
    values = condition ** -np.linspace(0.0, 1.0, d)
    return SmoothQuadratic(DenseOperator((U * values) @ U.T, shape), rng.standard_normal(shape), noise)


def logistic(samples: int = 3, dim: int = 2, seed: int = 3) -> FiniteSum:
    """A tiny logistic regression with a ridge; a step draws one sample."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((samples, dim)) * np.exp(rng.standard_normal((samples, 1)))
    loss = Logistic(features, np.where(np.arange(samples) % 2 == 0, 1.0, -1.0))
    return FiniteSum(Composite(loss, SquaredL2(0.1)), sampling="uniform")


def rows(samples: int = 2, dim: int = 2, seed: int = 4) -> FiniteSum:
    """A tiny least-squares problem; a step draws one row by importance."""
    rng = np.random.default_rng(seed)
    return FiniteSum(
        Composite(LeastSquares(rng.standard_normal((samples, dim)), rng.standard_normal(samples))),
        sampling="importance",
    )
