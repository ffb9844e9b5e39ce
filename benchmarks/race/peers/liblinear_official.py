r"""LIBLINEAR through its own Python interface: the trust region Newton method, dual coordinate descent, and newGLMNET for
L1.

It minimises :math:`C \sum_i \varphi_i + \tfrac12 \|w\|^2` or :math:`C \sum_i \varphi_i + \|w\|_1`: P / λ for C = 1/(n
λ). The data are put into its own format before the clock starts.

Source: Fan, Chang, Hsieh, Wang and Lin 2008; LIBLINEAR's README.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.race.peers.base import Fit, Solve, Solver
from benchmarks.race.problem import Problem

__all__ = ["SOLVERS", "Liblinear"]


@dataclass(frozen=True)
class Liblinear(Solver):
    """One solver type, stopped by ``-e``."""

    kind: int  # -s of the command line

    @property
    def module(self) -> str:
        """liblinear."""
        return "liblinear"

    @property
    def distribution(self) -> str:
        """liblinear-official."""
        return "liblinear-official"

    def ready(self, problem: Problem) -> Solve:
        """Train without bias term (-B -1)."""
        from liblinear.liblinear import problem as Data
        from liblinear.liblinearutil import train
        from scipy.sparse import csr_matrix

        data = Data(problem.y, csr_matrix(problem.X))
        C = 1.0 / (len(problem.y) * problem.alpha)

        def solve(tolerance: float) -> Fit:
            model: Any = train(data, f"-s {self.kind} -c {C:.17g} -e {tolerance:.17g} -B -1 -q")
            w = np.ctypeslib.as_array(model.w, (problem.X.shape[1],)).copy()
            return Fit(w if model.get_labels()[0] > 0 else -w)  # the first label that it met is its positive class

        return solve


SOLVERS = (
    Liblinear("liblinear primal", ("l2",), 0),
    Liblinear("liblinear dual", ("l2",), 7),
    Liblinear("liblinear l1", ("l1",), 6),
)
