r"""Our solver: the estimator that users call, and the engine below it with its switches (for the ablation).

Both minimise P itself; the tolerance is the absolute duality gap. The estimator's time contains its validation, as
scikit-learn's does.

Source: derived here.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.race.peers.base import Fit, Solve, Solver
from benchmarks.race.problem import Problem

if TYPE_CHECKING:
    from convex.engine import Options

__all__ = ["ENGINE", "ESTIMATOR", "Engine", "Estimator"]

ALL = ("l2", "elastic net", "l1")
PASSES = 1_000_000  # a cap out of reach: the time limit of the race comes first


@dataclass(frozen=True)
class Estimator(Solver):
    """``convex.DASVRDAClassifier``."""

    @property
    def module(self) -> str:
        """convex."""
        return "convex"

    def ready(self, problem: Problem) -> Solve:
        """Fit without intercept."""
        from convex import DASVRDAClassifier

        warnings.simplefilter("ignore")

        def solve(tolerance: float) -> Fit:
            model = DASVRDAClassifier(
                alpha=problem.alpha,
                l1_ratio=problem.l1_ratio,
                fit_intercept=False,
                tol=tolerance,
                max_iter=PASSES,
                random_state=0,
            ).fit(problem.X, problem.y)
            return Fit(np.ravel(model.coef_), float(np.max(model.n_iter_)))

        return solve


@dataclass(frozen=True)
class Engine(Solver):
    """``convex.engine.minimise`` with given options; None is its defaults."""

    options: Options | None = None

    @property
    def module(self) -> str:
        """convex."""
        return "convex"

    def ready(self, problem: Problem) -> Solve:
        """Minimise without intercept."""
        from convex.engine import Options, minimise

        options = self.options or Options()

        def solve(tolerance: float) -> Fit:
            solution = minimise(
                problem.X,
                problem.y,
                l1=problem.l1,
                l2=problem.l2,
                fit_intercept=False,
                tol=tolerance,
                max_passes=PASSES,
                options=options,
            )
            return Fit(np.ravel(solution.coef), float(solution.passes))

        return solve


ESTIMATOR = Estimator("ours", ALL)
ENGINE = Engine("ours", ALL)
