r"""The weights that a natural gradient gives to the samples of a batch.

.. math::
    \Bigl(\frac1n UU^\top + \lambda I\Bigr)^{-1}\bar g = Uc, \qquad c = (n\lambda I + K)^{-1}\mathbf 1, \qquad K = U^\top U .

The push-through form: no difference of nearly equal numbers, unlike Sherman, Morrison and Woodbury's three terms. What
rounding of K and c by a relative :math:`\mathrm{eps}` can do to Uc is, up to a small factor,

.. math:: \frac{\|\delta(Uc)\|}{\|Uc\|} \lesssim \mathrm{eps}\,\frac{\|c\|}{\sqrt{c^\top Kc}}
          \max\Bigl(\frac{\|K\|_F}{2\sqrt{n\lambda}}, \sqrt{\operatorname{Tr}K}\Bigr),

which is looked at after every solution: beyond `TRUSTED` the batch is done again in float64. Where that does not suffice either,
c has a part of size :math:`1/n\lambda` in the null space of K that U must annihilate, and the part in the range of K is taken
instead: :math:`Uc = U\Pi c`.

Source: Ou, Zhu, Huang and Liu 2024 (ou2024inverse) for the weights; the form and its rounding are derived here,
docs/proofs/fngd.md#rounding.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from optimizers.fngd.gram import full

if TYPE_CHECKING:
    from optimizers.fngd.contributions import Contributions

__all__ = ["TRUSTED", "push_through", "relative_rounding", "solve", "trusted", "within_range"]

LARGE = 256  # rows from which the factorisation in bands is the faster one
ONE_THREAD = 512  # bytes of a row of a matrix that OpenBLAS factors without its other threads: 128 float32, 64 float64
TRUSTED = 1e-2  # the estimate is an upper one, usually by a factor of ten to a hundred


def solve(
    contributions: Contributions,
    factor: float,  # of the contributions, to be per-sample gradients
    damping: float,
) -> tuple[Contributions, Tensor, Tensor]:
    """The contributions in the precision that the batch needs, K of the contributions (n, n), upper triangle, and c (n,)."""
    scaled = damping / (factor * factor)  # (nλI + f²K)⁻¹ = f⁻² (nλ/f² I + K)⁻¹
    K = contributions.gram()
    c = push_through(K, scaled)
    if not trusted(K, c, scaled):
        if K.dtype != torch.float64:
            contributions = contributions.to(torch.float64)
            K = contributions.gram()
            c = push_through(K, scaled)
        if not trusted(K, c, scaled) and bool(torch.isfinite(K.triu()).all()):
            c = within_range(K, scaled)
    return contributions, K, c.div_(factor * factor)


def push_through(
    K: Tensor,  # (n, n), upper triangle of a positive semidefinite matrix
    damping: float,
) -> Tensor:  # (n,)
    """c = (nλI + K)⁻¹ 1 by Cholesky. Of a K that is not finite it means nothing, as `trusted` says.

    When rounding has made K indefinite beyond the damping, its eigenvalues below zero are set to zero: K is a Gram matrix.
    """
    shifted = K.clone()
    shifted.diagonal().add_(K.shape[0] * damping)
    c = _cholesky_on_host(shifted) if K.is_cpu else _cholesky(shifted)
    if c is not None:
        return c
    if not bool(torch.isfinite(K.triu()).all()):
        return K.new_full((len(K),), math.nan)
    return _clipped(full(K), len(K) * damping)


def _cholesky(A: Tensor) -> Tensor | None:  # (n, n) -> (n,)
    factor, info = torch.linalg.cholesky_ex(A, upper=True)
    return None if int(info) else torch.cholesky_solve(A.new_ones(len(A), 1), factor, upper=True)[:, 0]


def _cholesky_on_host(A: Tensor) -> Tensor | None:  # (n, n), overwritten -> (n,)
    """The same: a small matrix by LAPACK itself, a large one by bands of rows, with LAPACK for their diagonal blocks.

    torch's own factorisation copies and clears the other triangle, and takes up to thrice as long; SciPy's of a large matrix
    wakes threads that keep torch's from the cores.
    """
    n, rows = len(A), ONE_THREAD // A.element_size()
    if n <= rows:
        _, c, info = _lapack("posv", A.dtype)(
            _columns(A), _columns(A.new_ones(n)), lower=1, overwrite_a=1, overwrite_b=1
        )
        return None if info else torch.from_numpy(c)
    if n < LARGE:
        return _cholesky(A)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        band = A[start:stop, start:].addmm_(A[:start, start:stop].T, A[:start, start:], alpha=-1.0)
        block, rest = band.tensor_split([stop - start], dim=1)
        factor, info = _lapack("potrf", A.dtype)(_columns(block), lower=1, clean=0)
        if info:
            return None
        block.copy_(torch.from_numpy(factor).T)
        if stop < n:
            rest.copy_(torch.linalg.solve_triangular(block, rest.T, upper=True, left=False).T)
    y = torch.linalg.solve_triangular(A.T, A.new_ones(n, 1), upper=False)
    return torch.linalg.solve_triangular(A, y, upper=True)[:, 0]


def _columns(A: Tensor) -> np.ndarray:
    """LAPACK's view of the memory: its columns are our rows, and our upper triangle its lower one."""
    return A.numpy().T


