r"""Matrices that treat all coordinates alike: :math:`J = \operatorname{span}\{I, \mathbf 1\mathbf 1^\top\}`.

With :math:`\Pi = \mathbf 1\mathbf 1^\top/d` and :math:`\Pi^\perp = I - \Pi`,

.. math:: E(M) = \langle M, \Pi\rangle\, \Pi + \tfrac{\langle M, \Pi^\perp\rangle}{d-1} \Pi^\perp, \quad
          \|x\|_{\mathcal H} = \max\bigl(\|\Pi x\|_2,\ \|\Pi^\perp x\|_2/\sqrt{d-1}\bigr).

Source: derived here as an instance of Xie et al. 2025, arXiv 2503.10537.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from structures.arrays import Array, like, namespace
from structures.base import Structure
from structures.commutative import Commutative

__all__ = ["Exchangeable"]


@dataclass(frozen=True)
class Exchangeable(Commutative):
    """Two eigenvalues: on the mean, and on the deviations from it; coordinates have shape (..., 2)."""

    mixing: ClassVar[bool] = True  # deviations are differences: they carry rounding of the mean

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim < 2:
            raise ValueError(
                "Exchangeable needs at least two parameters: with one there is no deviation from the mean."
            )

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2,)), cls((5,)), cls((2, 3))]

    @property
    def rank(self) -> int:
        return 2

    def _mean(self, x: Array) -> Array:  # (..., d) -> (..., 1)
        return namespace(x).mean(x, axis=-1, keepdims=True)

    def pool(self, energy: Array) -> Array:  # (..., 2) energies of the two parts
        xp = namespace(energy)
        return energy / xp.asarray([1.0, self.dim - 1.0], **like(energy))

    def spread(self, values: Array) -> Array:
        return values

    @property
    def _spectrum_size(self) -> int:
        return 2

    def weights(self, values: Array) -> Array:
        return namespace(values).asarray([1.0, self.dim - 1.0], **like(values))

    def outer(self, G: Array) -> Array:
        x = self.flatten(G)
        xp = namespace(x)
        mean = self._mean(x)
        parts = [mean[..., 0] ** 2 * float(self.dim), xp.sum((x - mean) ** 2, axis=-1)]
        return self.pool(xp.stack(parts, axis=-1))

    def diagonal_of(self, M: Array) -> Array:
        xp = namespace(M)
        on_mean = xp.sum(xp.sum(M, axis=-1), axis=-1) / float(self.dim)
        return xp.stack([on_mean, xp.linalg.trace(M) - on_mean], axis=-1)

    def dense(self, c: Array) -> Array:
        xp = namespace(c)
        mean = xp.full((self.dim, self.dim), 1.0 / self.dim, **like(c))
        identity = xp.eye(self.dim, **like(c))
        return c[..., 0, None, None] * mean + c[..., 1, None, None] * (identity - mean)

    def apply_spectrum(self, values: Array, basis: Any, X: Array) -> Array:
        x = self.flatten(X)
        mean = self._mean(x)
        return self.unflatten(values[..., :1] * mean + values[..., 1:] * (x - mean))
