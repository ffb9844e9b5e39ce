r"""Symmetric circulant matrices, diagonal in the Fourier basis: preconditioners that commute with shifts.

With :math:`\hat x` the unitary DFT of a real vector,

.. math:: E(xx^\top) = F^* \operatorname{diag}(|\hat x_k|^2) F, \quad \|x\|_{\mathcal H} = \max_k |\hat x_k|, \quad
          |||g|||_{\mathcal H} = \textstyle\sum_k \bigl(\sum_t |\hat g_{t,k}|^2\bigr)^{1/2}.

A symmetric circulant has :math:`\lambda_k = \lambda_{d-k}`: the coordinates are the :math:`\lfloor d/2\rfloor + 1`
distinct eigenvalues, the order that of a real FFT.

Source: derived here as an instance of Xie et al. 2025, arXiv 2503.10537.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from structures.arrays import Array, like, namespace
from structures.base import Structure
from structures.commutative import Commutative

__all__ = ["Circulant"]


@dataclass(frozen=True)
class Circulant(Commutative):
    """Symmetric circulants by FFT; coordinates have shape (..., d // 2 + 1)."""

    mixing: ClassVar[bool] = True

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((5,)), cls((6,)), cls((1,)), cls((2,))]

    @property
    def rank(self) -> int:
        return self.dim // 2 + 1

    @property
    def _spectrum_size(self) -> int:
        return self.rank

    def analyse(self, x: Array) -> Array:
        return namespace(x).fft.rfft(x, axis=-1, norm="ortho")

    def synthesise(self, z: Array) -> Array:
        return namespace(z).fft.irfft(z, n=self.dim, axis=-1, norm="ortho")

    def pool(self, energy: Array) -> Array:
        return energy

    def spread(self, values: Array) -> Array:
        return values

    def diagonal_of(self, M: Array) -> Array:
        xp = namespace(M)
        complex_dtype = xp.fft.rfft(M[..., 0, :], axis=-1).dtype
        turned = xp.fft.ifft(xp.fft.fft(xp.astype(M, complex_dtype), axis=-2), axis=-1)
        return xp.real(xp.linalg.diagonal(turned))[..., : self.rank]

    def weights(self, values: Array) -> Array:
        paired = [1.0 if k == 0 or 2 * k == self.dim else 2.0 for k in range(self.rank)]
        return namespace(values).asarray(paired, **like(values))
