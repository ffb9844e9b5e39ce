r"""DASVRDARegressor: least squares and Huber regression with an elastic net, solved to a certified duality gap.

.. math::
    \text{squared\_error}: \varphi(t; y) = \tfrac12 (t - y)^2, \qquad
    \text{huber}: \varphi(t; y) = \begin{cases} \tfrac12 r^2 & |r| \le \varepsilon \\ \varepsilon |r| - \tfrac12 \varepsilon^2 &
    \text{beyond} \end{cases}, \quad r = t - y .

Source: murata2017doubly.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from convex.estimators.base import FiniteSumEstimator, warn_of
from convex.estimators.coefficients import linear_scores
from convex.estimators.parameters import check_parameters
from convex.estimators.validation import (
    design_and_target,
    design_for_prediction,
    keep_features,
    keep_rows,
    positive_weights,
)

__all__ = ["DASVRDARegressor"]

LOSSES = ("squared_error", "huber")


class DASVRDARegressor(RegressorMixin, FiniteSumEstimator):
    """Linear regression; the objective is that of `ElasticNet` (same alpha and l1_ratio), also for the Huber loss.

    Parameters
    ----------
    alpha : strength of the penalty, at least 0.
    l1_ratio : share of the L1 norm in it, between 0 (L2 only) and 1 (L1 only).
    loss : "squared_error" or "huber".
    epsilon : where the Huber loss turns linear, in units of y; unused by "squared_error".
    fit_intercept : add a constant, which is not penalised.
    tol : duality gap at which to stop, in units of the objective (for "squared_error": of y squared).
    max_iter : largest number of passes over the data (the step at work is ended: up to four more).
    warm_start : begin at the result of the previous `fit`.
    verbose : show a progress bar with the gap.
    random_state : seed of the mini-batches.
    callback : called with a record (passes, seconds, objective, gap, nonzeros, phase) as the solver goes; a true answer stops it.
    options : None, a dict, or a `convex.engine.Options`: what the solver adds to the published method. By default a few stages
        of DASVRDA are ended by second-order steps, and from 1000 features on those do all of it: `Options(finish=False)` is
        DASVRDA to the end, `Options.published(restart=None)` the variant that the theorem covers.

    Attributes after `fit`: coef_ (n_features,), intercept_ (float), objective_, dual_gap_ (certified: the objective is at most
    this far above its minimum), n_iter_ (passes), history_ (the records), n_features_in_, feature_names_in_.

    Raises ValueError for parameters and data that are out of range; warns with ConvergenceWarning when the gap is above `tol`.
    """

    def __init__(
        self,
        *,
        alpha: float = 1e-4,
        l1_ratio: float = 0.0,
        loss: str = "squared_error",
        epsilon: float = 1.35,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
        callback: Any = None,
        options: Any = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.loss = loss
        self.epsilon = epsilon
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.callback = callback
        self.options = options

    def fit(
        self,
        X: Any,  # (n, d) array, memmap, frame or sparse matrix
        y: Any,  # (n,) numbers
        sample_weight: Any = None,  # (n,) at least 0; the mean loss is weighted by it, rows of weight 0 do not count
    ) -> Self:
        """Minimise the objective; returns the estimator.  Raises ValueError for bad data or parameters."""
        check_parameters(self, LOSSES)
        X, y, seen = design_and_target(self, X, y, numeric=True)
        weights = positive_weights(sample_weight, X)
        kept = weights > 0
        target = np.asarray(y, dtype=np.float64)[kept]
        solution, advice = self._minimise(keep_rows(X, kept), target, weights[kept], self.loss, self._start(X.shape[1]))
        self.coef_, self.intercept_ = solution.coef, float(solution.intercept)
        self.objective_, self.dual_gap_ = float(solution.objective), float(solution.gap)
        self.n_iter_, self.history_ = float(solution.passes), tuple(solution.history)
        keep_features(self, seen)
        warn_of([advice])
        return self

    def predict(
        self,
        X: Any,  # (n, d)
    ) -> np.ndarray:  # (n,)
        """X coef_ + intercept_."""
        check_is_fitted(self, "coef_")
        return linear_scores(design_for_prediction(self, X), self.coef_, self.intercept_)

    def _start(self, features: int) -> tuple[np.ndarray, float] | None:
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        if self.coef_.shape != (features,):
            raise ValueError(
                f"warm_start=True needs the features of the previous fit: coef_ has shape {self.coef_.shape}, X has {features} "
                "features. Clone the estimator or set warm_start=False."
            )
        return self.coef_, self.intercept_ if self.fit_intercept else 0.0
