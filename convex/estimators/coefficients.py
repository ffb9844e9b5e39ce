r"""Scores of a linear model, and its weights in dense or sparse storage.

.. math:: s = X w^\top + b .
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

__all__ = ["SparseCoefficients", "linear_scores"]

BLOCK = 2**20  # entries of X converted at a time


def linear_scores(
    X: Any,  # (n, d) dense or sparse
    coef: Any,  # (d,) or (k, d) dense, or (k, d) sparse
    intercept: Any,  # () or (k,)
) -> np.ndarray:  # (n,) or (n, k) float64
    """X coefᵀ + intercept.  A float32 X is converted block by block: a memory-mapped one may not fit twice, or at all."""
    if sparse.issparse(X) or X.dtype == np.float64:
        return safe_sparse_dot(X, coef.T, dense_output=True) + intercept
    rows = max(1, BLOCK // max(1, X.shape[1]))
    starts = range(0, X.shape[0], rows)
    blocks = [safe_sparse_dot(X[i : i + rows].astype(np.float64), coef.T, dense_output=True) for i in starts]
    return np.concatenate(blocks) + intercept


class SparseCoefficients:
    """Mixin: `coef_` of shape (k, d) as a CSR matrix and back; predictions stay the same."""

    coef_: Any

    def sparsify(self) -> Self:
        """Store `coef_` as a SciPy CSR matrix: smaller, and faster to predict with, when most weights are 0."""
        check_is_fitted(self, "coef_")
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Store `coef_` as an array again."""
        check_is_fitted(self, "coef_")
        if sparse.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self