@cache
def _lapack(name: str, dtype: torch.dtype) -> Any:
    """A routine of LAPACK in float64 or float32."""
    from scipy.linalg import get_lapack_funcs

    return get_lapack_funcs(name, dtype=np.float64 if dtype == torch.float64 else np.float32)


def _clipped(K: Tensor, shift: float) -> Tensor:  # (n, n) -> (n,)
    from structures.roots import eigh

    values, vectors = eigh(K)
    return vectors @ (vectors.sum(0) / (values.clamp(min=0.0) + shift))


def within_range(
    K: Tensor,  # (n, n), upper triangle of a positive semidefinite matrix
    damping: float,
) -> Tensor:  # (n,)
    """Πc for the projection Π on the range of K: eigenvalues up to n · eps of the largest have no digit, and count as zero."""
    from structures.roots import eigh, rank_floor

    values, vectors = eigh(full(K))
    inverse = torch.where(values > rank_floor(values, len(K)), 1.0 / (values.clamp(min=0.0) + len(K) * damping), 0.0)
    return vectors @ (vectors.sum(0) * inverse)


def trusted(
    K: Tensor,  # (n, n), upper triangle
    c: Tensor,  # (n,)
    damping: float,
) -> bool:
    """Whether Uc is good to `TRUSTED`, by a cheap and coarse estimate if that will do."""
    n, eps = K.shape[0], torch.finfo(K.dtype).eps
    total, square, trace = float(c.sum()), float(c.dot(c)), float(K.trace())
    energy = total - n * damping * square  # c'Kc = c'(1 - nλc), unless digits cancel
    if energy > 0.01 * total > 0.0:
        reach = max(trace / (2.0 * math.sqrt(n * damping)), math.sqrt(trace))
        if eps * math.sqrt(square / energy) * reach <= TRUSTED:
            return True
    return relative_rounding(full(K), c, damping) <= TRUSTED


def relative_rounding(
    K: Tensor,  # (n, n)
    c: Tensor,  # (n,)
    damping: float,
) -> float:
    """The estimate above of the relative error of Uc; infinite when Uc is zero beside its terms.

    The proof has the sum of what is compared here, and nλ beside |K|: at most three times as much, which `TRUSTED` has room for.
    """
    n, eps = K.shape[0], torch.finfo(K.dtype).eps
    energy, trace = float(c @ (K @ c)), float(K.diagonal().sum())
    if trace == 0.0:
        return 0.0
    size = float(torch.linalg.vector_norm(c)) / math.sqrt(energy) if energy > 0.0 else math.inf
    reach = max(float(torch.linalg.vector_norm(K)) / (2.0 * math.sqrt(n * damping)), math.sqrt(trace))
    return eps * size * reach
