r"""Snap ML's ``LogisticRegression``: coordinate descent on the dual (its default, L2 only) or on the primal.

It minimises :math:`\sum_i \varphi_i + \tfrac{\lambda}{2} \|w\|^2` or :math:`\sum_i \varphi_i + \lambda \|w\|_1`: n P
for λ = n λ2 or n λ1. Its documentation does not give the objective; the primal solver reaches P* with this λ to the
last digits, which settles it. Data are kept in single precision.

Source: Dünner et al. 2018 (Snap ML).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.race.peers.base import Fit, Solve, Solver
from benchmarks.race.problem import Problem

__all__ = ["SOLVERS", "SnapML"]


@dataclass(frozen=True)
class SnapML(Solver):
    """Its local solver on one thread."""

    dual: bool

    @property
    def module(self) -> str:
        """snapml."""
        return "snapml"

    def ready(self, problem: Problem) -> Solve:
        """Fit without intercept; the primal solver wants columns."""
        from scipy.sparse import csr_matrix
        from snapml import LogisticRegression

        X = csr_matrix(problem.X, dtype=np.float32) if problem.sparse else problem.X.astype(np.float32)
        if not self.dual:
            X = X.tocsc() if problem.sparse else np.asfortranarray(X)

        def solve(tolerance: float) -> Fit:
            model = LogisticRegression(
                penalty=problem.penalty,
                dual=self.dual,
                regularizer=len(problem.y) * problem.alpha,
                tol=tolerance,
                max_iter=1_000_000,
                n_jobs=1,
                fit_intercept=False,
                random_state=0,
            )
            model.fit(X, problem.y)
            return Fit(np.ravel(model.coef_).astype(np.float64), float(np.ravel(model.n_iter_)[0]))

        return solve


SOLVERS = (SnapML("snapml dual", ("l2",), True), SnapML("snapml primal", ("l2", "l1"), False))
