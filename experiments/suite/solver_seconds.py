r"""Suboptimality against seconds: the practical solver beside scikit-learn's, each stopped by its own rule.

Logistic regression without intercept on the problems of ``experiments.suite._finite_sums``. A point of a curve is one
tolerance: the median seconds of whole calls of ``fit`` on one thread (compilation before the clock starts), and the suboptimality
of what came back. The full race with every other package, larger data and paired runs is ``python -m benchmarks.finite_sum``.

Seconds are measurements of a machine and are stored in the summary; no two runs agree on them.

Source: derived here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._finite_sums import PENALTIES, optimum, problem, samples

__all__ = ["CONTESTANTS", "Contestant", "SolverSeconds"]

SEVERAL = 1_000_000  # iterations: no cap is met before the tolerance


@dataclass(frozen=True)
class Contestant:
    """How an estimator is made, and which penalties it can have."""

    make: Callable[[float, float, float, int], Any]  # l1, l2, tolerance, n -> estimator
    penalties: tuple[str, ...] = ("l2", "elastic net")
    tolerances: tuple[float, ...] = tuple(10.0**-k for k in range(1, 11))


def _ours(variant: str) -> Callable[[float, float, float, int], Any]:
    def make(l1: float, l2: float, tolerance: float, n: int) -> Any:
        from convex import DASVRDAClassifier
        from convex.engine import Options

        options = Options.published() if variant == "published" else None
        return DASVRDAClassifier(
            alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), fit_intercept=False, tol=tolerance, max_iter=SEVERAL, random_state=0,
            options=options,
        )  # fmt: skip

    return make


def _scikit_learn(solver: str) -> Callable[[float, float, float, int], Any]:
    def make(l1: float, l2: float, tolerance: float, n: int) -> Any:
        from sklearn.linear_model import LogisticRegression

        alpha = l1 + l2
        return LogisticRegression(
            C=1.0 / (n * alpha), l1_ratio=l1 / alpha, solver=solver, tol=tolerance, fit_intercept=False, max_iter=SEVERAL,
            random_state=0,
        )  # fmt: skip

    return make


SHORT = tuple(10.0**-k for k in range(1, 5))  # for a solver that takes seconds for the next
CONTESTANTS: dict[str, Contestant] = {
    "DASVRDA": Contestant(_ours("practical")),
    "DASVRDA, published": Contestant(_ours("published")),
    "saga": Contestant(_scikit_learn("saga"), tolerances=SHORT),
    "lbfgs": Contestant(_scikit_learn("lbfgs"), ("l2",)),
    "liblinear": Contestant(_scikit_learn("liblinear"), ("l2",)),
    "newton-cholesky": Contestant(_scikit_learn("newton-cholesky"), ("l2",)),
}

SIZES: dict[str, dict[str, Any]] = {
    "ci": {"data": ("breast_cancer",), "repeats": 1, "digits": 4},
    "laptop": {"data": ("breast_cancer", "digits"), "repeats": 5, "digits": 10},
    "paper": {"data": ("breast_cancer", "digits"), "repeats": 25, "digits": 10},
}


class SolverSeconds(Experiment):
    """One run for each solver, data set and penalty."""

    id = "solver_seconds"
    title = "Finite sums: suboptimality against seconds"
    claim = "The practical solver reaches every suboptimality in less time than saga, and than the published algorithm."
    exclusive = True

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(data=data, penalty=penalty, solver=name, repeats=size["repeats"], digits=size["digits"])
            for data in size["data"]
            for penalty in PENALTIES
            for name, contestant in CONTESTANTS.items()
            if penalty in contestant.penalties
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        params = spec.params
        (features, labels), (l1, l2) = samples(params["data"]), PENALTIES[params["penalty"]]
        best, objective = optimum(params["data"], params["penalty"]), problem(params["data"], params["penalty"])
        contestant = CONTESTANTS[params["solver"]]
        tolerances = [tolerance for tolerance in contestant.tolerances if tolerance >= 0.9 * 10.0 ** -params["digits"]]
        above, seconds = [], []
        for done, tolerance in enumerate(tolerances):
            progress(done, len(tolerances))
            estimator = contestant.make(l1, l2, tolerance, len(labels))
            seconds.append(_seconds(estimator, np.ascontiguousarray(features), labels, params["repeats"]))
            above.append(float(objective.value(estimator.coef_[0])) - best.lower)
        return Result(
            {"tolerance": np.asarray(tolerances), "suboptimality": np.maximum(above, 0.0)},
            {"seconds": seconds, "gap_of_optimum": best.gap},
        )


def _seconds(estimator: Any, features: np.ndarray, labels: np.ndarray, repeats: int) -> float:
    """The median of several fits, after one that is not counted."""
    from sklearn.exceptions import ConvergenceWarning

    times = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the figure shows what came back
        for _ in range(repeats + 1):
            begin = perf_counter()
            estimator.fit(features, labels)
            times.append(perf_counter() - begin)
    return median(times[1:])
