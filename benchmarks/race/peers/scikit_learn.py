r"""scikit-learn's ``LogisticRegression``, six solvers.

It minimises :math:`C \sum_i \varphi_i + \rho \|w\|_1 + \tfrac{1 - \rho}{2} \|w\|^2`: with α = λ1 + λ2 that is P / α
for C = 1/(n α), ρ = λ1/α.

Source: scikit-learn's user guide, "Logistic regression".
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from benchmarks.race.peers.base import Fit, Solve, Solver
from benchmarks.race.problem import Problem

__all__ = ["SOLVERS", "ScikitLearn"]

LARGEST_HESSIAN = 8_000  # features; newton-cholesky forms a dense d x d matrix (half a GB here)


@dataclass(frozen=True)
class ScikitLearn(Solver):
    """One of its solvers, stopped by ``tol``."""

    solver: str

    @property
    def module(self) -> str:
        """sklearn."""
        return "sklearn"

    @property
    def distribution(self) -> str:
        """scikit-learn."""
        return "scikit-learn"

    def refuses(self, problem: Problem) -> str | None:
        """newton-cholesky needs the Hessian."""
        d = problem.X.shape[1]
        if self.solver == "newton-cholesky" and d > LARGEST_HESSIAN:
            return f"forms a dense {d} x {d} Hessian"
        return super().refuses(problem)

    def ready(self, problem: Problem) -> Solve:
        """Fit without intercept; iteration caps out of reach."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        warnings.simplefilter("ignore", ConvergenceWarning)

        def solve(tolerance: float) -> Fit:
            model = LogisticRegression(
                C=1.0 / (len(problem.y) * problem.alpha),
                l1_ratio=problem.l1_ratio,
                solver=self.solver,  # type: ignore[arg-type]
                tol=tolerance,
                fit_intercept=False,
                max_iter=1_000_000,
                random_state=0,
            ).fit(problem.X, problem.y)
            return Fit(model.coef_[0], float(model.n_iter_[0]))

        return solve


SOLVERS = (
    ScikitLearn("sklearn lbfgs", ("l2",), "lbfgs"),
    ScikitLearn("sklearn newton-cg", ("l2",), "newton-cg"),
    ScikitLearn("sklearn newton-cholesky", ("l2",), "newton-cholesky"),
    ScikitLearn("sklearn sag", ("l2",), "sag"),
    ScikitLearn("sklearn saga", ("l2", "elastic net", "l1"), "saga"),
    ScikitLearn("sklearn liblinear", ("l2", "l1"), "liblinear"),
)
