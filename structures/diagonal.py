r"""One number for each parameter: :math:`J = \{\operatorname{diag}(c)\}`, the structure of AdaGrad.

.. math:: E(M) = \operatorname{diag}(M), \quad \|x\|_{\mathcal H} = \|x\|_\infty, \quad
          |||g|||_{\mathcal H} = \textstyle\sum_i \bigl(\sum_t g_{t,i}^2\bigr)^{1/2}.

Source: Duchi, Hazan, Singer 2011 (AdaGrad); Xie et al. 2025, arXiv 2503.10537 (as a structure).
"""

from __future__ import annotations

from dataclasses import dataclass

from structures.arrays import Array, like, namespace
from structures.base import Structure
from structures.commutative import Commutative

__all__ = ["Diagonal"]


@dataclass(frozen=True)
class Diagonal(Commutative):
    """Diagonal matrices; coordinates have shape (..., d)."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((1,)), cls((5,)), cls((2, 3))]

    def pool(self, energy: Array) -> Array:
        return energy

    def spread(self, values: Array) -> Array:
        return values

    def weights(self, values: Array) -> Array:
        return namespace(values).ones(self.dim, **like(values))

    def norm(self, X: Array) -> Array:
        return self._unit_scale(X)[1]

    def dual_norm(self, G: Array) -> Array:
        unit, scale = self._unit_scale(G)
        return scale * namespace(unit).sum(namespace(unit).abs(self.flatten(unit)), axis=-1)
