r"""A Kronecker product on matrices, :math:`V \mapsto L V R^\top`.

.. math:: A = L \otimes R, \qquad \operatorname{Tr} A = \operatorname{Tr} L \operatorname{Tr} R, \qquad
          E_{\text{left}}(A) = \tfrac{\operatorname{Tr} R}{n} L, \qquad E_{\text{right}}(A) = \tfrac{\operatorname{Tr} L}{m} R .

A factor that is None is the identity: the matrix quadratic's Hessian is ``KroneckerOperator(2 * Hs, None, (m, n))``.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from problems.operators.base import SymmetricOperator
from problems.operators.diagonal import pools_coordinates
from structures import LeftKronecker, RightKronecker, Structure
from structures.arrays import (
    Array,
    Coordinates,
    asarray_like,
    eye,
    namespace,
    require_finite,
    require_shape,
    sym,
    to_numpy,
    tolerance,
)
from structures.roots import eigh

__all__ = ["KroneckerOperator"]


@dataclass(frozen=True, eq=False, repr=False)
class KroneckerOperator(SymmetricOperator):
    """L ⊗ R with L, R symmetric. Raises ValueError for a wrong shape, an entry that is not finite, or two identities."""

    left: Array | None  # (m, m)
    right: Array | None  # (n, n)
    parameter_shape: tuple[int, int]

    def __post_init__(self) -> None:
        for name, size in zip(("left", "right"), self.parameter_shape, strict=True):
            factor = getattr(self, name)
            if factor is None:
                continue
            require_finite(name, factor)
            require_shape(name, factor, (size, size))
            object.__setattr__(self, name, sym(factor))
        if self.left is None and self.right is None:
            raise ValueError("at least one factor must be given: two identities have no namespace.")

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.parameter_shape)

    @property
    def like(self) -> Array:
        return self.right if self.left is None else self.left

    @property
    def factors(self) -> tuple[Array, Array]:  # (m, m), (n, n)
        """Both factors, identities written out."""
        m, n = self.parameter_shape
        return (
            eye(m, self.like) if self.left is None else self.left,
            eye(n, self.like) if self.right is None else self.right,
        )

    @cached_property
    def spectra(self) -> tuple[Array, Array]:  # (m,), (n,)
        """Eigenvalues of both factors, ascending."""
        xp, (m, n) = namespace(self.like), self.parameter_shape
        ones = xp.ones(max(m, n), dtype=self.like.dtype, device=self.like.device)
        left = ones[:m] if self.left is None else eigh(self.left)[0]
        return left, ones[:n] if self.right is None else eigh(self.right)[0]

    @property
    def psd(self) -> bool:
        xp, slack = (
            namespace(self.like),
            16.0 * sum(self.shape) * float(namespace(self.like).finfo(self.like.dtype).eps),
        )
        return all(bool(xp.min(v) >= -slack * xp.max(xp.abs(v))) for v in self.spectra)

    def beside(self, x: Array) -> Self:
        moved = [None if f is None else asarray_like(to_numpy(f), x) for f in (self.left, self.right)]
        return type(self)(moved[0], moved[1], self.parameter_shape)

    def apply(self, v: Array) -> Array:
        require_shape("v", v, self.shape)
        half = v if self.left is None else self.left @ v
        return half if self.right is None else half @ self.right

    def dense(self) -> Array:
        L, R = self.factors
        tensor = L[:, None, :, None] * R[None, :, None, :]
        return namespace(L).reshape(tensor, (self.dim, self.dim))

    @cached_property
    def traces(self) -> tuple[float, float]:
        """Tr L and Tr R."""
        found = [
            float(size) if f is None else float(namespace(f).linalg.trace(f))
            for f, size in zip((self.left, self.right), self.parameter_shape, strict=True)
        ]
        return found[0], found[1]

    @property
    def trace(self) -> float:
        return self.traces[0] * self.traces[1]

    @property
    def norm_bound(self) -> float:
        xp = namespace(self.like)
        tops = [float(xp.max(xp.abs(values))) for values in self.spectra]
        return tops[0] * tops[1] * (1.0 + tolerance(self.like, sum(self.shape)))

    def project(self, structure: Structure) -> Coordinates:
        self.require(structure)
        m, n = self.parameter_shape
        if isinstance(structure, LeftKronecker):
            return self.factors[0] * (self.traces[1] / n)
        if isinstance(structure, RightKronecker):
            return self.factors[1] * (self.traces[0] / m)
        if pools_coordinates(structure):
            xp = namespace(self.like)
            rows, columns = (xp.linalg.diagonal(f) for f in self.factors)
            return structure.pool(xp.reshape(rows[:, None] * columns, (self.dim,)))
        return super().project(structure)
