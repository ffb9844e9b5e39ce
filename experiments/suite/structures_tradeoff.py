r"""Speed, memory and final loss of every structure, side by side.

.. math:: \text{seconds per step}, \qquad \dim J \text{ numbers of state}, \qquad f(x_T) - f_*

Every structure runs from the same start with stochastic gradients, each at its best step size of the same grid in units of
its own norm. Seconds are those of one step of one run inside of a batch, on one thread of this machine.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convex.smoothness.candidates import candidates, state_size, title
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.structure_runs import run_structures
from problems.matrix_quadratic import MatrixQuadratic
from problems.smooth import EntryNoise, SmoothMatrixQuadratic, SmoothProblem, from_data_set

__all__ = ["StructuresTradeoff"]

SIDE = 12


def _quadratic(rotated: bool) -> SmoothMatrixQuadratic:
    """Eigenvalues 1, 1/4, 1/9, ... on the rows, in the standard basis or a random one."""
    rng = np.random.default_rng(0)
    plain = MatrixQuadratic(np.arange(1.0, SIDE + 1.0) ** -2.0, rng.standard_normal((SIDE, SIDE)) / SIDE**0.5)
    basis = np.linalg.qr(rng.standard_normal((SIDE, SIDE)))[0]
    return SmoothMatrixQuadratic(plain.rotated(basis) if rotated else plain, EntryNoise(0.01))


PROBLEMS: dict[str, Callable[[], SmoothProblem]] = {
    "matrix quadratic": lambda: _quadratic(False),
    "rotated": lambda: _quadratic(True),
    "breast cancer": lambda: from_data_set("breast_cancer", "logistic", alpha=1e-3, minibatch=8),
    "wine": lambda: from_data_set("wine", "softmax", alpha=1e-3, minibatch=8),
}
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"problems": ("wine",), "steps": 30, "seeds": 2},
    "laptop": {"problems": tuple(PROBLEMS), "steps": 100, "seeds": 4},
    "paper": {"problems": tuple(PROBLEMS), "steps": 1000, "seeds": 16},
}


class StructuresTradeoff(Experiment):
    """One run for each problem and structure."""

    id = "structures_tradeoff"
    title = "Every structure: speed, memory, final loss"
    claim = "No structure is best in speed, memory and final loss at once on every problem."
    exclusive = True

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(problem=name, shape=SHAPES[name], structure=title(K), steps=size["steps"], seeds=size["seeds"])
            for name in size["problems"]
            for K in candidates(SHAPES[name])
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        p = spec.params
        problem = PROBLEMS[p["problem"]]()
        K = next(K for K in candidates(problem.shape) if title(K) == p["structure"])
        run = run_structures(problem, np.zeros(problem.shape), [K], p["steps"], seeds=p["seeds"])[0]
        summary = {
            "seconds": run.seconds, "state": state_size(K), "parameters": problem.dim,
            "rate": float(run.rates[run.best()]), "at_the_end": run.at_the_end_of_the_grid(),
        }  # fmt: skip
        return Result({"final": run.final(), "average": run.final("average")}, summary)


SHAPES = {"matrix quadratic": (SIDE, SIDE), "rotated": (SIDE, SIDE), "breast cancer": (31,), "wine": (3, 13)}
