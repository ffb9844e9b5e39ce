r"""A quadratic with any symmetric Hessian: full, diagonal, Kronecker, of low rank, or indefinite.

.. math:: f(x) = c + \tfrac12 \langle x - x^*,\, A (x - x^*)\rangle, \qquad \nabla f(x) = A (x - x^*), \qquad
          g(x, \omega) = \nabla f(x) + \xi(\omega) .

For :math:`A \not\succeq 0` the function is not convex and not bounded below; :math:`-H \preceq A \preceq H` is then two
inequalities, and the envelope is (A, -A).

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Self

import numpy as np

from problems.operators import DenseOperator, DiagonalOperator, GramOperator, KroneckerOperator, SymmetricOperator
from problems.operators.negated import NegatedOperator, absolute_value
from problems.smooth.additive import AdditiveProblem
from problems.smooth.base import Minimum
from problems.smooth.noise import AdditiveNoise, EntryNoise, FactorNoise, NoNoise
from structures.arrays import Array, asarray_like, require_finite, require_shape, to_numpy

__all__ = ["SmoothQuadratic"]


@dataclass(frozen=True, eq=False, repr=False)
class SmoothQuadratic(AdditiveProblem):
    """½<x − x*, A(x − x*)> + c. Raises ValueError when A, x* and the noise do not belong together."""

    hessian: SymmetricOperator
    centre: Array  # (*shape) x*, where ∇f = 0
    noise_model: AdditiveNoise = field(default_factory=NoNoise)
    offset: float = 0.0

    def __post_init__(self) -> None:
        require_finite("centre", self.centre)
        if tuple(self.centre.shape) != self.hessian.shape:
            raise ValueError(f"centre has shape {tuple(self.centre.shape)}, the Hessian is for {self.hessian.shape}.")
        self.noise_model.require(self.shape)

    @classmethod
    def examples(cls) -> list[Self]:
        rng = np.random.default_rng(4)
        root = rng.standard_normal((4, 4))
        left, right = (q @ q.T for q in (rng.standard_normal((2, 2)), rng.standard_normal((3, 3))))
        low_rank, plane = GramOperator(rng.standard_normal((2, 5))), rng.standard_normal((2, 3))
        return [
            cls(DenseOperator(root @ root.T, (4,)), rng.standard_normal(4), EntryNoise(0.5)),
            cls(DiagonalOperator(np.array([[1e-6, 1.0], [0.0, 3.0]])), np.ones((2, 2)), EntryNoise(2.0, "signs")),
            cls(KroneckerOperator(left, right, (2, 3)), plane, FactorNoise(plane[None], "signs"), offset=2.0),
            cls(low_rank, rng.standard_normal(5)),
            cls(DenseOperator(root + root.T, (2, 2)), np.zeros((2, 2)), EntryNoise(0.1)),
        ]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.hessian.shape

    @property
    def _parameter(self) -> Array:
        return self.centre

    @property
    def convex(self) -> bool:
        return self.hessian.psd

    def beside(self, x: Array) -> Self:
        centre = asarray_like(to_numpy(self.centre), x)
        return type(self)(self.hessian.beside(x), centre, self.noise_model, self.offset)

    def value(self, x: Array) -> Array:
        require_shape("x", x, self.shape)
        return 0.5 * self.hessian.quadratic(x - self.centre) + self.offset

    def gradient(self, x: Array) -> Array:
        require_shape("x", x, self.shape)
        return self.hessian.apply(x - self.centre)

    def hessian_product(self, x: Array, v: Array) -> Array:
        require_shape("x", x, self.shape)
        return self.hessian.apply(v + 0.0 * x)  # x broadcasts the batch, and says nothing else

    @property
    def curvature(self) -> SymmetricOperator:
        """A, or |A| when it is indefinite."""
        return self.hessian if self.convex else absolute_value(self.hessian)

    @property
    def envelope(self) -> tuple[SymmetricOperator, ...]:
        return (self.hessian,) if self.convex else (self.hessian, NegatedOperator(self.hessian))

    @property
    def curvature_point(self) -> Array:
        return self.centre

    @property
    def minimum(self) -> Minimum:
        return Minimum(self.offset, self.offset) if self.convex else Minimum(-inf, -inf)

    @property
    def solution(self) -> Array | None:
        return self.centre if self.convex else None
