r"""Cyanure's ``Classifier``: MISO and SVRG variants under Catalyst, QNing or direct acceleration.

It minimises the mean loss plus :math:`\tfrac{\mu_1}{2} \|w\|^2` ("l2"), :math:`\mu_1 \|w\|_1` ("l1") or
:math:`\mu_1 \|w\|_1 + \tfrac{\mu_2}{2} \|w\|^2` ("elasticnet"): P itself. It stops when its duality gap is at most
tol times the objective.

Source: Mairal 2019 (Cyanure), its docstrings.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.race.peers.base import Fit, Solve, Solver
from benchmarks.race.problem import Problem

__all__ = ["SOLVERS", "Cyanure"]


@dataclass(frozen=True)
class Cyanure(Solver):
    """One of its solvers."""

    solver: str

    @property
    def module(self) -> str:
        """cyanure."""
        return "cyanure"

    def ready(self, problem: Problem) -> Solve:
        """Fit on one thread, without intercept."""
        from cyanure.estimators import Classifier

        warnings.simplefilter("ignore")
        kind = {"l2": "l2", "elastic net": "elasticnet", "l1": "l1"}[problem.penalty]
        strengths: dict[str, Any] = {"lambda_1": problem.l1, "lambda_2": problem.l2}
        if problem.penalty == "l2":
            strengths = {"lambda_1": problem.l2}
        labels = problem.y.astype(np.int64)

        def solve(tolerance: float) -> Fit:
            model = Classifier(
                loss="logistic",
                penalty=kind,
                **strengths,
                solver=self.solver,
                tol=tolerance,
                fit_intercept=False,
                max_iter=1_000_000,
                n_threads=1,
                random_state=0,
                verbose=False,
            )
            model.fit(problem.X, labels)
            return Fit(np.ravel(model.coef_), float(model.n_iter_[0]))

        return solve


ALL = ("l2", "elastic net", "l1")
SOLVERS = (
    Cyanure("cyanure auto", ALL, "auto"),
    Cyanure("cyanure qning-svrg", ALL, "qning-svrg"),
    Cyanure("cyanure acc-svrg", ALL, "acc-svrg"),
    Cyanure("cyanure catalyst-svrg", ALL, "catalyst-svrg"),
    Cyanure("cyanure qning-miso", ALL, "qning-miso"),
)
