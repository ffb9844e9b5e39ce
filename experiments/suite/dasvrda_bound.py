r"""DASVRDA against its own theorems: the mean suboptimality beside the bounds, published and sharp, with and without restarts.

.. math::
    \mathbb E[P(x_S) - P_*] \le \frac{4}{(S+2)^2} \Bigl(\lambda (P(x_0) - P_*) + \frac{2 \|x_0 - x_*\|^2}{c^2 \eta m (m+1)}\Bigr),
    \qquad \lambda = 1 \text{ published}, \tfrac34 \text{ sharp},

and its T-th power for T restarts under strong convexity, on the problems of ``experiments.suite._finite_sums``. The number S of
stages between restarts is the one for which the theory promises most per component gradient; restarts are tried with the larger
modulus only, the other asks for thousands of passes between two of them.

Source: docs/proofs/dasvrda.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import theory
from convex.solvers import DASVRDA
from convex.theorems.bounds import contraction, outer_bound
from convex.theorems.runs import OuterRun, of_solver
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._finite_sums import PENALTIES, optimum, problem

__all__ = ["DASVRDABound"]

LEADING = {"published": 1.0, "sharp": 0.75}  # the factor of the first gap
THEOREMS = {
    ("once", "published"): "dasvrda-ns",
    ("once", "sharp"): "dasvrda-ns-sharp",
    ("restarts", "published"): "dasvrda-sc",
    ("restarts", "sharp"): "dasvrda-sc-sharp",
}

SIZES: dict[str, dict[str, Any]] = {
    "ci": {"stages": 6, "restarts": 1, "seeds": 4, "data": ("breast_cancer",)},
    "laptop": {"stages": 60, "restarts": 2, "seeds": 8, "data": ("breast_cancer", "digits")},
    "paper": {"stages": 400, "restarts": 8, "seeds": 64, "data": ("breast_cancer", "digits")},
}


class DASVRDABound(Experiment):
    """Two forms of the theorem with two sets of constants, on two data sets with two penalties."""

    id = "dasvrda_bound"
    title = "DASVRDA: bound against run"
    claim = "The mean suboptimality stays below the bounds of the theorems, by a factor that grows with the number of stages."

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(
                data=data, penalty=penalty, form=form, constants=constants, stages=size["stages"],
                restarts=size["restarts"], seeds=size["seeds"],
            )
            for data in size["data"]
            for penalty in PENALTIES
            for form, constants in THEOREMS
            if form == "once" or penalty == "l2"
        ]  # fmt: skip

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        params = spec.params
        objective, best = problem(params["data"], params["penalty"]), optimum(params["data"], params["penalty"])
        b, sharp = int(objective.samples**0.5), params["constants"] == "sharp"
        solver = DASVRDA(b, sharp=sharp)
        stages, restarts = params["stages"], 1
        if params["form"] == "restarts":
            stages, restarts = _period(solver, objective, params["constants"]), params["restarts"]
            solver = DASVRDA(b, sharp=sharp, restart=stages)
        run = of_solver(
            solver,
            objective,
            np.zeros(objective.shape),
            best.x,
            stages=stages,
            restarts=restarts,
            seeds=params["seeds"],
        )
        above = objective.value(run.snapshots) - best.lower  # (K + 1, B)
        return Result(
            {
                "passes": np.arange(len(above)) * solver.stage_cost(objective) / objective.samples,
                "mean": np.mean(above, axis=1),
                "lowest": np.min(above, axis=1),
                "highest": np.max(above, axis=1),
                "bound": _bounds(run, LEADING[params["constants"]], above[0, 0]),
            },
            {"minibatch": b, "stages": stages, "restarts": restarts},
            [theory.verify(theory.get(THEOREMS[params["form"], params["constants"]]), run)],
        )


def _period(solver: DASVRDA, objective: Any, constants: str) -> int:
    """S with the least log ρ(S) per stage."""
    chosen, m = solver.constants(objective), solver.stage_length(objective)
    candidates = np.arange(1, 2000)
    rho = np.array(
        [
            contraction(
                objective.strong_convexity, stages=int(S), step=chosen.step, m=m, c=chosen.c, leading=LEADING[constants]
            )
            for S in candidates
        ]
    )
    return int(candidates[np.argmin(np.log(rho) / candidates)])


def _bounds(run: OuterRun, leading: float, gap: float) -> np.ndarray:  # (K + 1,)
    """The bound at the starting point, and after every stage (once) or every restart (else nan)."""
    if run.restarts == 1:
        squared = float(np.sum((run.z0 - run.comparator) ** 2))
        later = [
            outer_bound(gap, squared, stages=s, step=run.step, m=run.length, c=run.c, leading=leading)
            for s in range(1, run.stages + 1)
        ]
        return np.array([gap, *later])
    each = contraction(run.mu, stages=run.stages, step=run.step, m=run.length, c=run.c, leading=leading)
    bounds = np.full(run.restarts * run.stages + 1, np.nan)
    bounds[:: run.stages] = gap * each ** np.arange(run.restarts + 1)
    return bounds
