r"""What a symmetric operator on parameters is: a d×d matrix that is applied, projected and bounded without being formed.

.. math:: A \in S^d, \qquad v \mapsto A v, \qquad E(A) = \mathrm{proj}_J A, \qquad
          \operatorname{Tr} A, \qquad \|A\|_{\mathrm{op}} .

A Hessian's envelope and a noise covariance are such operators. A new one writes `shape`, `like`, `beside`, `apply`, `dense` and
`trace`, and overrides `project`, which forms the matrix by default, where it can do without.

Source: derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from typing import Self

from structures import Structure
from structures.arrays import Array, Coordinates, dtype_name, namespace, require_shape, tolerance
from structures.roots import eigh

__all__ = ["SymmetricOperator"]


class SymmetricOperator(ABC):
    """A symmetric operator on parameters of one shape; subclasses are frozen dataclasses."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape})"

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of the parameters it acts on."""

    @property
    @abstractmethod
    def like(self) -> Array:
        """An array of the operator's namespace, dtype and device."""

    @property
    def dim(self) -> int:
        """d."""
        return prod(self.shape)

    @property
    def psd(self) -> bool:
        """Whether A ⪰ 0 by construction."""
        return True

    @abstractmethod
    def beside(self, x: Array) -> Self:
        """The same operator in the namespace, dtype and device of `x`."""

    def double(self) -> Self:
        """The same numbers in double precision, on the same device; itself when it is there."""
        x = self.like
        if dtype_name(x) == "float64":
            return self
        xp = namespace(x)
        return self.beside(xp.zeros((1,), dtype=xp.float64, device=x.device))

    @abstractmethod
    def apply(self, v: Array) -> Array:  # (..., *shape) -> (..., *shape)
        """A v."""

    @abstractmethod
    def dense(self) -> Array:  # -> (d, d)
        """The matrix, in row-major coordinates."""

    @property
    @abstractmethod
    def trace(self) -> float:
        """Tr A."""

    @property
    def norm_bound(self) -> float:
        """An upper bound of ‖A‖_op, the norm itself up to rounding unless a subclass says otherwise."""
        values = eigh(self.dense())[0]
        xp = namespace(values)
        return float(xp.max(xp.abs(values))) * (1.0 + tolerance(values, self.dim))

    @property
    def norm_is_exact(self) -> bool:
        """Whether `norm_bound` is ‖A‖_op up to rounding, and not only above it."""
        return True

    def project(self, structure: Structure) -> Coordinates:
        """Coordinates of E(A) in a structure of the same shape."""
        self.require(structure)
        return structure.project(self.dense())

    def quadratic(self, v: Array) -> Array:  # (..., *shape) -> (...)
        """<v, A v>."""
        axes = tuple(range(-len(self.shape), 0))
        return namespace(v).sum(v * self.apply(v), axis=axes)

    def require(self, structure: Structure) -> None:
        """Raise ValueError unless the structure is for parameters of this shape."""
        if structure.shape != self.shape:
            raise ValueError(
                f"{structure} is for parameters of shape {structure.shape}, the operator's is {self.shape}."
            )

    def flat(self, v: Array) -> Array:  # (..., *shape) -> (..., d)
        """Row-major vec of the trailing axes."""
        require_shape("v", v, self.shape)
        return namespace(v).reshape(v, (*v.shape[: v.ndim - len(self.shape)], self.dim))
