r"""Softmax cross-entropy of a linear classifier with parameter :math:`X \in \mathbb R^{C \times p}`.

.. math::
    f_i(X) = \log \textstyle\sum_c e^{(X a_i)_c} - (X a_i)_{y_i}, \qquad
    \nabla f_i(X) = (\pi_i - e_{y_i})\, a_i^\top, \qquad
    \|\nabla f_i\|_F \le \sqrt2\, \|a_i\|, \qquad
    \nabla^2 f_i = (\operatorname{diag} \pi_i - \pi_i \pi_i^\top) \otimes a_i a_i^\top \preceq \tfrac12 I \otimes a_i a_i^\top ,

with :math:`\pi_i` the softmax of the scores :math:`X a_i`. The last bound: :math:`v^\top(\operatorname{diag}\pi - \pi\pi^\top) v`
is the variance of a variable with range at most :math:`\sqrt 2\,\|v\|`, hence at most :math:`\|v\|^2/2` (Popoviciu).

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from problems.domains import Domain
from problems.losses.curved import CurvedLoss
from problems.losses.data import largest_eigenvalue, require_floating, rows
from problems.operators import KroneckerOperator
from structures.arrays import Array, asarray_like, eye, namespace, require_finite, require_shape, to_numpy

__all__ = ["Softmax"]


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(CurvedLoss):
    """Cross-entropy; `targets` are one-hot rows, which `from_labels` makes from class numbers."""

    features: Array  # (n, p)
    targets: Array  # (n, C) one-hot

    def __post_init__(self) -> None:
        require_floating("features", self.features)
        require_floating("targets", self.targets)
        require_finite("features", self.features)
        require_finite("targets", self.targets)
        if self.features.ndim != 2 or self.targets.ndim != 2:
            raise ValueError(f"features and targets need two axes, got {self.features.shape}, {self.targets.shape}.")
        require_shape("features", self.features, (self.targets.shape[0], self.features.shape[1]))
        hot = to_numpy(self.targets)
        if not (np.all((hot == 0) | (hot == 1)) and np.all(hot.sum(axis=1) == 1)):
            raise ValueError("softmax targets must be one-hot rows: use Softmax.from_labels for class numbers.")

    @classmethod
    def examples(cls) -> list[Self]:
        rng = np.random.default_rng(2)
        return [cls.from_labels(rng.standard_normal((12, 4)), rng.integers(0, 3, 12), 3)]

    @classmethod
    def from_labels(cls, features: Array, labels: Any, classes: int) -> Self:
        """From class numbers 0..classes-1; raises ValueError for a label outside."""
        labels = np.asarray(to_numpy(labels), dtype=np.int64)
        if labels.size and not (labels.min() >= 0 and labels.max() < classes):
            raise ValueError(f"labels must lie in 0..{classes - 1}, got {labels.min()}..{labels.max()}.")
        return cls(features, asarray_like(np.eye(classes)[labels], features))

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, p)."""
        return (self.targets.shape[1], self.features.shape[1])

    @property
    def samples(self) -> int:
        return self.features.shape[0]

    @property
    def lipschitz(self) -> Array:
        return 2.0**0.5 * namespace(self.features).linalg.vector_norm(self.features, axis=1)

    @property
    def smoothness(self) -> Array:
        return 0.5 * namespace(self.features).sum(self.features * self.features, axis=1)

    def beside(self, x: Array) -> Self:
        return replace(self, features=asarray_like(self.features, x), targets=asarray_like(self.targets, x))

    def value(self, x: Array, i: Array) -> Array:
        return _cross_entropy(self._scores(x, i), rows(self.targets, i))

    def gradient(self, x: Array, i: Array) -> Array:
        error = _softmax(self._scores(x, i)) - rows(self.targets, i)
        return error[..., :, None] * rows(self.features, i)[..., None, :]

    def weighted_value(self, x: Array, weights: Array) -> Array:
        return namespace(x).sum(weights * _cross_entropy(self._all_scores(x), self.targets), axis=-1)

    def weighted_gradient(self, x: Array, weights: Array) -> Array:
        error = weights[..., None] * (_softmax(self._all_scores(x)) - self.targets)  # (..., n, C)
        return namespace(x).matrix_transpose(error) @ self.features

    def weighted_smoothness(self, weights: Array) -> Array:
        return 0.5 * largest_eigenvalue(self.features, weights)

    def weighted_hessian_product(self, x: Array, weights: Array, v: Array) -> Array:
        xp = namespace(x)
        share, moved = _softmax(self._all_scores(x)), self._all_scores(v)  # (..., n, C)
        centred = moved - xp.sum(share * moved, axis=-1, keepdims=True)
        return xp.matrix_transpose(weights[..., None] * share * centred) @ self.features

    def weighted_curvature(self, weights: Array) -> KroneckerOperator:
        r"""½ (I − 11ᵀ/C) ⊗ Σ w a aᵀ: the covariance of π ignores 1, and is at most ½ elsewhere (Böhning's bound)."""
        return self._centred(0.5, weights)

    def curvature_point(self, weights: Array) -> Array | None:
        """0 for two classes, where diag π − ππᵀ at π = (½, ½) is the bound itself; none for more."""
        xp = namespace(self.features)
        if self.targets.shape[1] != 2:
            return None
        return xp.zeros(self.shape, dtype=self.features.dtype, device=self.features.device)

    def weighted_slope_moment(self, weights: Array, domain: Domain | None) -> KroneckerOperator:
        """2 (I − 11ᵀ/C) ⊗ Σ w a aᵀ: π − e_y is orthogonal to 1 and its square is at most 2, in every domain."""
        return self._centred(2.0, weights)

    def _centred(self, factor: float, weights: Array) -> KroneckerOperator:
        """c (I − 11ᵀ/C) ⊗ Σ w a aᵀ."""
        C = self.targets.shape[1]
        right = (namespace(weights).matrix_transpose(self.features) * weights) @ self.features
        return KroneckerOperator(factor * (eye(C, self.features) - 1.0 / C), right, (C, self.features.shape[1]))

    def _scores(self, x: Array, i: Array) -> Array:  # (..., C)
        require_shape("x", x, self.shape)
        return (x @ rows(self.features, i)[..., None])[..., 0]

    def _all_scores(self, x: Array) -> Array:  # (..., n, C)
        require_shape("x", x, self.shape)
        return self.features @ namespace(x).matrix_transpose(x)


def _cross_entropy(scores: Array, target: Array) -> Array:  # (..., C), (..., C) -> (...)
    """log Σ exp(scores) minus the target's score, shifted by the largest so that nothing overflows."""
    xp = namespace(scores)
    top = xp.max(scores, axis=-1, keepdims=True)
    return xp.log(xp.sum(xp.exp(scores - top), axis=-1)) - xp.sum(target * (scores - top), axis=-1)


def _softmax(scores: Array) -> Array:  # (..., C)
    """exp(scores), normalised to sum 1."""
    xp = namespace(scores)
    powers = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
    return powers / xp.sum(powers, axis=-1, keepdims=True)
