r"""What the classifier and the regressor share: one finite-sum problem from parameters and data, solved to a certified gap.

.. math::
    P(w, b) = \frac{\sum_i \omega_i\, \varphi(x_i^\top w + b;\, y_i)}{\sum_i \omega_i}
        + \alpha \Big( \rho\, \|w\|_1 + \frac{1 - \rho}{2}\, \|w\|_2^2 \Big), \qquad \rho = \text{l1\_ratio},

the intercept b not penalised. The solver stops when a dual feasible point proves that P is within `tol` of its minimum.

Source: murata2017doubly for DASVRDA; the certificate is derived here.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from convex.engine import Solution, minimise
from convex.estimators.parameters import engine_options
from convex.estimators.polish import polished, worth_polishing
from convex.estimators.progress import watching

__all__ = ["FiniteSumEstimator", "warn_of"]


class FiniteSumEstimator(BaseEstimator):
    """Base of the estimators: calls the engine, warns when the gap is not reached."""

    alpha: float
    l1_ratio: float
    fit_intercept: bool
    tol: float
    max_iter: int
    warm_start: bool
    verbose: int
    random_state: Any
    callback: Any
    options: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _minimise(
        self,
        X: Any,  # (n, d) as `design_and_target` returns it
        y: np.ndarray,  # (n,) float64, as the loss wants it
        weights: np.ndarray,  # (n,) float64, positive
        loss: str,
        start: tuple[Any, Any] | None,  # coefficients and intercept
        label: str = "",  # which of several problems this is, for the bar and the warning
        l2_factor: float = 1.0,
    ) -> tuple[Solution, str]:
        """The solution, and what to warn of ("" when all is well)."""
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        name, options = type(self).__name__ + label, engine_options(self.options)
        with watching(self.callback, bool(self.verbose), self.max_iter, name) as watch:
            solve = partial(
                minimise,
                X,
                y,
                loss=loss,
                l1=self.alpha * self.l1_ratio,
                l2=self.alpha * (1.0 - self.l1_ratio) * l2_factor,
                sample_weight=weights,
                fit_intercept=bool(self.fit_intercept),
                epsilon=float(getattr(self, "epsilon", 1.35)),
                options=options,
                seed=seed,
            )
            solution = solve(tol=float(self.tol), max_passes=int(self.max_iter), start=start, callback=watch)
            stopped = watch is not None and watch.stopped
            if options.finish and not stopped and worth_polishing(X, float(self.tol)):
                solution = polished(solve, solution, float(self.tol), int(self.max_iter), watch)
        _require_finite(name, solution)
        return solution, "" if stopped else self._advice(name, solution)

    def _advice(self, name: str, solution: Solution) -> str:
        if solution.converged:
            return ""
        reached = (
            f"{name} has a duality gap of {solution.gap:.3g} after {solution.passes:.0f} passes, which is above "
            f"tol={self.tol:g}: the objective {solution.objective:.6g} is at most that far above its minimum."
        )
        if self.alpha == 0:
            return (
                f"{reached} Without a penalty there is a smaller certificate only near the minimum of a problem with one score "
                "a row, at most 1000 features, and columns that are linearly independent beyond all rounding: drop those that "
                "depend on others, raise max_iter, or set alpha above 0, for instance 1e-10."
            )
        if solution.passes < self.max_iter:
            return f"{reached} Rounding stops it there: raise tol, or scale the features and the target to about 1."
        return (
            f"{reached} Raise max_iter (now {self.max_iter}) or tol, scale the features to variance 1, or raise alpha."
        )


def warn_of(messages: Iterable[str]) -> None:
    """One ConvergenceWarning per message that is not empty, at the line that called `fit`."""
    for message in filter(None, messages):
        warnings.warn(message, ConvergenceWarning, stacklevel=3)


def _require_finite(name: str, solution: Solution) -> None:
    finite = math.isfinite(solution.objective) and np.isfinite(solution.coef).all()
    if not (finite and np.isfinite(solution.intercept).all()):
        raise ValueError(f"{name}: the objective overflows in float64. Scale the features and the target to about 1.")
