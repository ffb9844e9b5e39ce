r"""Inverse p-th roots by eigendecomposition, with a ridge that is relative to the statistics.

.. math:: A = \Bigl(L + r\,\frac{\operatorname{Tr} L}{n}\, I\Bigr)^{-1/p}

The ridge is linear in L, so it is what the same multiple of the identity, added to every :math:`GG^\top`, would give.
With :math:`r = 0` it is the pseudo-inverse root: eigenvalues that are zero up to rounding stay zero.

Source: Gupta, Koren, Singer 2018 (Shampoo), Algorithm 1; the relative ridge is derived here.
"""

from __future__ import annotations

from fractions import Fraction

from structures.arrays import Array, namespace, sym
from structures.roots import clip_to_psd, eigh, rank_floor, values_power

__all__ = ["half_root", "inverse_root", "ridge_of"]


def ridge_of(L: Array, ridge: float) -> Array:  # (..., n, n) -> (..., 1, 1)
    """The multiple of I that is added to L: ridge · Tr L / n."""
    xp, n = namespace(L), L.shape[-1]
    return xp.sum(xp.linalg.diagonal(L), axis=-1)[..., None, None] * (ridge / n)


def inverse_root(L: Array, p: int, ridge: float = 0.0) -> Array:  # (..., n, n) PSD -> (..., n, n) symmetric
    """(L + ridge·Tr(L)/n·I)^{-1/p}, and 0 for L = 0; raises what `half_root` raises."""
    W = half_root(L, p, ridge)
    return sym(W @ namespace(W).matrix_transpose(W))


def half_root(L: Array, p: int, ridge: float = 0.0) -> Array:  # (..., n, n) PSD -> (..., n, n)
    """W with W Wᵀ the root that is asked for.

    Raises ValueError for an L that is not finite or not square; without a ridge also NotPositiveError (a ValueError) for
    an L that is indefinite beyond rounding; with one, negative eigenvalues count as zero. `numpy.linalg.LinAlgError` when
    neither the precision of L nor float64 converges.
    """
    values, vectors = eigh(L)
    powered = _strict(values, 2 * p) if ridge == 0.0 else _ridged(values, 2 * p, ridge)
    return vectors * powered[..., None, :]


def _strict(values: Array, p: int) -> Array:  # (..., n)
    n = values.shape[-1]
    return values_power(clip_to_psd(values, n), Fraction(-1, p), rank_floor(values, n))


def _ridged(values: Array, p: int, ridge: float) -> Array:  # (..., n)
    xp = namespace(values)
    kept = xp.where(values > 0.0, values, 0.0)
    base = kept + xp.sum(kept, axis=-1, keepdims=True) * (ridge / values.shape[-1])
    return xp.where(base > 0.0, base, float("inf")) ** (-1.0 / p)
