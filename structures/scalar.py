r"""One number for all parameters: :math:`J = \{c I_d\}`, the structure of AdaGrad-Norm.

.. math:: E(M) = \tfrac{\operatorname{Tr} M}{d} I, \quad \|x\|_{\mathcal H} = \|x\|_2/\sqrt d, \quad
          |||g|||_{\mathcal H} = \sqrt d \, \bigl(\textstyle\sum_t \|g_t\|_2^2\bigr)^{1/2}.

Source: Xie et al. 2025, arXiv 2503.10537 (AdaGrad-Norm as an instance); closed forms derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

from structures.arrays import Array, like, namespace
from structures.base import Structure
from structures.commutative import Commutative

__all__ = ["Scalar"]


@dataclass(frozen=True)
class Scalar(Commutative):
    """Multiples of the identity; coordinates have shape (..., 1)."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((1,)), cls((5,)), cls((2, 3))]

    @property
    def rank(self) -> int:
        return 1

    def pool(self, energy: Array) -> Array:
        return namespace(energy).mean(energy, axis=-1, keepdims=True)

    def spread(self, values: Array) -> Array:
        return values

    def weights(self, values: Array) -> Array:
        return namespace(values).full((1,), float(self.dim), **like(values))
