r"""Two real data sets, scaled as every experiment uses them.

.. math:: a_i \in \mathbb R^{p}, \quad i = 0, \dots, n - 1, \qquad \text{labels } b_i .

``breast_cancer()``: n = 569, p = 31. The 30 features of the Wisconsin diagnostic set, each with mean 0 and variance 1 over
the whole set, then a column of ones for the bias. Labels are +1 (benign) and -1 (malignant).

``digits()``: n = 1797, p = 64. The 8×8 images divided by 16, so that every feature lies in [0, 1]; no bias column. Labels
are the classes 0..9; a linear classifier has a parameter of shape (10, 64).

Both ship inside scikit-learn: nothing is downloaded. The arrays are read-only NumPy, shared by all callers.

Source: Street, Wolberg, Mangasarian 1993 (breast cancer); Alpaydin and Kaynak 1998 (digits); UCI, through scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from problems.losses import Logistic, Softmax

__all__ = ["DataSet", "breast_cancer", "digits"]


@dataclass(frozen=True, eq=False)
class DataSet:
    """Features and labels of a classification problem, read-only."""

    name: str
    features: np.ndarray  # (n, p) float64
    labels: np.ndarray  # (n,) int64: ±1 for two classes, 0..classes-1 for more
    classes: int

    def loss(self) -> Logistic | Softmax:
        """The convex loss of a linear classifier: logistic with parameter (p,), or softmax with (classes, p)."""
        if self.classes == 2:
            return Logistic(self.features, self.labels.astype(np.float64))
        return Softmax.from_labels(self.features, self.labels, self.classes)


@cache
def breast_cancer() -> DataSet:
    """The Wisconsin diagnostic breast cancer set, standardised, with a bias column."""
    from sklearn.datasets import load_breast_cancer

    raw, target = (np.asarray(part) for part in load_breast_cancer(return_X_y=True))
    scaled = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    features = np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)
    return _checked("breast_cancer", features, 2 * target.astype(np.int64) - 1, 2, (569, 31))


@cache
def digits() -> DataSet:
    """The 8×8 handwritten digits, pixels in [0, 1]."""
    from sklearn.datasets import load_digits

    raw, target = (np.asarray(part) for part in load_digits(return_X_y=True))
    return _checked("digits", raw / 16.0, target.astype(np.int64), 10, (1797, 64))


def _checked(name: str, features: np.ndarray, labels: np.ndarray, classes: int, shape: tuple[int, int]) -> DataSet:
    """The data set, read-only; raises ValueError when the installed copy is not the one that was described."""
    found = np.unique(labels).tolist()
    expected = [-1, 1] if classes == 2 else list(range(classes))
    if features.shape != shape or labels.shape != shape[:1] or found != expected or not np.isfinite(features).all():
        raise ValueError(
            f"{name} should have features of shape {shape} and labels {expected}, but scikit-learn returned "
            f"{features.shape} and {found}: its copy of the data has changed."
        )
    features.setflags(write=False)
    labels.setflags(write=False)
    return DataSet(name, features, labels, classes)
