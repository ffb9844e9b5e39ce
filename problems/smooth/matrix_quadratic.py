r"""The matrix quadratic as a smooth stochastic problem.

.. math:: f(X) = \operatorname{Tr}\,(X - X^*)^\top H_s (X - X^*), \qquad \nabla^2 f = 2 H_s \otimes I_n = A, \qquad
          g(X, \omega) = 2 H_s (X - X^*) + \xi(\omega) .

The function itself is `problems.matrix_quadratic.MatrixQuadratic`, which keeps the digits of values near 0.

Source: Xie et al. 2025, arXiv 2503.10537.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from problems.matrix_quadratic import MatrixQuadratic, gaussian_matrix_quadratic
from problems.operators import KroneckerOperator
from problems.smooth.additive import AdditiveProblem
from problems.smooth.base import Minimum
from problems.smooth.noise import AdditiveNoise, EntryNoise, NoNoise
from structures.arrays import Array, asarray_like, require_shape, to_numpy

__all__ = ["SmoothMatrixQuadratic"]


@dataclass(frozen=True, eq=False, repr=False)
class SmoothMatrixQuadratic(AdditiveProblem):
    """A `MatrixQuadratic` with noise on its gradient; its minimum is 0, at X*. Raises ValueError when they do not fit."""

    quadratic: MatrixQuadratic
    noise_model: AdditiveNoise = field(default_factory=NoNoise)

    def __post_init__(self) -> None:
        self.noise_model.require(self.shape)

    @classmethod
    def examples(cls) -> list[Self]:
        narrow = MatrixQuadratic(np.array([2.0, 0.5, 0.0]), np.array([[1.0, -1.0], [0.5, 2.0], [3.0, 0.0]]))
        return [cls(narrow, EntryNoise(0.3, "signs")), cls(gaussian_matrix_quadratic(3, rotated=True))]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.quadratic.shape

    @property
    def _parameter(self) -> Array:
        return self.quadratic.solution

    def beside(self, x: Array) -> Self:
        q = self.quadratic
        spectrum, solution = asarray_like(to_numpy(q.spectrum), x), asarray_like(to_numpy(q.solution), x)
        basis = None if q.basis is None else asarray_like(to_numpy(q.basis), x)
        return type(self)(MatrixQuadratic(spectrum, solution, basis), self.noise_model)

    def value(self, x: Array) -> Array:
        return self.quadratic.value(x)

    def gradient(self, x: Array) -> Array:
        return self.quadratic.gradient(x)

    def hessian_product(self, x: Array, v: Array) -> Array:
        require_shape("x", x, self.shape)
        return self.curvature.apply(v + 0.0 * x)  # x broadcasts the batch, and says nothing else

    @property
    def curvature(self) -> KroneckerOperator:
        """2 Hs ⊗ I."""
        m, n = self.quadratic.shape
        return KroneckerOperator(2.0 * self.quadratic.curvature, None, (m, n))

    @property
    def curvature_point(self) -> Array:
        return self.quadratic.solution

    @property
    def minimum(self) -> Minimum:
        return Minimum(0.0, 0.0)

    @property
    def solution(self) -> Array:
        return self.quadratic.solution
