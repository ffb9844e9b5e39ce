r"""Losses with a second derivative that is bounded as a matrix, over the whole space.

.. math::
    \nabla^2 F_w(x)\, v, \qquad 0 \preceq \nabla^2 F_w(x) \preceq A_w \;\; \forall x, \qquad
    \textstyle\sum_i w_i \nabla f_i(x) \nabla f_i(x)^\top \preceq M_w \;\; \forall x \in X, \qquad f_i \ge \ell .

These are what a structure's smoothness and noise constants are computed from; :math:`\ell` is `floor`.

Source: derived here.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from problems.domains import Domain
from problems.losses.base import Loss
from problems.operators import SymmetricOperator
from structures.arrays import Array

__all__ = ["CurvedLoss"]


class CurvedLoss(Loss):
    """A `Loss` with Hessian products and matrix bounds."""

    floor: ClassVar[float] = 0.0  # a lower bound of every f_i
    convex: ClassVar[bool] = True  # every f_i is; otherwise −A_w ⪯ ∇²F_w ⪯ A_w is what A_w says

    @abstractmethod
    def weighted_hessian_product(
        self, x: Array, weights: Array, v: Array
    ) -> Array:  # (..., *shape), (..., n), (..., *shape) -> (..., *shape)
        """∇²F_w(x) v."""

    @abstractmethod
    def weighted_curvature(self, weights: Array) -> SymmetricOperator:  # (n,) nonnegative
        """A_w: an upper bound of ∇²F_w(x) in the Loewner order, for every x."""

    @abstractmethod
    def curvature_point(self, weights: Array) -> Array | None:  # (n,) -> (*shape)
        """A point where ∇²F_w = A_w exactly, so that the bound cannot be improved; None if none is known."""

    @abstractmethod
    def weighted_slope_moment(self, weights: Array, domain: Domain | None) -> SymmetricOperator | None:  # (n,)
        """M_w: an upper bound of Σ w_i ∇f_i ∇f_iᵀ over the domain (None: the whole space); None where there is none."""
