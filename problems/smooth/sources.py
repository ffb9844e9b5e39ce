r"""Smooth problems from data: arrays, sparse matrices, scikit-learn's data sets, svmlight, CSV and npz files.

.. math:: f(x) = \frac1n \sum_i \ell(\langle a_i, x\rangle, b_i) + \tfrac{\alpha}{2}\|x\|^2 .

Two classes become ±1 in sorted order; "softmax" takes any number of classes, with a parameter of shape (classes, p). There is no
intercept: append a column of ones for one.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from problems.composite import Composite
from problems.datasets import DataSet, breast_cancer, digits
from problems.losses import CurvedLoss, Huber, LeastSquares, LinearPredictor, Logistic, Softmax
from problems.penalties import SquaredL2
from problems.smooth.finite_sum import FiniteSum
from problems.smooth.sparse import SparseLinearPredictor
from structures.arrays import asarray_like, namespace, to_numpy

__all__ = ["LOSSES", "from_arrays", "from_data_set", "from_file"]

LOSSES = ("logistic", "softmax", "least_squares", "huber")
OTHER_NAMES = MappingProxyType({"squared_error": "least_squares", "log_loss": "logistic"})
BUILT_IN: dict[str, Callable[[], DataSet]] = {"breast_cancer": breast_cancer, "digits": digits}


def from_arrays(
    X: Any,  # (n, p) array of any namespace, or scipy.sparse matrix
    y: Any,  # (n,) class labels or numbers
    loss: str = "logistic",  # one of LOSSES, or scikit-learn's name of it
    *,
    alpha: float = 0.0,  # weight of the ridge
    delta: float = 1.35,  # where huber turns linear, in units of y
    weights: Any = None,  # (n,) of the samples
    minibatch: int = 1,
    sampling: str = "uniform",  # or "importance"
) -> FiniteSum:
    """The problem; integers, booleans and half precisions are taken as float64.

    Raises ValueError for an unknown loss, labels that do not fit it, or data that are not finite real numbers.
    """
    loss = OTHER_NAMES.get(loss, loss)
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {LOSSES}, got {loss!r}.")
    X, y = real_features(X), to_numpy(np.asarray(y) if isinstance(y, list | tuple) else y)
    if len(X.shape) != 2 or np.shape(y) != (X.shape[0],):
        raise ValueError(f"X must be (n, p) and y (n,), got {tuple(X.shape)} and {np.shape(y)}.")
    if 0 in X.shape:
        raise ValueError(f"at least one row and one column are needed, got X of shape {tuple(X.shape)}.")
    build = _sparse if hasattr(X, "tocsr") else _dense
    composite = Composite(build(X, y, loss, delta), SquaredL2(alpha), weights)
    return FiniteSum(composite, minibatch, sampling)


def from_data_set(name: str, loss: str | None = None, **options: Any) -> FiniteSum:
    """A data set of this project ("breast_cancer", "digits") or any ``sklearn.datasets.load_NAME`` that returns X and y.

    Features of scikit-learn's sets are standardised. `loss` is chosen by the targets if it is None; `options` are those of
    `from_arrays`. Raises ValueError for an unknown name.
    """
    if name in BUILT_IN:
        data = BUILT_IN[name]()
        return from_arrays(
            data.features, data.labels, loss or ("logistic" if data.classes == 2 else "softmax"), **options
        )
    import sklearn.datasets

    load = getattr(sklearn.datasets, f"load_{name}", None)
    if load is None:
        raise ValueError(
            f"scikit-learn has no data set {name!r}, and neither has this project ({', '.join(BUILT_IN)})."
        )
    raw, y = (np.asarray(part) for part in load(return_X_y=True))
    X = raw.astype(np.float64) - raw.mean(axis=0)
    spread = X.std(axis=0)
    return from_arrays(X / np.where(spread > 0, spread, 1.0), y, loss or _natural(y), **options)


def from_file(path: Path | str, loss: str | None = None, *, n_features: int | None = None, **options: Any) -> FiniteSum:
    """An svmlight, CSV or npz file, plain or compressed; svmlight stays sparse.

    `loss` is chosen by the targets if it is None. Raises ReadError naming the line, OSError when the file cannot be opened.
    """
    from problems.readers import read

    data = read(path, n_features=n_features)
    chosen = loss or _natural(data.y)
    X = data.X.toarray() if chosen == "softmax" and hasattr(data.X, "toarray") else data.X
    return from_arrays(X, data.y, chosen, **options)


def _natural(y: np.ndarray) -> str:
    """Logistic for two classes, softmax for words or a few integers, least squares otherwise."""
    classes = len(np.unique(y))
    if classes == 2:
        return "logistic"
    few = y.dtype.kind in "USOb" or (y.dtype.kind in "iu" and classes <= max(20, int(len(y) ** 0.5)))
    return "softmax" if few else "least_squares"


def real_features(X: Any) -> Any:
    """X in single or double precision, whatever real numbers it holds. Raises ValueError for any other kind of data."""
    if hasattr(X, "tocsr"):
        if X.dtype.kind not in "fiub":
            raise ValueError(f"X must hold real numbers, got a sparse matrix of {X.dtype}.")
        return X
    if not hasattr(X, "dtype"):
        X = np.asarray(X)
    if isinstance(X, np.ndarray) and X.dtype.kind not in "fiub":
        raise ValueError(f"X must hold real numbers, got an array of dtype {X.dtype}.")
    xp = namespace(X)
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"X must hold real numbers, got {X.dtype}.")
    precise = xp.isdtype(X.dtype, "real floating") and float(xp.finfo(X.dtype).eps) <= float(xp.finfo(xp.float32).eps)
    return X if precise else xp.astype(X, xp.float64)


def _dense(X: Any, y: np.ndarray, loss: str, delta: float) -> CurvedLoss:
    if loss == "softmax":
        classes, codes = np.unique(known_labels(y), return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"softmax needs two classes or more, got {len(classes)}: all labels are the same.")
        return Softmax.from_labels(X, codes, len(classes))
    targets = asarray_like(_targets(y, loss), X)
    if loss == "huber":
        return Huber(X, targets, delta)
    return Logistic(X, targets) if loss == "logistic" else LeastSquares(X, targets)


def _sparse(X: Any, y: np.ndarray, loss: str, delta: float) -> CurvedLoss:
    if loss == "softmax":
        raise ValueError("softmax takes dense features: pass X.toarray() if it fits into memory.")
    one, label = np.zeros((1, 1)), np.ones(1)
    links: dict[str, LinearPredictor] = {
        "logistic": Logistic(one, label),
        "least_squares": LeastSquares(one, label),
        "huber": Huber(one, label, delta),
    }
    return SparseLinearPredictor(links[loss], X, _targets(y, loss))


def _targets(y: np.ndarray, loss: str) -> np.ndarray:
    """Floats, or ±1 in the order of the two classes."""
    if loss != "logistic":
        if y.dtype.kind not in "fiub":
            raise ValueError(f"{loss} needs real numbers as targets, got {y.dtype}.")
        return np.asarray(y, dtype=np.float64)
    classes = np.unique(known_labels(y))
    if len(classes) < 2:
        raise ValueError(f"logistic needs two classes, got {len(classes)}: all labels are the same.")
    if len(classes) > 2:
        raise ValueError(f"logistic needs two classes, got {len(classes)}: use softmax for more.")
    return np.where(y == classes[1], 1.0, -1.0)


def known_labels(y: np.ndarray) -> np.ndarray:
    """The labels. Raises ValueError when one of them is missing (NaN or infinite)."""
    if y.dtype.kind == "f" and not np.all(np.isfinite(y)):
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(f"the label of row {row} (the first is 0) is {y[row]}: leave such rows out.")
    return y
