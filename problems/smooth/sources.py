r"""Smooth problems from data: arrays, sparse matrices, scikit-learn's data sets, svmlight, CSV and npz files.

.. math:: f(x) = \frac1n \sum_i \ell(\langle a_i, x\rangle, b_i) + \tfrac{\alpha}{2}\|x\|^2 .

Two classes become ±1 in sorted order; "softmax" takes any number of classes, with a parameter of shape (classes, p). There is no
intercept: append a column of ones for one.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from problems.composite import Composite
from problems.datasets import DataSet, breast_cancer, digits
from problems.losses import CurvedLoss, Huber, LeastSquares, LinearPredictor, Logistic, Softmax
from problems.penalties import SquaredL2
from problems.smooth.finite_sum import FiniteSum
from problems.smooth.sparse import SparseLinearPredictor
from structures.arrays import asarray_like, to_numpy

__all__ = ["LOSSES", "from_arrays", "from_data_set", "from_file"]

LOSSES = ("logistic", "softmax", "least_squares", "huber")
BUILT_IN: dict[str, Callable[[], DataSet]] = {"breast_cancer": breast_cancer, "digits": digits}


def from_arrays(
    X: Any,  # (n, p) array of any namespace, or scipy.sparse matrix
    y: Any,  # (n,) class labels or numbers
    loss: str = "logistic",  # one of LOSSES
    *,
    alpha: float = 0.0,  # weight of the ridge
    delta: float = 1.35,  # where huber turns linear, in units of y
    weights: Any = None,  # (n,) of the samples
    minibatch: int = 1,
    sampling: str = "uniform",  # or "importance"
) -> FiniteSum:
    """The problem. Raises ValueError for an unknown loss, labels that do not fit it, or data that are not finite."""
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {LOSSES}, got {loss!r}.")
    if len(X.shape) != 2 or np.shape(to_numpy(y)) != (X.shape[0],):
        raise ValueError(f"X must be (n, p) and y (n,), got {tuple(X.shape)} and {np.shape(to_numpy(y))}.")
    build = _sparse if hasattr(X, "tocsr") else _dense
    composite = Composite(build(X, to_numpy(y), loss, delta), SquaredL2(alpha), weights)
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


def _dense(X: Any, y: np.ndarray, loss: str, delta: float) -> CurvedLoss:
    if loss == "softmax":
        classes, codes = np.unique(y, return_inverse=True)
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
        return np.asarray(y, dtype=np.float64)
    classes = np.unique(y)
    if len(classes) != 2:
        raise ValueError(f"logistic needs two classes, got {len(classes)}: use softmax for more.")
    return np.where(y == classes[1], 1.0, -1.0)
