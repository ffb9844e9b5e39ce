r"""The Hessian of a function at a point, as an operator.

.. math:: A = \nabla^2 f(x) .

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from problems.operators.base import SymmetricOperator
from structures.arrays import Array, asarray_like, eye, namespace, sym, to_numpy

__all__ = ["HasHessian", "HessianOperator"]


class HasHessian(Protocol):
    """What a Hessian is asked of."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the parameter."""
        ...

    @property
    def convex(self) -> bool:
        """Whether the Hessian is positive semidefinite everywhere."""
        ...

    def hessian_product(self, x: Array, v: Array) -> Array:
        """∇²f(x) v."""
        ...

    def beside(self, x: Array) -> Self:
        """In the namespace of x."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class HessianOperator(SymmetricOperator):
    """v ↦ ∇²f(x) v."""

    function: HasHessian
    point: Array  # (*shape)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.point.shape)

    @property
    def like(self) -> Array:
        return self.point

    @property
    def psd(self) -> bool:
        return self.function.convex

    def beside(self, x: Array) -> Self:
        return type(self)(self.function.beside(x), asarray_like(to_numpy(self.point), x))

    def apply(self, v: Array) -> Array:
        return self.function.hessian_product(self.point, v)

    def dense(self) -> Array:
        xp, d = namespace(self.point), self.dim
        units = xp.reshape(eye(d, self.point), (d, *self.shape))
        return sym(xp.reshape(self.apply(units), (d, d)))

    @property
    def trace(self) -> float:
        """From the matrix: for an estimate without it take random signs s and the mean of <s, A s>."""
        dense = self.dense()
        return float(namespace(dense).linalg.trace(dense))
