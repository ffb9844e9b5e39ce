r"""All symmetric matrices: :math:`J = S^d`, the structure of full-matrix AdaGrad.

.. math:: E(M) = M, \quad \|x\|_{\mathcal H} = \|x\|_2 = \|x\|_{\mathcal H,*}, \quad
          |||g|||_{\mathcal H} = \operatorname{Tr}\bigl(\textstyle\sum_t g_t g_t^\top\bigr)^{1/2}.

For large d the learner `regret.GramFullMatrix` plays the same game in T·d numbers.

Source: Duchi, Hazan, Singer 2011 (full-matrix AdaGrad); Xie et al. 2025, arXiv 2503.10537 (as a structure).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from structures.arrays import Array, eye, namespace, sym
from structures.base import Structure

__all__ = ["Full"]


@dataclass(frozen=True)
class Full(Structure):
    """Every symmetric matrix; coordinates are the matrix itself, (..., d, d)."""

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((1,)), cls((4,)), cls((2, 2))]

    def project(self, M: Array) -> Array:
        return self._symmetric(M)

    def dense(self, c: Array) -> Array:
        return c

    def identity(self, x: Array) -> Array:
        return eye(self.dim, x)

    def compose(self, values: Array, basis: Any) -> Array:
        return sym((basis * values[..., None, :]) @ namespace(basis).matrix_transpose(basis))

    def norm(self, X: Array) -> Array:
        unit, scale = self._unit_scale(X)
        return scale * namespace(unit).linalg.vector_norm(self.flatten(unit), axis=-1)

    def dual_norm(self, G: Array) -> Array:
        return self.norm(G)
