r"""Losses of one linear score, :math:`f_i(x) = \varphi(\langle a_i, x \rangle;\, b_i)` with φ convex in its first argument.

.. math::
    \nabla f_i(x) = \varphi'(z_i)\, a_i, \qquad
    \|\nabla f_i\| \le \sup|\varphi'|\,\|a_i\|, \qquad
    0 \preceq \nabla^2 f_i \preceq \sup \varphi''\, a_i a_i^\top .

A loss is then φ, its derivative and two suprema: logistic, least squares and linear losses are a few lines each.

Source: derived here.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Self

from problems.losses.base import Loss
from problems.losses.data import largest_eigenvalue, rows
from structures.arrays import Array, asarray_like, namespace, require_finite, require_shape

__all__ = ["LinearPredictor"]


@dataclass(frozen=True, eq=False, repr=False)
class LinearPredictor(Loss):
    """φ(<a_i, x>; b_i). Raises ValueError when features and targets are not finite or do not belong together."""

    features: Array  # (n, *shape)
    targets: Array  # (n,)

    slope_bound: ClassVar[float]  # sup |φ'|
    curvature_bound: ClassVar[float]  # sup φ''

    def __post_init__(self) -> None:
        require_finite("features", self.features)
        require_finite("targets", self.targets)
        if self.features.ndim < 2:
            raise ValueError(f"features must be (samples, *shape), got shape {tuple(self.features.shape)}.")
        require_shape("targets", self.targets, (self.features.shape[0],))

    @abstractmethod
    def phi(self, z: Array, b: Array) -> Array:
        """φ(z; b), elementwise."""

    @abstractmethod
    def slope(self, z: Array, b: Array) -> Array:
        """φ'(z; b), elementwise."""

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.features.shape[1:])

    @property
    def samples(self) -> int:
        return self.features.shape[0]

    @property
    def lipschitz(self) -> Array:
        xp = namespace(self.features)
        if self.slope_bound == float("inf"):
            return xp.full_like(self.targets, self.slope_bound)
        return self.slope_bound * xp.linalg.vector_norm(self._rows, axis=1)

    @property
    def smoothness(self) -> Array:
        return self.curvature_bound * namespace(self.features).sum(self._rows * self._rows, axis=1)

    def beside(self, x: Array) -> Self:
        return replace(self, features=asarray_like(self.features, x), targets=asarray_like(self.targets, x))

    def value(self, x: Array, i: Array) -> Array:
        return self.phi(self._scores(x, i), rows(self.targets, i))

    def gradient(self, x: Array, i: Array) -> Array:
        slope = self.slope(self._scores(x, i), rows(self.targets, i))
        return namespace(x).reshape(slope[..., None] * rows(self._rows, i), x.shape)

    def weighted_value(self, x: Array, weights: Array) -> Array:
        return namespace(x).sum(weights * self.phi(self._all_scores(x), self.targets), axis=-1)

    def weighted_gradient(self, x: Array, weights: Array) -> Array:
        combined = (weights * self.slope(self._all_scores(x), self.targets)) @ self._rows
        return namespace(x).reshape(combined, (*combined.shape[:-1], *self.shape))

    def weighted_smoothness(self, weights: Array) -> Array:
        return self.curvature_bound * largest_eigenvalue(self._rows, weights)

    @property
    def _rows(self) -> Array:  # (n, d)
        return namespace(self.features).reshape(self.features, (self.samples, prod(self.shape)))

    def _flat(self, x: Array) -> Array:  # (..., *shape) -> (..., d)
        require_shape("x", x, self.shape)
        return namespace(x).reshape(x, (*x.shape[: x.ndim - len(self.shape)], prod(self.shape)))

    def _scores(self, x: Array, i: Array) -> Array:  # (...)
        return namespace(x).sum(rows(self._rows, i) * self._flat(x), axis=-1)

    def _all_scores(self, x: Array) -> Array:  # (..., n)
        # A matrix product with a vector on the left broadcasts over the batch in every namespace.
        return self._flat(x) @ namespace(x).matrix_transpose(self._rows)
