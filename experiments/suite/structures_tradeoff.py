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
from problems.matrix_quadratic import gaussian_matrix_quadratic
from problems.smooth import EntryNoise, SmoothMatrixQuadratic, SmoothProblem, from_data_set

__all__ = ["StructuresTradeoff"]

PROBLEMS: dict[str, Callable[[], SmoothProblem]] = {
    "matrix quadratic": lambda: SmoothMatrixQuadratic(gaussian_matrix_quadratic(12), EntryNoise(0.01)),
    "rotated": lambda: SmoothMatrixQuadratic(gaussian_matrix_quadratic(12, rotated=True), EntryNoise(0.01)),
    "breast cancer": lambda: from_data_set("breast_cancer", "logistic", alpha=1e-3, minibatch=8),
    "wine": lambda: from_data_set("wine", "softmax", alpha=1e-3, minibatch=8),
}
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"problems": ("wine",), "steps": 30, "seeds": 2},
    "laptop": {"problems": tuple(PROBLEMS), "steps": 60, "seeds": 4},
    "paper": {"problems": tuple(PROBLEMS), "steps": 1000, "seeds": 16},
}


class StructuresTradeoff(Experiment):
    """One run for each problem and structure."""

    id = "structures_tradeoff"
    title = "Every structure: speed, memory, final loss"
    claim = "No structure is best in speed, memory and final loss at once."
    exclusive = True

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(problem=name, structure=title(K), steps=size["steps"], seeds=size["seeds"])
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


SHAPES = {"matrix quadratic": (12, 12), "rotated": (12, 12), "breast cancer": (31,), "wine": (3, 13)}
