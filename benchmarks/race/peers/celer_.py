r"""Celer: working sets with dual extrapolation, coordinate descent or prox-Newton inside; L1 only.

It minimises :math:`\sum_i \varphi_i + \alpha \|w\|_1`: n P for α = n λ1. Called through ``celer_path`` with one
strength, which takes the columns as they are; its estimator would convert them twice.

Source: Massias, Vaiter, Gramfort and Salmon 2020.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from benchmarks.race.peers.base import Fit, Solve, Solver
from benchmarks.race.problem import Problem

__all__ = ["SOLVERS", "Celer"]


@dataclass(frozen=True)
class Celer(Solver):
    """Stopped by the duality gap, in units of n log 2."""

    newton: bool

    @property
    def module(self) -> str:
        """celer."""
        return "celer"

    def ready(self, problem: Problem) -> Solve:
        """One point of the path."""
        from celer import celer_path
        from scipy.sparse import csc_matrix

        warnings.simplefilter("ignore")
        X = csc_matrix(problem.X) if problem.sparse else np.asfortranarray(problem.X)
        alphas = np.array([len(problem.y) * problem.l1])

        def solve(tolerance: float) -> Fit:
            _, w, _, steps = celer_path(
                X,
                problem.y,
                "logreg",
                alphas=alphas,
                tol=tolerance,
                use_PN=self.newton,
                max_iter=10_000,
                max_epochs=1_000_000,
                return_n_iter=True,
            )
            return Fit(w[:, 0], float(steps[0]))

        return solve


SOLVERS = (Celer("celer prox-newton", ("l1",), True), Celer("celer", ("l1",), False))
