r"""DASVRDAClassifier: linear classification with an elastic net, solved to a certified duality gap.

.. math::
    \text{log\_loss}: \log(1 + e^{-yt}), \qquad \text{squared\_hinge}: (1 - yt)_+^2, \qquad
    \text{modified\_huber}: (1 - yt)_+^2 \text{ for } yt \ge -1, \; -4yt \text{ below}, \qquad
    \text{multinomial}: \log \textstyle\sum_l e^{t_l} - t_y .

With more than two classes "log_loss" and "multinomial" are one joint softmax problem with weights (K, d), "squared_hinge" and
"modified_huber" are one problem per class, that class against the rest.

With two classes "log_loss" has one weight vector w, and "multinomial" stands for the softmax problem with two. That one has
:math:`w_1 = -w_0` at its minimum, and :math:`\|w_0\|_1 + \|w_1\|_1 = \|w\|_1`, :math:`\|w_0\|^2 + \|w_1\|^2 = \|w\|^2 / 2` for
:math:`w = w_1 - w_0`: it is solved as "log_loss" with half the L2 penalty, and coef_ is w, the weights of the log odds.

Source: murata2017doubly; the reduction is derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from convex.engine import Solution
from convex.estimators.base import FiniteSumEstimator, warn_of
from convex.estimators.coefficients import SparseCoefficients, linear_scores
from convex.estimators.labels import Labels, labels_and_weights
from convex.estimators.parameters import check_parameters
from convex.estimators.probabilities import log_probabilities, modified_huber_probabilities, probabilities
from convex.estimators.validation import (
    design_and_target,
    design_for_prediction,
    keep_features,
    keep_rows,
    positive_weights,
)

__all__ = ["DASVRDAClassifier"]

LOSSES = ("log_loss", "multinomial", "squared_hinge", "modified_huber")
JOINT = ("log_loss", "multinomial")  # a softmax when there are more than two classes


def _has_probabilities(estimator: DASVRDAClassifier) -> bool:
    if estimator.loss == "squared_hinge":
        raise AttributeError("probability estimates are not available for loss='squared_hinge'")
    return True


class DASVRDAClassifier(ClassifierMixin, SparseCoefficients, FiniteSumEstimator):
    """Linear classification: logistic, softmax, squared hinge or modified Huber loss with an elastic-net penalty.

    Parameters
    ----------
    alpha : strength of the penalty, at least 0; the L2 problem is that of `LogisticRegression(C=1 / (alpha * sum of weights))`.
    l1_ratio : share of the L1 norm in it, between 0 (L2 only) and 1 (L1 only).
    loss : "log_loss" (logistic; softmax for more than two classes), "multinomial" (softmax), "squared_hinge", "modified_huber".
    fit_intercept : add a constant per class, which is not penalised.
    tol : duality gap at which to stop, in units of the objective; for one-vs-rest that of each class.
    max_iter : largest number of passes over the data (the step at work is ended: up to four more); for one-vs-rest of each class.
    class_weight : None, a dict from class to weight, or "balanced"; multiplies sample_weight.
    warm_start : begin at the result of the previous `fit`.
    verbose : show a progress bar with the gap.
    random_state : seed of the mini-batches.
    callback : called with a record (passes, seconds, objective, gap, nonzeros, phase) as the solver goes; a true answer stops it.
    options : None, a dict, or a `convex.engine.Options`: what the solver adds to the published method. By default a few stages
        of DASVRDA are ended by second-order steps, and from 1000 features on those do all of it: `Options(finish=False)` is
        DASVRDA to the end, `Options.published(restart=None)` the variant that the theorem covers.

    Attributes after `fit`: classes_ (K,), coef_ (1, n_features) or (K, n_features), intercept_ (1,) or (K,), objective_,
    dual_gap_ (certified: the objective is at most this far above its minimum), n_iter_ (passes), history_ (the records),
    n_features_in_, feature_names_in_. For one-vs-rest objective_, dual_gap_ and n_iter_ are arrays (K,), and history_ has one
    tuple per class.

    Raises ValueError for parameters and data that are out of range; warns with ConvergenceWarning when the gap is above `tol`.
    """

    def __init__(
        self,
        *,
        alpha: float = 1e-4,
        l1_ratio: float = 0.0,
        loss: str = "log_loss",
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 1000,
        class_weight: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
        callback: Any = None,
        options: Any = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.callback = callback
        self.options = options

    def fit(
        self,
        X: Any,  # (n, d) array, memmap, frame or sparse matrix
        y: Any,  # (n,) labels: numbers, strings or booleans
        sample_weight: Any = None,  # (n,) at least 0; the mean loss is weighted by it, rows of weight 0 do not count
    ) -> Self:
        """Minimise the objective; returns the estimator.  Raises ValueError for bad data or parameters."""
        check_parameters(self, LOSSES)
        X, y, seen = design_and_target(self, X, y, numeric=False)
        labels = labels_and_weights(y, positive_weights(sample_weight, X), self.class_weight)
        X = keep_rows(X, labels.kept)
        start = self._start(labels, X.shape[1])
        if len(labels.classes) == 2:
            found = [self._two_classes(X, labels, start)]
        elif self.loss in JOINT:
            found = [self._minimise(X, labels.codes.astype(np.float64), labels.weights, "multinomial", start)]
        else:
            found = self._one_vs_rest(X, labels, start)
        self._keep([solution for solution, _ in found])
        self.classes_ = labels.classes
        keep_features(self, seen)
        warn_of(advice for _, advice in found)
        return self

    def decision_function(
        self,
        X: Any,  # (n, d)
    ) -> np.ndarray:  # (n,) for two classes, (n, K) for more
        """X coef_ᵀ + intercept_; positive means `classes_[1]` when there are two classes."""
        check_is_fitted(self, "coef_")
        scores = linear_scores(design_for_prediction(self, X), self.coef_, self.intercept_)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(
        self,
        X: Any,  # (n, d)
    ) -> np.ndarray:  # (n,) labels
        """The class with the largest score."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(np.int64) if scores.ndim == 1 else scores.argmax(axis=1)]

    @available_if(_has_probabilities)
    def predict_proba(
        self,
        X: Any,  # (n, d)
    ) -> np.ndarray:  # (n, K), rows sum to 1
        """Class probabilities; for "modified_huber" as `SGDClassifier` defines them, none for "squared_hinge"."""
        scores = self.decision_function(X)
        return modified_huber_probabilities(scores) if self.loss == "modified_huber" else probabilities(scores)

    @available_if(_has_probabilities)
    def predict_log_proba(
        self,
        X: Any,  # (n, d)
    ) -> np.ndarray:  # (n, K)
        """Logarithms of the class probabilities; -inf where "modified_huber" has probability 0."""
        if self.loss != "modified_huber":
            return log_probabilities(self.decision_function(X))
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _two_classes(self, X: Any, labels: Labels, start: tuple[np.ndarray, np.ndarray] | None) -> tuple[Solution, str]:
        loss, factor = ("log_loss", 0.5) if self.loss == "multinomial" else (self.loss, 1.0)
        first = None if start is None else (start[0][0], float(start[1][0]))
        return self._minimise(X, labels.signs(1), labels.weights, loss, first, l2_factor=factor)

    def _one_vs_rest(
        self, X: Any, labels: Labels, start: tuple[np.ndarray, np.ndarray] | None
    ) -> list[tuple[Solution, str]]:
        found = []
        for k, name in enumerate(labels.classes.tolist()):
            first = None if start is None else (start[0][k], float(start[1][k]))
            label = f" ({name!r} against the rest)"
            found.append(self._minimise(X, labels.signs(k), labels.weights, self.loss, first, label))
        return found

    def _keep(self, solutions: Sequence[Solution]) -> None:
        """One problem gives numbers, one per class gives arrays (K,)."""
        self.coef_ = np.vstack([s.coef for s in solutions])
        self.intercept_ = np.concatenate([np.atleast_1d(s.intercept) for s in solutions]).astype(np.float64)
        columns = [(s.objective, s.gap, s.passes) for s in solutions]
        values = columns[0] if len(columns) == 1 else (np.array(column) for column in zip(*columns, strict=True))
        self.objective_, self.dual_gap_, self.n_iter_ = values
        histories = tuple(tuple(s.history) for s in solutions)
        self.history_ = histories[0] if len(histories) == 1 else histories

    def _start(self, labels: Labels, features: int) -> tuple[np.ndarray, np.ndarray] | None:
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        rows = 1 if len(labels.classes) == 2 else len(labels.classes)
        if self.coef_.shape != (rows, features) or not np.array_equal(self.classes_, labels.classes):
            raise ValueError(
                f"warm_start=True needs the classes and features of the previous fit: there are classes "
                f"{self.classes_.tolist()} and {self.coef_.shape[1]} features in it, here {labels.classes.tolist()} and "
                f"{features}. Clone the estimator or set warm_start=False."
            )
        coef = self.coef_.toarray() if sparse.issparse(self.coef_) else self.coef_
        return coef, self.intercept_ if self.fit_intercept else np.zeros(rows)
