"""From what a user passes to what the engine takes: a design matrix in one of its layouts, and positive weights.

A C-contiguous float32 or float64 array or `numpy.memmap` goes through as it is, without a copy; so does a CSR matrix whose
indices are sorted and unique. Whatever else scikit-learn accepts is converted: frames, lists, integers, Fortran order, CSC and
COO matrices, and CSR matrices with unsorted or repeated entries (repeated ones are added up). The caller's arrays are never
changed.

Source: `sklearn.utils.validation`.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight, validate_data

__all__ = ["design_and_target", "design_for_prediction", "keep_features", "keep_rows", "positive_weights"]

LARGEST = 1e100  # third powers of it still are numbers: slopes times features, times a step
ACCEPTED = {"accept_sparse": "csr", "dtype": (np.float64, np.float32), "order": "C", "accept_large_sparse": True}


def design_and_target(
    estimator: Any,
    X: Any,  # (n, d) whatever scikit-learn's check_array accepts
    y: Any,  # (n,)
    numeric: bool,  # y holds numbers, not labels
) -> tuple[Any, np.ndarray, Any]:
    """X as the engine takes it, y as one axis, and what `keep_features` wants.  Raises ValueError as scikit-learn does."""
    seen = copy(estimator)  # a fit that is refused later must not change what the estimator knows of its features
    # scikit-learn adds all of X up, and looks again where that overflows.
    with np.errstate(over="ignore", invalid="ignore"):
        X, y = validate_data(seen, X, y, y_numeric=numeric, **ACCEPTED)
    X = _canonical(X)
    _require_squares(X.data if sparse.issparse(X) else X, "features")
    if numeric:
        _require_squares(y, "target")
    return X, y, seen


def keep_features(estimator: Any, seen: Any) -> None:
    """Number and names of the features, from what `design_and_target` handed back: when the fit is done."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(seen, name):
            setattr(estimator, name, getattr(seen, name))
        elif hasattr(estimator, name):
            delattr(estimator, name)


def design_for_prediction(estimator: Any, X: Any) -> Any:
    """X with the features that the estimator was fitted on; ValueError when they differ."""
    with np.errstate(over="ignore", invalid="ignore"):
        return validate_data(estimator, X, reset=False, **ACCEPTED)


def positive_weights(
    sample_weight: Any,  # (n,) or a number or None
    X: Any,  # (n, d)
) -> np.ndarray:  # (n,) float64 at least 0, largest 1
    """The weights over the largest one: only their ratios matter, and a sum of huge ones would overflow."""
    if sample_weight is None:
        return np.ones(X.shape[0])
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if weights.min() < 0:
        first = int(np.argmin(weights))
        raise ValueError(f"Negative values in sample_weight: the smallest is {weights[first]:g}, at row {first}.")
    if not weights.max() > 0:  # older releases of scikit-learn let them pass
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights / weights.max()


def keep_rows(
    X: Any,  # (n, d)
    kept: np.ndarray,  # (n,) bool
) -> Any:
    """The rows that are kept: X itself, without a copy, when all of them are."""
    return X if kept.all() else X[kept]


def _require_squares(values: np.ndarray, what: str) -> None:
    """Refuse what may overflow when it is squared and multiplied again; float32 and integers cannot."""
    if values.dtype == np.float64 and values.size and max(values.max(), -values.min()) > LARGEST:
        raise ValueError(
            f"The {what} are above {LARGEST:g} in size, where products of them overflow in float64. Scale the {what} to about 1, "
            "for instance with sklearn.preprocessing.StandardScaler or MaxAbsScaler."
        )


def _canonical(X: Any) -> Any:
    if not sparse.issparse(X) or X.has_canonical_format:
        return X
    X = X.copy()
    X.sum_duplicates()
    if not np.isfinite(X.data).all():
        raise ValueError("Input X contains infinity: repeated entries of the sparse matrix overflow when added up.")
    return X
