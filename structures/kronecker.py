r"""A full matrix along one axis of the parameter: :math:`I_a \otimes S^{k} \otimes I_b` with :math:`d = a\,k\,b`.

One-sided Shampoo is the case of matrices: left :math:`S^m \otimes I_n`, right :math:`I_m \otimes S^n`. With
:math:`G_{(k)}` the unfolding of the gradient along the axis,

.. math::
    E(M) = \tfrac{k}{d} \operatorname{Tr}_{a,b} M, \quad
    E(gg^\top) = \tfrac{k}{d} G_{(k)} G_{(k)}^\top, \quad
    \|X\|_{\mathcal H} = \sqrt{k/d}\, \|X_{(k)}\|_{\mathrm{op}}, \quad
    \|Y\|_{\mathcal H,*} = \sqrt{d/k}\, \|Y_{(k)}\|_{\mathrm{nuc}}.

Mind the factor: the textbook's one-sided Shampoo divides by :math:`(\sum_t G_tG_t^\top)^{1/2}`, without 1/n; its learning
rate is :math:`\sqrt n` times the one here, and its ε is n times the one here.

Source: Xie et al. 2025, arXiv 2503.10537 (one-sided Shampoo as an instance); closed forms derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, ClassVar

from structures.arrays import Array, eye, like, namespace, positive_sizes, sym
from structures.base import Structure
from structures.factor import Factor
from structures.roots import clip_to_psd, eigh, rank_floor

__all__ = ["LeftKronecker", "ModeK", "RightKronecker"]


@dataclass(frozen=True)
class ModeK(Structure):
    """A symmetric matrix along axis k of a tensor parameter; coordinates have shape (..., n_k, n_k)."""

    k: int  # zero-based axis

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.k < len(self.shape):
            raise ValueError(
                f"ModeK needs an axis 0 ≤ k < {len(self.shape)} of the shape {self.shape}, got k = {self.k}."
            )

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2, 3, 2), 1), cls((3, 2, 2), 0), cls((2, 2, 3), 2)]

    @cached_property
    def _sizes(self) -> tuple[int, int, int]:
        """(a, n_k, b): everything before the axis, the axis, everything behind it."""
        return prod(self.shape[: self.k]), self.shape[self.k], prod(self.shape[self.k + 1 :])

    @property
    def rank(self) -> int:
        return self.shape[self.k]

    @property
    def multiplicity(self) -> int:
        """d / n_k, the rank of each primitive idempotent."""
        return self.dim // self.rank

    def unfold(self, X: Array) -> Array:  # (..., *shape) -> (..., n_k, d / n_k)
        """The matrix whose rows run along axis k."""
        a, n, b = self._sizes
        x = self.flatten(X)
        xp = namespace(X)
        lead = x.shape[:-1]
        if a == 1:
            return xp.reshape(x, (*lead, n, b))
        if b == 1:
            return xp.matrix_transpose(xp.reshape(x, (*lead, a, n)))
        return xp.reshape(xp.moveaxis(xp.reshape(x, (*lead, a, n, b)), -3, -2), (*lead, n, a * b))

    def fold(self, Z: Array) -> Array:  # (..., n_k, d / n_k) -> (..., *shape)
        """The inverse of `unfold`."""
        a, n, b = self._sizes
        xp = namespace(Z)
        lead = Z.shape[:-2]
        if b == 1:
            Z = xp.matrix_transpose(Z)
        elif a > 1:
            Z = xp.moveaxis(xp.reshape(Z, (*lead, n, a, b)), -2, -3)
        return xp.reshape(Z, (*lead, *self.shape))

    def project(self, M: Array) -> Array:
        a, n, b = self._sizes
        xp = namespace(M)
        S = self._symmetric(M)
        lead = S.shape[:-2]
        blocks = xp.reshape(S, (*lead, a, n, b, a, n, b))
        # Tr over the first and the third factor, one after the other: move each pair of axes to the end.
        over_b = xp.linalg.trace(xp.moveaxis(blocks, -4, -2))  # (..., a, n, a, n)
        over_a = xp.linalg.trace(xp.moveaxis(xp.moveaxis(over_b, -4, -1), -3, -2))  # (..., n, n)
        return over_a / float(self.multiplicity)

    def dense(self, c: Array) -> Array:
        a, _, b = self._sizes
        xp = namespace(c)
        left, right = eye(a, c)[:, None, None, :, None, None], eye(b, c)[:, None, None, :]
        tensor = left * (c[..., None, :, None, None, :, None] * right)
        return xp.reshape(tensor, (*c.shape[:-2], self.dim, self.dim))

    def outer(self, G: Array) -> Array:
        Z = self.unfold(G)
        return (Z @ namespace(Z).matrix_transpose(Z)) / float(self.multiplicity)

    def identity(self, x: Array) -> Array:
        return eye(self.rank, x)

    def factor(self, c: Array) -> Factor:
        values, vectors = eigh(c)
        return Factor(self, clip_to_psd(values, self.rank), rank_floor(values, self.rank), vectors)

    def weights(self, values: Array) -> Array:
        xp = namespace(values)
        return xp.full((self.rank,), float(self.multiplicity), **like(values))

    def compose(self, values: Array, basis: Any) -> Array:
        return sym((basis * values[..., None, :]) @ namespace(basis).matrix_transpose(basis))

    def apply_spectrum(self, values: Array, basis: Any, X: Array) -> Array:
        Z = self.unfold(X)
        return self.fold(basis @ (values[..., :, None] * (namespace(Z).matrix_transpose(basis) @ Z)))

    def apply(self, c: Array, X: Array) -> Array:
        return self.fold(c @ self.unfold(X))

    def trace(self, c: Array) -> Array:
        return namespace(c).linalg.trace(c) * float(self.multiplicity)

    def norm(self, X: Array) -> Array:
        unit, scale = self._unit_scale(X)
        singular = namespace(X).linalg.svdvals(self.unfold(unit))
        return scale * singular[..., 0] / self.multiplicity**0.5

    def dual_norm(self, G: Array) -> Array:
        unit, scale = self._unit_scale(G)
        singular = namespace(G).linalg.svdvals(self.unfold(unit))
        return scale * namespace(G).sum(singular, axis=-1) * self.multiplicity**0.5


@dataclass(frozen=True, init=False, repr=False)
class _OneSided(ModeK):
    """A matrix parameter (m, n) preconditioned from one side."""

    _axis: ClassVar[int]

    def __init__(self, shape: tuple[int, ...]) -> None:
        shape = positive_sizes(type(self).__name__, shape)
        if len(shape) != 2:
            raise ValueError(f"{type(self).__name__} needs a matrix parameter (m, n), got shape {shape}.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "k", self._axis)
        self.__post_init__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape})"


class LeftKronecker(_OneSided):
    """S^m ⊗ I_n, one-sided Shampoo from the left; coordinates have shape (..., m, m)."""

    _axis: ClassVar[int] = 0

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2, 3)), cls((3, 2)), cls((3, 1))]


class RightKronecker(_OneSided):
    """I_m ⊗ S^n, one-sided Shampoo from the right; coordinates have shape (..., n, n)."""

    _axis: ClassVar[int] = 1

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2, 3)), cls((3, 2)), cls((1, 3))]
