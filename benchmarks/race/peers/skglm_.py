r"""skglm: working sets with Anderson-accelerated coordinate descent, or with prox-Newton; L1 and elastic net.

It minimises the mean loss plus :math:`\alpha \rho \|w\|_1 + \alpha \tfrac{1 - \rho}{2} \|w\|^2`: P itself for α = λ1
+ λ2, ρ = λ1/α. Called through its solvers, without the estimator's validation.

Source: Bertrand, Klopfenstein, Bannier, Gidel and Massias 2022.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from benchmarks.race.peers.base import Fit, Solve, Solver
from benchmarks.race.problem import Problem

__all__ = ["SOLVERS", "Skglm"]


@dataclass(frozen=True)
class Skglm(Solver):
    """Stopped by the largest optimality violation."""

    solver: str  # class name in skglm.solvers

    @property
    def module(self) -> str:
        """skglm."""
        return "skglm"

    @property
    def process(self) -> str:
        """Its own: half a minute of compilation is lost when a process is ended."""
        return self.name

    def ready(self, problem: Problem) -> Solve:
        """Solve on columns, from zero."""
        from scipy.sparse import csc_matrix
        from skglm import solvers
        from skglm.datafits import Logistic
        from skglm.penalties import L1_plus_L2

        warnings.simplefilter("ignore")
        X = csc_matrix(problem.X) if problem.sparse else np.asfortranarray(problem.X)

        def solve(tolerance: float) -> Fit:
            solver = getattr(solvers, self.solver)(tol=tolerance, fit_intercept=False, max_iter=100_000)
            w, values, _ = solver.solve(X, problem.y, Logistic(), L1_plus_L2(problem.alpha, problem.l1_ratio))
            return Fit(w, float(len(values)))

        return solve


SOLVERS = (
    Skglm("skglm prox-newton", ("elastic net", "l1"), "ProxNewton"),
    Skglm("skglm anderson-cd", ("elastic net", "l1"), "AndersonCD"),
)
