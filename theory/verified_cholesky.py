r"""A lower bound on the smallest eigenvalue of a float64 matrix that is true despite rounding, at the price of one product.

For *any* real matrix \(R\), with \(E = A - R^\top R\),

\[ \lambda_{\min}(A) \ge \lambda_{\min}(E) \ge \min_i \Bigl( E_{ii} - \sum_{j \ne i} |E_{ij}| \Bigr) \]

because \(R^\top R \succeq 0\) (Weyl) and by Gershgorin. Take \(R\) from a float Cholesky factorisation of \(A - cI\); how well
it was computed decides how good the bound is, never whether it is true. The computed \(\hat E\) obeys

\[ |E_{ij} - \hat E_{ij}| \le u\,|\hat E_{ij}| + \gamma_n \,(|R|^\top |R|)_{ij} + 8n\,\omega, \qquad
   \gamma_n = \frac{nu}{1 - nu}, \quad u = 2^{-53}, \quad \omega = 2^{-1022}, \]

for inner products summed in any order, with or without fused multiply-add, in IEEE double precision and rounding to
nearest with gradual underflow. Strassen-like products are excluded. Bounding \(E\) a priori, as Rump does,
saves the product but trusts the order of operations inside the factorisation.

Source: Rump (2006) for the idea (the constants are derived in docs/proofs/verified-cholesky.md).
"""

from __future__ import annotations

import math
from typing import Any

Array = Any

_U = 2.0**-53
_OMEGA = 2.0**-1022
LARGEST = 1 << 20  # keeps n u far below 1/8, as the constants need


def smallest_eigenvalue_bound(
    A: Array,  # (n, n) symmetric float64
) -> float:
    """A number that is certainly at most the smallest eigenvalue of A; -inf when nothing could be proved.

    It lies below the smallest eigenvalue by a small multiple of n u max_i sum_j sqrt(A_ii A_jj), which is at most
    n^2 u max|A|. Raises ValueError when A is not a finite, exactly symmetric float64 matrix.
    """
    import numpy as np

    a = _validated(A)
    largest = float(abs(a).max())
    if largest == 0:
        return 0.0
    exponent = math.frexp(largest)[1]
    with np.errstate(under="ignore", over="ignore"):
        scaled = np.ldexp(a, -exponent)  # largest entry in [1/2, 1); exact but for entries that underflow
        bound = _scaled_bound(scaled)
        # Rounding may only move the result down.
        return float(np.nextafter(np.ldexp(bound, exponent), -np.inf)) if bound > -math.inf else bound


def is_certainly_psd(
    A: Array,  # (n, n) symmetric float64
) -> bool:
    """True only if A is positive semidefinite. False means that it was not proved, not that it is false."""
    return smallest_eigenvalue_bound(A) >= 0


def _scaled_bound(a: Array) -> float:
    """The bound for a matrix whose largest entry is near one, from a shift a little below its smallest eigenvalue."""
    import numpy as np

    n = a.shape[0]
    roots = np.sqrt(abs(np.diagonal(a)))
    noise = 4 * (n + 2) * _U * max(float(roots.max() * roots.sum()), float(abs(a).sum(axis=1).max()))
    estimate = float(np.linalg.eigvalsh(a)[0])
    return _bound_from_shift(a, estimate - noise)


def _bound_from_shift(a: Array, shift: float) -> float:
    """The Gershgorin bound on A - R'R for the Cholesky factor R of A - shift I; -inf when there is no factor."""
    import numpy as np

    n = a.shape[0]
    try:
        R = np.linalg.cholesky(a - shift * np.eye(n)).T
    except np.linalg.LinAlgError:
        return -math.inf
    E = a - R.T @ R
    diagonal = np.diagonal(E)
    size = abs(E).sum(axis=1)
    doubt = _U * size + n * _U / (1 - n * _U) * (abs(R).T @ abs(R).sum(axis=1)) + 8 * n * n * _OMEGA
    # `size` and `doubt` are sums and products of nonnegative numbers, rounded at most 2 n + 10 times on the way.
    radius = (size - abs(diagonal) + doubt) * (1 + 4 * (n + 8) * _U) + 4 * n * _U * size
    bounds = np.nextafter(diagonal - radius, -np.inf)
    return float(bounds.min()) if np.isfinite(bounds).all() else -math.inf


def _validated(A: Array) -> Array:
    import numpy as np

    a = np.asarray(A)
    if a.dtype != np.float64 or a.ndim != 2 or a.shape[0] != a.shape[1] or not 1 <= a.shape[0] <= LARGEST:
        raise ValueError(f"expected a square float64 matrix, got shape {a.shape} and dtype {a.dtype}")
    if not np.isfinite(a).all() or (a != a.T).any():
        raise ValueError("expected a finite, exactly symmetric matrix; pass (A + A.T) / 2, and say that you did")
    return a
