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

from problems.domains import Domain
from problems.losses.curved import CurvedLoss
from problems.losses.data import largest_eigenvalue, require_floating, rows
from problems.operators import GramOperator
from structures.arrays import Array, asarray_like, namespace, require_finite, require_shape

__all__ = ["LinearPredictor"]


@dataclass(frozen=True, eq=False, repr=False)
class LinearPredictor(CurvedLoss):
    """φ(<a_i, x>; b_i). Raises ValueError when features and targets are not finite or do not belong together."""

    features: Array  # (n, *shape)
    targets: Array  # (n,)

    slope_bound: ClassVar[float]  # sup |φ'|
    curvature_bound: ClassVar[float]  # sup φ''

    def __post_init__(self) -> None:
        require_floating("features", self.features)
        require_floating("targets", self.targets)
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

    def bend(self, z: Array, b: Array) -> Array:
        """φ''(z; b), elementwise; raises NotImplementedError for a loss that has none to offer."""
        raise NotImplementedError(f"{type(self).__name__} declares no second derivative: write `bend`.")

    def conjugate(self, s: Array, b: Array) -> Array:
        """φ*(s; b) = sup_z s z − φ(z; b), elementwise, inf outside its domain; raises NotImplementedError without one."""
        raise NotImplementedError(f"{type(self).__name__} declares no conjugate: write `conjugate`.")

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

    def scores(self, x: Array) -> Array:  # (..., *shape) -> (..., n)
        """<a_i, x> for every sample."""
        return self._all_scores(x)

    def combine(self, coefficients: Array) -> Array:  # (..., n) -> (..., *shape)
        """Σ_i c_i a_i."""
        combined = coefficients @ self._rows
        return namespace(combined).reshape(combined, (*combined.shape[:-1], *self.shape))

    def weighted_hessian_product(self, x: Array, weights: Array, v: Array) -> Array:
        bent = self.bend(self.scores(x), self.targets)
        return self.combine(weights * bent * self.scores(v))

    def squares(self, weights: Array) -> GramOperator:  # (n,)
        """Σ_i w_i a_i a_iᵀ."""
        roots = namespace(weights).sqrt(weights)
        return GramOperator(namespace(weights).reshape(roots[:, None] * self._rows, self.features.shape))

    def weighted_curvature(self, weights: Array) -> GramOperator:
        return self.squares(self.curvature_bound * weights)

    def curvature_point(self, weights: Array) -> Array | None:
        """0, when φ'' is at its supremum there for every sample of positive weight."""
        xp = namespace(self.features)
        origin = xp.zeros(self.shape, dtype=self.features.dtype, device=self.features.device)
        bent = self.bend(self.scores(origin), self.targets)
        return origin if bool(xp.all((bent == self.curvature_bound) | (weights == 0))) else None

    def slope_bounds(self, domain: Domain | None) -> Array | None:  # -> (n,)
        """sup over the domain of |φ'(<a_i, x>; b_i)|: φ' is monotone, so it is reached at an end of the range of scores."""
        xp = namespace(self.features)
        if domain is None:
            return None if self.slope_bound == float("inf") else xp.full_like(self.targets, self.slope_bound)
        bound = domain.on(self.shape)
        high, low = bound.support(self.features), -bound.support(-self.features)
        ends = (self.slope(high, self.targets), self.slope(low, self.targets))
        return xp.maximum(xp.abs(ends[0]), xp.abs(ends[1]))

    def weighted_slope_moment(self, weights: Array, domain: Domain | None) -> GramOperator | None:
        bounds = self.slope_bounds(domain)
        return None if bounds is None else self.squares(weights * bounds * bounds)

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
