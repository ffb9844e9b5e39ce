r"""The one place for symmetric eigendecompositions and matrix powers.

For symmetric :math:`A = V \operatorname{diag}(\lambda) V^\top \succeq 0` and a real exponent `p`,

.. math:: A^p = V \operatorname{diag}(\lambda_i^p) V^\top,

with :math:`0^p := 0` for p < 0 (the pseudo-inverse power). An eigenvalue counts as zero when
:math:`\lambda_i \le n\,\mathrm{eps}\,\lambda_{\max}` of its block of size n: below that, an eigendecomposition backward
stable to a few ulps of ‖A‖ has no correct digit. It counts as a sign error, not as rounding, when
:math:`\lambda_i < -16\,n\,\mathrm{eps}\,\lambda_{\max}`: then a root does not exist and `NotPositiveError` says so.

There is no jitter: damping is the caller's argument, because it is a term of the caller's bound.

Source: derived here; N. J. Higham, Functions of Matrices, SIAM 2008, ch. 6 (square roots and their conditioning).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np

from structures.arrays import Array, all_finite, dtype_name, namespace, require_finite, sym, to_numpy, tolerance, widen

__all__ = ["NotPositiveError", "clip_to_psd", "eigh", "inverse_root", "matrix_power", "rank_floor", "values_power"]


class NotPositiveError(ValueError):
    """A root was asked of a matrix that is indefinite beyond rounding."""


def eigh(A: Array) -> tuple[Array, Array]:  # (..., n, n) -> (..., n), (..., n, n)
    """Eigenvalues (ascending) and orthonormal eigenvectors of the symmetric part of A, batched.

    Half precisions are computed in float32. If single precision does not converge or gives NaN, double is tried before giving up.
    Raises ValueError for a matrix that is not square, empty or complex, and naming the first non-finite entry;
    `numpy.linalg.LinAlgError` when no precision converges.
    """
    if A.ndim < 2 or A.shape[-1] != A.shape[-2] or A.shape[-1] == 0:
        raise ValueError(f"eigh needs square matrices (..., n, n) with n ≥ 1, got shape {tuple(A.shape)}.")
    if dtype_name(A).startswith("complex"):
        raise ValueError(f"eigh is of real symmetric matrices, got {dtype_name(A)}.")
    require_finite("matrix passed to eigh", A)
    S = sym(widen(A))
    xp = namespace(S)
    try:
        values, vectors = xp.linalg.eigh(S)
    except (np.linalg.LinAlgError, RuntimeError):  # torch raises its LinAlgError as a RuntimeError
        return _eigh_again_in_double(S)
    return (values, vectors) if _finite(values, vectors) else _eigh_again_in_double(S)


def _finite(values: Array, vectors: Array) -> bool:
    """False for what MKL returns, without an error, for some finite matrices of low rank in single precision: NaN."""
    return all_finite(values) and all_finite(vectors)


def _eigh_again_in_double(S: Array) -> tuple[Array, Array]:
    """A unit-scale copy in double: what fails in single precision is almost always a spread of scales."""
    xp = namespace(S)
    wide = xp.astype(S, xp.float64)
    scale = xp.max(xp.abs(wide), axis=(-2, -1), keepdims=True)
    scale = xp.where(scale > 0, scale, xp.ones_like(scale))
    try:
        values, vectors = xp.linalg.eigh(wide / scale)
    except (np.linalg.LinAlgError, RuntimeError) as error:
        raise np.linalg.LinAlgError(
            f"eigh did not converge for a matrix of shape {tuple(S.shape)}, in {dtype_name(S)} nor in float64: {error}"
        ) from error
    if not _finite(values, vectors):
        raise np.linalg.LinAlgError(f"eigh of a finite matrix of shape {tuple(S.shape)} gave NaN, also in float64")
    return xp.astype(values * scale[..., 0], S.dtype), xp.astype(vectors, S.dtype)


def rank_floor(values: Array, n: int) -> Array:  # (..., n) -> (..., 1)
    """The size up to which an eigenvalue of an n×n block counts as zero: ``n · eps · λ_max``, and never below n subnormals."""
    xp, limits = namespace(values), namespace(values).finfo(values.dtype)
    largest = xp.max(xp.abs(values), axis=-1, keepdims=True)
    return (largest + float(limits.smallest_normal)) * (n * float(limits.eps))


def clip_to_psd(values: Array, n: int, scale: Array | None = None) -> Array:  # (..., r), block size n
    """`values` with rounding below zero removed; raises NotPositiveError when it is more than rounding.

    `scale` (broadcastable, default the largest absolute value along the last axis) is what rounding is relative to.
    """
    xp = namespace(values)
    if bool(xp.all(values >= 0)):
        return values
    largest = xp.max(xp.abs(values), axis=-1, keepdims=True) if scale is None else scale
    smallest = float(xp.finfo(values.dtype).smallest_normal)  # below it rounding is absolute
    if bool(xp.any(values < -tolerance(values, n) * (largest + smallest))):
        lowest, top = float(to_numpy(xp.min(values))), float(to_numpy(xp.max(largest)))
        raise NotPositiveError(
            f"a root needs a positive semidefinite matrix, but the smallest eigenvalue is {lowest:.6g} beside a largest "
            f"absolute value of {top:.6g}, which is more than rounding. Add damping (eps), or project onto the PSD cone."
        )
    return xp.where(values <= 0, xp.zeros_like(values), values)  # a NaN stays one


def values_power(values: Array, p: Fraction | float, floor: Array | None = None) -> Array:  # (..., r)
    """λ^p for λ ≥ 0, and 0 where p < 0 and λ ≤ floor (default: only exact zeros count as null)."""
    negative, whole, part = _exponent(p)
    xp = namespace(values)
    null = values <= (0.0 if floor is None else floor) if negative else None
    base = values if null is None else xp.where(null, 1.0, values)
    result = _fractional_root(base, part)
    result = result if whole == 0 else result * base**whole
    return result if null is None else xp.where(null, 0.0, 1.0 / result)


@cache
def _exponent(p: Fraction | float) -> tuple[bool, int, Fraction]:
    """Whether p < 0, and the whole and fractional parts of |p|."""
    p = Fraction(p).limit_denominator(1 << 20)
    return p < 0, *divmod(abs(p), 1)


def _fractional_root(values: Array, part: Fraction) -> Array:
    """λ^part for 0 ≤ part < 1; dyadic parts are square roots of square roots, correctly rounded at each stage."""
    xp = namespace(values)
    if part == 0:
        return xp.ones_like(values)
    if part.denominator & (part.denominator - 1):
        return values ** float(part)
    root, denominator = values, part.denominator
    while denominator > 1:
        root, denominator = xp.sqrt(root), denominator // 2
    return root if part.numerator == 1 else root**part.numerator


def matrix_power(A: Array, p: Fraction | float) -> Array:  # (..., n, n) -> (..., n, n)
    """A^p of a symmetric positive semidefinite matrix; pseudo-inverse power for p < 0.

    Raises NotPositiveError when A is indefinite beyond rounding, ValueError when it is not finite or not square.
    """
    values, vectors = eigh(A)
    n = values.shape[-1]
    xp = namespace(values)
    powered = values_power(clip_to_psd(values, n), p, rank_floor(values, n))
    return xp.astype(sym((vectors * powered[..., None, :]) @ xp.matrix_transpose(vectors)), A.dtype)


def inverse_root(A: Array, root: int) -> Array:  # (..., n, n) -> (..., n, n)
    """A^{-1/root}: ``inverse_root(L, 4)`` is two-sided Shampoo's factor."""
    if root < 1:
        raise ValueError(f"root must be a positive integer, got {root}.")
    return matrix_power(A, Fraction(-1, root))
