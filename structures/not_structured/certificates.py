r"""Numbers that prove the failures: a vector whose projected square is indefinite, and pairs on which P_H is not monotone.

For each linear set a vector x with :math:`\lambda_{\min}(E(xx^\top)) < 0`; for each set that is not a cone of diagonals an M
and a v with :math:`P_{\mathcal H}(M + vv^\top) \not\succeq P_{\mathcal H}(M)`. Entries are integers wherever the set allows it.

Source: derived here, docs/proofs/characterisation.md#counterexamples.
"""

from __future__ import annotations

import numpy as np

from structures.base import Structure
from structures.not_structured.diagonal_linear import DiagonalLinear
from structures.not_structured.kronecker_set import KroneckerSet
from structures.not_structured.patterns import (
    DiagonalPlusRankOne,
    KroneckerSum,
    PathSpan,
    Star,
    SymmetricToeplitz,
    Tridiagonal,
)

__all__ = ["indefinite_squares", "monotonicity_failures"]


def indefinite_squares() -> list[tuple[Structure, np.ndarray]]:
    """(L, x) with λ_min(E(x xᵀ)) < 0."""
    vectors: list[tuple[Structure, list[float]]] = [
        (Tridiagonal((3,)), [1, -1, 1]),
        (SymmetricToeplitz((3,)), [1, 0, 1]),
        (Star((4,)), [3**0.5, 1, 1, 1]),
        (DiagonalPlusRankOne((3,)), [0, 1, -1]),
        (KroneckerSum((2, 2)), [1, 0, 0, 0]),
        (PathSpan((3,)), [1, -(2**0.5), 1]),
        (DiagonalLinear((3,)), [1, 0, 0]),
    ]
    return [(L, np.asarray(x, dtype=float)) for L, x in vectors]


def monotonicity_failures() -> list[tuple[Structure, np.ndarray, np.ndarray]]:
    """(H, M, N) with M ⪯ N but P_H(M) ⪯̸ P_H(N)."""
    pairs: list[tuple[Structure, list[list[float]], list[float]]] = [
        (Tridiagonal((3,)), [[8, 2, 12], [2, 1, 3], [12, 3, 19]], [-3, -4, 1]),
        (SymmetricToeplitz((3,)), [[2, -3, -2], [-3, 13, 5], [-2, 5, 3]], [-2, 2, -3]),
        (DiagonalPlusRankOne((3,)), [[17, -7, -10], [-7, 5, 6], [-10, 6, 8]], [4, 2, 1]),
        (KroneckerSum((2, 2)), [[19, -3, -5, 8], [-3, 28, 4, 21], [-5, 4, 6, -1], [8, 21, -1, 23]], [-1, -2, 2, 4]),
        (Star((4,)), [[6, -11, 4, -1], [-11, 31, -18, -1], [4, -18, 31, -8], [-1, -1, -8, 7]], [-2, -2, -2, -3]),
        (PathSpan((3,)), [[18, -3, -18], [-3, 2, 2], [-18, 2, 19]], [-1, -3, -4]),
        (DiagonalLinear((3,)), [[0.01, 0, 0], [0, 1, 0], [0, 0, 0.0001]], [0, 0, 0.1]),
        (KroneckerSet((2, 2)), [[5, 0, 4, -4], [0, 3, -2, 0], [4, -2, 10, -2], [-4, 0, -2, 7]], [-3, 3, 2, -2]),
    ]
    arrays = [(H, np.asarray(M, dtype=float), np.asarray(v, dtype=float)) for H, M, v in pairs]
    return [(H, M, M + np.outer(v, v)) for H, M, v in arrays]
