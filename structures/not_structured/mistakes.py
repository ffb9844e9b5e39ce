r"""Three mistakes that turn a good structure into a bad one, each small enough to survive in published code.

* `HiddenJitter`: :math:`(\operatorname{diag} M + \epsilon I)^{1/2}` with an ε that no bound accounts for. The set of values is
  no longer a cone, so scaling the gradients does not scale the preconditioner.
* `TextbookOneSided`: :math:`(\sum_t G_t G_t^\top)^{1/2} \otimes I_n` without the 1/n of the projection. As an optimizer it
  is one-sided Shampoo with another learning rate; as P_H it is wrong by :math:`\sqrt n`.
* `NoIdentity`: :math:`\{c\, vv^\top\}` with :math:`v = \mathbf 1/\sqrt d`, closed under squaring but without the identity: it
  does not see gradients orthogonal to v.

Source: derived here, docs/proofs/characterisation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from structures.arrays import Array, like, namespace
from structures.base import Structure
from structures.commutative import Commutative
from structures.diagonal import Diagonal
from structures.factor import Factor
from structures.kronecker import LeftKronecker

__all__ = ["HiddenJitter", "NoIdentity", "TextbookOneSided"]


@dataclass(frozen=True)
class HiddenJitter(Diagonal):
    """Diagonal matrices whose root adds `jitter` to the statistic without saying so."""

    well_structured: ClassVar[bool] = False
    jitter: ClassVar[float] = 1e-8

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((3,))]

    def metric(self, c: Array) -> Factor:
        return self.factor(c + self.jitter)


class TextbookOneSided(LeftKronecker):
    """S^m ⊗ I_n whose statistic is GGᵀ instead of the projection GGᵀ/n of g gᵀ."""

    well_structured: ClassVar[bool] = False

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2, 3))]

    def outer(self, G: Array) -> Array:
        Z = self.unfold(G)
        return Z @ namespace(Z).matrix_transpose(Z)


@dataclass(frozen=True)
class NoIdentity(Commutative):
    """Multiples of 11ᵀ/d; coordinates have shape (..., 1)."""

    well_structured: ClassVar[bool] = False
    mixing: ClassVar[bool] = True

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((3,))]

    @property
    def rank(self) -> int:
        return 1

    @property
    def _spectrum_size(self) -> int:
        return 1

    def analyse(self, x: Array) -> Array:  # (..., d) -> (..., 1), the component along v
        return namespace(x).sum(x, axis=-1, keepdims=True) * self.dim**-0.5

    def synthesise(self, z: Array) -> Array:  # (..., 1) -> (..., d)
        return namespace(z).broadcast_to(z * self.dim**-0.5, (*z.shape[:-1], self.dim))

    def diagonal_of(self, M: Array) -> Array:
        xp = namespace(M)
        return (xp.sum(xp.sum(M, axis=-1), axis=-1) / float(self.dim))[..., None]

    def pool(self, energy: Array) -> Array:
        return energy

    def spread(self, values: Array) -> Array:
        return values

    def weights(self, values: Array) -> Array:
        return namespace(values).ones(1, **like(values))
