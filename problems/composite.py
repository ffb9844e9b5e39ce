r"""A composite objective: the weighted mean of a loss's samples plus a simple penalty.

.. math::
    P(x) = F(x) + R(x), \qquad F = \sum_i p_i f_i = \frac1n \sum_i F_i, \quad F_i = n p_i f_i, \qquad
    p_i = w_i / \textstyle\sum_j w_j .

:math:`F_i` is :math:`L_i`-smooth with :math:`L_i = n p_i\,\mathrm{smoothness}_i`; solvers need the mean
:math:`\bar L = \frac1n\sum_i L_i` and the smoothness :math:`L_F \le \bar L` of F itself.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from problems.losses.base import Loss
from problems.losses.data import rows
from problems.penalties.base import Penalty
from problems.penalties.zero import ZeroPenalty
from structures.arrays import Array, asarray_like, namespace, require_finite, to_numpy

__all__ = ["Composite"]


@dataclass(frozen=True, eq=False)
class Composite:
    """P = Σ_i p_i f_i + R. Raises ValueError for weights that are not (n,), finite, nonnegative and of positive sum."""

    loss: Loss
    penalty: Penalty = field(default_factory=ZeroPenalty)
    weights: Array | None = field(default=None, repr=False)  # (n,) w_i, not normalised; None is 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "penalty", self.penalty.on(self.loss.shape))
        if self.weights is None:
            return
        weights = to_numpy(self.weights)
        if weights.shape != (self.loss.samples,):
            raise ValueError(
                f"weights must have shape ({self.loss.samples},), one for each sample, got {weights.shape}."
            )
        require_finite("weights", weights)
        if not (np.all(weights >= 0) and np.any(weights > 0)):
            raise ValueError("weights must be nonnegative and not all zero.")

    @property
    def samples(self) -> int:
        """n."""
        return self.loss.samples

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the parameter."""
        return self.loss.shape

    @cached_property
    def mass(self) -> Array:  # (n,)
        """p_i, of sum 1, beside the loss's data."""
        like = self.loss.smoothness
        host = np.ones(self.samples) if self.weights is None else to_numpy(self.weights).astype(float)
        return asarray_like(host / np.sum(host), like)

    @cached_property
    def constants(self) -> Array:  # (n,)
        """L_i of F_i = n p_i f_i."""
        return self.samples * self.mass * self.loss.smoothness

    @cached_property
    def mean_smoothness(self) -> float:
        """L̄, the mean of the L_i."""
        return float(np.mean(to_numpy(self.constants)))

    @cached_property
    def smoothness(self) -> float:
        """L_F: an upper bound of the largest Hessian eigenvalue of F, never above L̄."""
        return min(float(to_numpy(self.loss.weighted_smoothness(self.mass))), self.mean_smoothness)

    @property
    def strong_convexity(self) -> float:
        """μ of the penalty, a lower bound of that of P."""
        return self.penalty.strong_convexity

    def beside(self, x: Array) -> Composite:
        """The same objective with its data in the namespace, dtype and device of `x`; itself when they are there."""
        here = self.loss.smoothness
        if type(here) is type(x) and here.dtype == x.dtype and here.device == x.device:
            return self
        weights = None if self.weights is None else asarray_like(to_numpy(self.weights), x)
        return replace(self, loss=self.loss.beside(x), weights=weights)

    def value(self, x: Array) -> Array:  # (..., *shape) -> (...)
        """P(x)."""
        return self.smooth_value(x) + self.penalty.value(x)

    def smooth_value(self, x: Array) -> Array:  # (..., *shape) -> (...)
        """F(x)."""
        return self.loss.weighted_value(x, self.mass)

    def gradient(self, x: Array) -> Array:  # (..., *shape) -> (..., *shape)
        """∇F(x): n component gradients."""
        return self.loss.weighted_gradient(x, self.mass)

    def sample_gradient(self, i: Array, x: Array) -> Array:  # (..., b) int, (..., *shape) -> (..., b, *shape)
        """∇F_i(x) for each of b indices, leading axes broadcast: the mean over all i is `gradient`."""
        xp, ndim = namespace(x), len(self.shape)
        lead = np.broadcast_shapes(tuple(i.shape[:-1]), tuple(x.shape[: x.ndim - ndim]))
        i = xp.broadcast_to(i, (*lead, i.shape[-1]))
        x = xp.expand_dims(x, axis=x.ndim - ndim)
        x = xp.broadcast_to(x, (*i.shape, *self.shape))
        factor = self.samples * rows(self.mass, i)
        return xp.reshape(factor, (*i.shape, *[1] * ndim)) * self.loss.gradient(x, i)
