r"""What a penalty is: a convex function that is simple, so that its proximal point and its conjugate have closed forms.

.. math::
    \operatorname{prox}_{\eta R}(v) = \operatorname*{argmin}_u R(u) + \tfrac{1}{2\eta}\|u - v\|_2^2, \qquad
    R^*(s) = \sup_u \langle s, u\rangle - R(u), \qquad
    v = \operatorname{prox}_{\eta R}(v) + \eta\operatorname{prox}_{R^*/\eta}(v/\eta).

A penalty does not know the parameter's shape until `on` tells it; before that the last axis is the parameter. A new penalty
writes `flat_value`, `flat_prox` and `flat_conjugate` on flattened parameters.

Source: Parikh and Boyd 2014, remembered; derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, prod
from typing import Self

import numpy as np

from structures.arrays import Array, namespace, positive_sizes, require_shape

__all__ = ["Penalty", "require_nonnegative"]

NUMBER = int | float | np.floating | np.integer


@dataclass(frozen=True)
class Penalty(ABC):
    """A proper closed convex function R of one parameter."""

    shape: tuple[int, ...] | None = field(default=None, kw_only=True)  # of the parameter; None: the last axis

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Penalty]:
        """Instances for parameters of this shape, for the law suite."""
        return []

    def on(self, shape: Sequence[int]) -> Self:
        """The same penalty for parameters of a given shape; raises ValueError when it does not fit."""
        sizes = positive_sizes(type(self).__name__, shape)
        return self if sizes == self.shape else replace(self, shape=sizes)

    # --- what a penalty writes, on flattened parameters -----------------------------------------------------------------

    @property
    def strong_convexity(self) -> float:
        """The largest μ ≥ 0 that is known for which R - (μ/2)‖·‖² is convex."""
        return 0.0

    @abstractmethod
    def flat_value(self, x: Array) -> Array:  # (..., d) -> (...)
        """R(x)."""

    @abstractmethod
    def flat_prox(self, v: Array, step: Array | float) -> Array:  # (..., d), positive float or (..., 1) -> (..., d)
        """The proximal point of step · R."""

    @abstractmethod
    def flat_conjugate(self, s: Array) -> Array:  # (..., d) -> (...)
        """R*(s)."""

    # --- what everybody calls -------------------------------------------------------------------------------------------

    def value(self, x: Array) -> Array:  # (..., *shape) -> (...)
        """R(x), inf outside of its domain."""
        return self.flat_value(self._flat("x", x))

    def prox(self, v: Array, step: Array | float) -> Array:  # (..., *shape), float or (...) -> (..., *shape)
        """argmin R(u) + ‖u - v‖²/(2 step). Raises ValueError unless every step is positive and finite."""
        flat = self._flat("v", v)
        return namespace(v).reshape(self.flat_prox(flat, _positive(step)), v.shape)

    def conjugate(self, s: Array) -> Array:  # (..., *shape) -> (...)
        """R*(s), inf where it is; nothing is forgiven for rounding, so shrink s first where it should be feasible."""
        return self.flat_conjugate(self._flat("s", s))

    def _flat(self, name: str, x: Array) -> Array:  # (..., *shape) -> (..., d)
        if self.shape is None:
            if x.ndim == 0:
                raise ValueError(f"{name} is a number; {type(self).__name__} needs at least one axis.")
            return x
        require_shape(name, x, self.shape)
        if len(self.shape) == 1:
            return x
        return namespace(x).reshape(x, (*x.shape[: x.ndim - len(self.shape)], prod(self.shape)))


def require_nonnegative(name: str, value: float) -> None:
    """Raise ValueError unless `value` is a finite number ≥ 0."""
    if not (isinstance(value, NUMBER) and isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}.")


def _positive(step: Array | float) -> Array | float:
    """A float as it is, an array (...) with an axis for the parameter."""
    if isinstance(step, NUMBER):
        if not (isfinite(step) and step > 0):
            raise ValueError(f"the step of a proximal point must be positive and finite, got {step!r}.")
        return float(step)
    xp = namespace(step)
    if not bool(xp.all((step > 0) & xp.isfinite(step))):
        raise ValueError("every step of a proximal point must be positive and finite.")
    return step[..., None]
