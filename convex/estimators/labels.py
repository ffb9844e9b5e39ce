r"""Class labels, and what each row weighs once its class is counted in.

.. math:: \omega_i = s_i\, c_{y_i}, \qquad \text{balanced: } c_k = \frac{\sum_i s_i}{K \sum_{i : y_i = k} s_i},

with s the sample weights. A class all of whose rows weigh nothing does not exist, as if its rows had been removed.

Source: scikit-learn's definition of balanced weights, with weighted counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

__all__ = ["Labels", "labels_and_weights"]


@dataclass(frozen=True, eq=False)
class Labels:
    """The rows that count, with their classes and weights."""

    classes: np.ndarray  # (K,) sorted
    kept: np.ndarray  # (n,) bool, rows with a positive weight
    codes: np.ndarray  # (kept,) int64, index of the class
    weights: np.ndarray  # (kept,) float64, positive

    def signs(self, k: int) -> np.ndarray:  # (kept,) float64
        """+1 for class k, -1 for the others."""
        return np.where(self.codes == k, 1.0, -1.0)


def labels_and_weights(
    y: np.ndarray,  # (n,) labels
    sample_weight: np.ndarray,  # (n,) float64, at least 0
    class_weight: Mapping[Any, float] | str | None,
) -> Labels:
    """Classes and weights.  Raises ValueError for targets that are not labels, and when fewer than two classes are left."""
    if not surely_classes(y):
        check_classification_targets(y)
    counted = sample_weight > 0
    classes = np.unique(y[counted])
    codes = np.zeros(len(y), dtype=np.int64)
    codes[counted] = np.searchsorted(classes, y[counted])
    per_class = _per_class(classes, codes[counted], sample_weight[counted], class_weight)
    weights = sample_weight * per_class[codes]
    weights /= max(weights.max(), np.finfo(np.float64).tiny)
    kept = weights > 0
    left = np.unique(codes[kept])
    if len(left) < 2:
        found = classes[left].tolist()
        raise ValueError(f"A classifier needs rows of at least 2 classes with positive weight, got 1 class: {found}.")
    codes = np.searchsorted(left, codes[kept])
    return Labels(classes[left], kept, codes, weights[kept])


def surely_classes(y: np.ndarray) -> bool:
    """Whether labels are of a kind that scikit-learn's check lets pass; a small fit takes as long as that check."""
    return y.dtype.kind in "biuUS" or (y.dtype.kind == "f" and np.array_equal(y, np.rint(y)))


def _per_class(
    classes: np.ndarray,  # (K,)
    codes: np.ndarray,  # (n,)
    weights: np.ndarray,  # (n,) positive
    class_weight: Mapping[Any, float] | str | None,
) -> np.ndarray:  # (K,) float64
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str):  # "balanced"
        return weights.sum() / (len(classes) * np.bincount(codes, weights, len(classes)))
    unweighted = [label for label in classes.tolist() if label not in class_weight]
    unknown = [label for label in class_weight if label not in classes.tolist()]
    if unweighted and unknown:  # a fold may lack a class that has a weight; a class without one beside it is a slip
        raise ValueError(f"class_weight has {unknown}, which y has not, and nothing for the classes {unweighted} of y.")
    given = np.array([class_weight.get(label, 1.0) for label in classes.tolist()], dtype=np.float64)
    if not (np.isfinite(given).all() and (given >= 0).all()):
        raise ValueError(f"class_weight must hold finite numbers of at least 0, got {dict(class_weight)!r}.")
    return given / max(given.max(), np.finfo(np.float64).tiny)
