r"""Diagonal matrices with decreasing entries: a convex cone closed under products whose regret bound fails all the same.

.. math::
    \mathcal H = \{\operatorname{diag}(h) : h_1 \ge \dots \ge h_d \ge 0\}, \quad
    P_{\mathcal H}(M) = \operatorname{diag} \sqrt{\operatorname{iso}(\operatorname{diag} M)}, \quad
    \|x\|_{\mathcal H}^2 = \max_k \tfrac1k \textstyle\sum_{i \le k} x_i^2,

with iso the decreasing isotonic regression :math:`\operatorname{iso}(m)_k = \min_{i \le k} \max_{j \ge k}
\operatorname{mean}(m_i, \dots, m_j)`. P_H is monotone, but differences :math:`H_t - H_{t-1}` leave the cone: closure
under negative scalars is what is missing.

Source: derived here, docs/proofs/characterisation.md; the min-max formula: Barlow et al. 1972, ch. 1 (remembered).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from structures.arrays import Array, asarray_like, namespace
from structures.base import Structure
from structures.diagonal import Diagonal
from structures.factor import Factor

__all__ = ["MonotoneCone"]


@dataclass(frozen=True)
class MonotoneCone(Diagonal):
    """Decreasing diagonals; `project` is onto the linear span (all diagonals), and `metric` is the cone's own rule."""

    well_structured: ClassVar[bool] = False

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2,)), cls((4,))]

    def isotonic(self, m: Array) -> Array:  # (..., d) -> (..., d)
        """The decreasing vector nearest to m; means are sums of the entries themselves, so no digits cancel."""
        xp = namespace(m)
        d = self.dim
        start, stop, place = np.ogrid[:d, :d, :d]
        windows = ((start <= place) & (place <= stop)) / np.maximum(stop - start + 1, 1)
        means = xp.reshape(m @ asarray_like(windows.reshape(d * d, d).T, m), (*m.shape[:-1], d, d))
        columns = []
        for k in range(d):
            highest = xp.max(means[..., : k + 1, k:], axis=-1)
            columns.append(xp.min(highest, axis=-1))
        return xp.stack(columns, axis=-1)

    def metric(self, c: Array) -> Factor:
        return self.factor(self.isotonic(self.factor(c).power(1)))

    def norm(self, X: Array) -> Array:
        unit, scale = self._unit_scale(X)
        xp = namespace(unit)
        counts = asarray_like(np.tril(np.ones((self.dim, self.dim))) / np.arange(1, self.dim + 1)[:, None], unit)
        return scale * xp.sqrt(xp.max(self.flatten(unit) ** 2 @ xp.matrix_transpose(counts), axis=-1))

    def dual_norm(self, G: Array) -> Array:
        unit, scale = self._unit_scale(G)
        return scale * self.trace(self.root(self.outer(unit)))
