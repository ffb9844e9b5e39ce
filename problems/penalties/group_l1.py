r"""The group lasso, :math:`R(x) = \lambda \sum_g w_g \|x_g\|_2` over disjoint groups of coordinates.

.. math::
    \operatorname{prox}_{\eta R}(v)_g = \Bigl(1 - \frac{\eta\lambda w_g}{\|v_g\|_2}\Bigr)_+ v_g, \qquad
    R^*(s) = I\{\|s_g\|_2 \le \lambda w_g \text{ for all } g\}.

Yuan and Lin take :math:`w_g` the square root of the group's size; here it is 1 unless it is given.

Source: Yuan and Lin 2006, remembered; derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from problems.penalties.base import Penalty, require_nonnegative
from problems.penalties.shrinkage import excess, zero_or_inf
from structures.arrays import Array, asarray_like, namespace

__all__ = ["GroupL1"]


@dataclass(frozen=True)
class GroupL1(Penalty):
    """lam · Σ_g w_g ‖x_g‖₂.

    Raises ValueError for a negative weight, labels that are not 0, 1, ..., or as many labels as there are no coordinates.
    """

    lam: float
    groups: Sequence[int]  # (d,) the group of each coordinate of the flattened parameter, 0, 1, ..., none left out
    weights: Sequence[float] | None = None  # w_g, one for each group; None is 1

    def __post_init__(self) -> None:
        require_nonnegative("the weight lam of GroupL1", self.lam)
        labels = tuple(int(g) for g in self.groups)
        if not labels or set(labels) != set(range(max(labels) + 1)):
            raise ValueError(f"groups must name the group of each coordinate, 0, 1, ... without gaps, got {labels}.")
        weights = None if self.weights is None else tuple(float(w) for w in self.weights)
        if weights is not None and len(weights) != max(labels) + 1:
            raise ValueError(f"GroupL1 has {max(labels) + 1} groups, but {len(weights)} weights.")
        for weight in weights or ():
            require_nonnegative("a weight of GroupL1", weight)
        if self.shape is not None and prod(self.shape) != len(labels):
            raise ValueError(
                f"GroupL1 names {len(labels)} coordinates, but the shape {self.shape} has {prod(self.shape)}."
            )
        object.__setattr__(self, "groups", labels)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Penalty]:
        labels = tuple(j % 2 for j in range(prod(shape)))
        weights = tuple(0.5 + g for g in range(max(labels) + 1))
        return [cls(0.4, labels, shape=shape), cls(0.4, labels, weights, shape=shape)]

    def flat_value(self, x: Array) -> Array:
        return namespace(x).sum(self._thresholds(x) * self._norms(x), axis=-1)

    def flat_prox(self, v: Array, step: Array | float) -> Array:
        xp, norms = namespace(v), self._norms(v)
        kept = excess(norms, step * self._thresholds(v)) / xp.where(norms > 0, norms, xp.ones_like(norms))
        return v * (kept @ xp.matrix_transpose(self._membership(v)))

    def flat_conjugate(self, s: Array) -> Array:
        return zero_or_inf(namespace(s).all(self._norms(s) <= self._thresholds(s), axis=-1), s)

    def _norms(self, x: Array) -> Array:  # (..., d) -> (..., groups)
        """‖x_g‖₂, scaled by the largest entry so that no square overflows."""
        xp = namespace(x)
        scale = xp.max(xp.abs(x), axis=-1, keepdims=True)
        unit = x / xp.where(scale > 0, scale, xp.ones_like(scale))
        return scale * xp.sqrt((unit * unit) @ self._membership(x))

    def _thresholds(self, x: Array) -> Array:  # (groups,)
        return asarray_like(self.lam * np.asarray(self.weights or (1.0,) * (max(self.groups) + 1)), x)

    def _membership(self, x: Array) -> Array:  # (d, groups) of 0 and 1
        if x.shape[-1] != len(self.groups):
            raise ValueError(f"GroupL1 names {len(self.groups)} coordinates, but the parameter has {x.shape[-1]}.")
        return asarray_like(self._host_membership, x)

    @cached_property
    def _host_membership(self) -> np.ndarray:
        return np.eye(max(self.groups) + 1)[np.asarray(self.groups)]
