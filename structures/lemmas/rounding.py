r"""How much rounding a law may show, and the Loewner order as one number.

A computed projection is off by :math:`\delta = 16\,d\,\mathrm{eps}\,\|M\|_\infty`. Square roots are ½-Hölder and no
better, so with A ⪰ 0 known to δ,

.. math:: \|\Delta A^{1/2}\| \le \min\bigl(\sqrt\delta,\ \delta/\sqrt{\lambda_{\min}(A)}\bigr), \qquad
          |\Delta \operatorname{Tr} A^{1/2}| \le \textstyle\sum_i \min\bigl(\sqrt\delta,\ \delta/\sqrt{\lambda_i(A)}\bigr):

1e-16 becomes 1e-8 where an eigenvalue vanishes, and only there.

The order :math:`A \preceq B` is read as :math:`\lambda_{\max}((B + sI)^{-1/2} (A + sI) (B + sI)^{-1/2}) \le 1`, which is
equivalent for every shift s that makes B + sI positive. With s the geometric mean of ‖B‖ and the error e of A and B, rounding
moves the number by at most a multiple of :math:`e/s = \sqrt{e/\|B\|}`.

Source: derived here, docs/proofs/characterisation.md#rounding; Bhatia, Matrix Analysis, Theorem X.1.1 (Hölder continuity).
"""

from __future__ import annotations

from structures.arrays import Array, namespace, tolerance
from structures.base import Structure
from structures.roots import eigh

__all__ = [
    "loewner_ratio",
    "positive_or_one",
    "projected_spectrum",
    "projection_error",
    "relative_error",
    "root_error",
    "row_norm",
    "trace_root_error",
]


def row_norm(A: Array) -> Array:  # (..., d, d) -> (...)
    """The largest absolute row sum of a symmetric matrix: between ‖A‖ and √d ‖A‖, and cheaper than either."""
    xp = namespace(A)
    return xp.max(xp.sum(xp.abs(A), axis=-1), axis=-1)


def positive_or_one(x: Array) -> Array:
    """x where it is positive, else 1: a divisor that leaves zero alone."""
    xp = namespace(x)
    return xp.where(x > 0, x, xp.ones_like(x))


def projection_error(M: Array) -> Array:  # (..., d, d) -> (...)
    """Rounding of E(M) in the operator norm, down to matrices whose entries have underflowed."""
    smallest = float(namespace(M).finfo(M.dtype).smallest_normal)
    return tolerance(M, M.shape[-1]) * (row_norm(M) + smallest)


def relative_error(M: Array) -> Array:  # (..., d, d) -> (..., 1)
    """Rounding of E(M) beside the size of M, for entries that were divided by it."""
    smallest = float(namespace(M).finfo(M.dtype).smallest_normal)
    return tolerance(M, M.shape[-1]) * (1.0 + smallest / positive_or_one(row_norm(M)))[..., None]


def projected_spectrum(K: Structure, M: Array) -> Array:  # (..., d, d) -> (..., d)
    """Eigenvalues of E(M), those below zero replaced by zero."""
    values = eigh(K.dense(K.project(M)))[0]
    xp = namespace(values)
    return xp.where(values > 0, values, xp.zeros_like(values))


def _root_errors(values: Array, error: Array) -> Array:  # (..., d), (...) -> (..., d)
    xp = namespace(values)
    worst = xp.broadcast_to(xp.sqrt(error)[..., None], values.shape)
    smooth = error[..., None] / xp.sqrt(positive_or_one(values))
    return xp.where(values > 0, xp.minimum(worst, smooth), worst)


def root_error(values: Array, error: Array) -> Array:  # (..., d), (...) -> (...)
    """Error of A^{1/2} in the operator norm, from the eigenvalues of A and the error of A."""
    return namespace(values).max(_root_errors(values, error), axis=-1)


def trace_root_error(values: Array, error: Array) -> Array:  # (..., d), (...) -> (...)
    """Error of Tr A^{1/2}, from the eigenvalues of A and the error of A."""
    return namespace(values).sum(_root_errors(values, error), axis=-1)


def loewner_ratio(A: Array, B: Array, error: Array) -> tuple[Array, Array]:  # (..., d, d) twice, (...)
    """A number that is at most one exactly when A ⪯ B, and the rounding budget of that number.

    `error` bounds the rounding of A and of B together, in the operator norm.
    """
    xp = namespace(A)
    scale = positive_or_one(xp.maximum(row_norm(A), row_norm(B)))
    relative = xp.sqrt(xp.maximum(error / scale, xp.full_like(scale, tolerance(A, A.shape[-1]))))
    shift = (scale * relative)[..., None]
    values, vectors = eigh(B)
    whitened = vectors / xp.sqrt(xp.maximum(values + shift, 0.5 * shift))[..., None, :]
    transposed = xp.matrix_transpose(whitened)
    ratio = xp.max(eigh(transposed @ A @ whitened + shift[..., None] * (transposed @ whitened))[0], axis=-1)
    return ratio, 4.0 * relative
