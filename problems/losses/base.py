r"""What a loss is: a convex function for each sample, and the weighted sums of them that comparators minimise.

.. math::
    f_i(x), \quad i = 0, \dots, n - 1; \qquad F_w(x) = \textstyle\sum_i w_i f_i(x), \quad w_i \ge 0 .

A stream of a regret game plays :math:`f_{i_t}` at step t; the sum over its first T steps is :math:`F_w` with
:math:`w_i` the number of times that sample i came up (`prefix_counts`), so that a comparator for any horizon costs one pass over
the data and not one over the history.

Data are arrays of one namespace; `beside` moves them to a parameter's namespace, dtype and device once, before a game.

Source: derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np

from structures.arrays import Array, namespace, require_shape

__all__ = ["Loss", "Objective", "WeightedSum", "prefix_counts"]


class Objective(Protocol):
    """A convex function with a Lipschitz gradient: what `problems.comparator` minimises."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the parameter."""
        ...

    @property
    def smoothness(self) -> Array | float:  # (...)
        """An upper bound of the largest Hessian eigenvalue over the whole space."""
        ...

    def value(self, x: Array) -> Array:  # (..., *shape) -> (...)
        """f(x)."""
        ...

    def gradient(self, x: Array) -> Array:  # (..., *shape) -> (..., *shape)
        """∇f(x)."""
        ...


class Loss(ABC):
    """A finite family of convex losses of one parameter."""

    @classmethod
    def examples(cls) -> list[Self]:
        """Small instances for the law suite."""
        return []

    def __repr__(self) -> str:
        return f"{type(self).__name__}(samples={self.samples}, shape={self.shape})"

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of the parameter."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """n, the number of losses."""

    @property
    @abstractmethod
    def lipschitz(self) -> Array:  # (n,)
        """sup over the whole space of ‖∇f_i‖₂; inf where there is none."""

    @property
    @abstractmethod
    def smoothness(self) -> Array:  # (n,)
        """An upper bound of the largest Hessian eigenvalue of f_i over the whole space."""

    @abstractmethod
    def beside(self, x: Array) -> Self:
        """The same loss with its data in the namespace, dtype and device of `x`."""

    @abstractmethod
    def value(self, x: Array, i: Array) -> Array:  # (..., *shape), (...) int -> (...)
        """f_i(x), one sample index for each batch element."""

    @abstractmethod
    def gradient(self, x: Array, i: Array) -> Array:  # (..., *shape), (...) int -> (..., *shape)
        """∇f_i(x)."""

    @abstractmethod
    def weighted_value(self, x: Array, weights: Array) -> Array:  # (..., *shape), (..., n) -> (...)
        """F_w(x)."""

    @abstractmethod
    def weighted_gradient(self, x: Array, weights: Array) -> Array:  # (..., *shape), (..., n) -> (..., *shape)
        """∇F_w(x)."""

    @abstractmethod
    def weighted_smoothness(self, weights: Array) -> Array:  # (..., n) -> (...)
        """An upper bound of the largest Hessian eigenvalue of F_w."""

    def total(self, weights: Array) -> WeightedSum:  # (..., n) nonnegative
        """F_w as an `Objective`; `weights` are the counts of `prefix_counts`, or ones for the whole data set."""
        return WeightedSum(self, weights)


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """F_w = Σ_i w_i f_i; raises ValueError for a negative weight, with which it would not be convex."""

    loss: Loss
    weights: Array = field(repr=False)  # (..., n)

    def __post_init__(self) -> None:
        require_shape("weights", self.weights, (self.loss.samples,))
        if bool(namespace(self.weights).any(self.weights < 0)):
            raise ValueError("weights must be nonnegative: a negative multiple of a convex loss is not convex.")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.loss.shape

    @property
    def smoothness(self) -> Array:
        return self.loss.weighted_smoothness(self.weights)

    def value(self, x: Array) -> Array:
        return self.loss.weighted_value(x, self.weights)

    def gradient(self, x: Array) -> Array:
        return self.loss.weighted_gradient(x, self.weights)


def prefix_counts(
    order: np.ndarray,  # (T, B) int, the sample that each batch element met at each step
    horizons: Sequence[int],  # increasing numbers of steps, each at most T
    samples: int,
) -> np.ndarray:  # (len(horizons), B, samples)
    """How often each sample came up in the first h steps, for every h of `horizons`.

    Raises ValueError for horizons that do not increase within 0..T, or an index outside 0..samples-1.
    """
    order = np.asarray(order)
    marks = [0, *horizons]
    if any(b < a for a, b in zip(marks, marks[1:], strict=False)) or marks[-1] > order.shape[0]:
        raise ValueError(f"horizons must increase and lie within 0..{order.shape[0]}, got {list(horizons)}.")
    if order.size and not (order.min() >= 0 and order.max() < samples):
        raise ValueError(f"sample indices must lie in 0..{samples - 1}, got {order.min()}..{order.max()}.")
    pieces = [order[a:b] for a, b in zip(marks, horizons, strict=False)]
    added = [np.stack([np.bincount(column, minlength=samples) for column in piece.T]) for piece in pieces]
    return np.cumsum(np.stack(added), axis=0)
