r"""Mini-batches: how many passes DASVRDA, SVRG and Katyusha need, and are guaranteed to need, against the size of the mini-batch.

.. math:: \text{passes}(b) = \min\{e_k / n : \text{median over seeds of } P(x^{(k)}) - P_* \le \epsilon\,(P(0) - P_*)\}

The theory of DASVRDA promises that any :math:`b \le \sqrt n` costs about as many component gradients as b = 1, so that
:math:`\sqrt n` of them can be computed at once. Each method runs with the step of its theory and with multiples of it;
guarantees come from the constants alone (``convex.solvers.guarantees``; that of Katyusha leaves a constant out).

Source: Murata and Suzuki 2017 (the claim, remembered).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from convex.solvers import Solver
from convex.solvers.guarantees import dasvrda_evaluations, katyusha_evaluations, svrg_evaluations
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._finite_sums import optimum, problem
from experiments.suite.finite_sum import METHODS
from problems.composite import Composite

__all__ = ["GUARANTEES", "MiniBatch"]

PENALTY = "l2"
GUARANTEES = {
    "DASVRDA": dasvrda_evaluations,
    "DASVRDA, sharper": partial(dasvrda_evaluations, sharp=True),
    "SVRG": svrg_evaluations,
    "Katyusha": katyusha_evaluations,
}

# Sizes are multiples of √n.
SIZES: dict[str, dict[str, Any]] = {
    "ci": {
        "sizes": (0.5, 2.0), "passes": 40, "seeds": 2, "multiples": (1.0, 8.0), "target": 1e-2,
        "data": ("breast_cancer",),
    },
    "laptop": {
        "sizes": (0.125, 0.5, 1.0, 2.0, 4.0, 8.0), "passes": 200, "seeds": 2, "multiples": (1.0, 8.0),
        "target": 1e-4, "data": ("breast_cancer", "digits"),
    },
    "paper": {
        "sizes": (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0), "passes": 2000, "seeds": 10,
        "multiples": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0), "target": 1e-6, "data": ("breast_cancer", "digits"),
    },
}  # fmt: skip


class MiniBatch(Experiment):
    """One run for each method and size."""

    id = "minibatch"
    title = "Mini-batches up to the square root of n are free"
    claim = "DASVRDA needs about as many component gradients with mini-batches of the square root of n as with single samples."

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(
                data=data, method=name, size=relative, target=size["target"], passes=size["passes"], seeds=size["seeds"],
                multiples=size["multiples"],
            )
            for data in size["data"]
            for relative in size["sizes"]  # small mini-batches take long: first
            for name in GUARANTEES
        ]  # fmt: skip

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        params = spec.params
        objective, name = problem(params["data"], PENALTY), params["method"]
        b = max(1, int(params["size"] * objective.samples**0.5))
        solver = METHODS[name].make(b)
        passes = []
        for done, multiple in enumerate(params["multiples"]):
            progress(done, len(params["multiples"]))
            scaled = METHODS[name].scaled(solver, objective, multiple)
            passes.append(_passes(scaled, objective, params))
        guaranteed = GUARANTEES[name](objective, b, params["target"]) / objective.samples
        return Result(
            {"multiples": np.asarray(params["multiples"]), "passes": np.asarray(passes)},
            {"minibatch": b, "samples": objective.samples, "guaranteed": guaranteed},
        )


def _passes(solver: Solver, objective: Composite, params: dict[str, Any]) -> float:
    """Passes until the median over seeds is under the target; inf when the budget does not suffice or the run diverges.

    The budget is doubled until the target is met: a longer run begins with the points of a shorter one.
    """
    best, n = optimum(params["data"], PENALTY), objective.samples
    budget = min(25, params["passes"])
    while True:
        try:
            path = solver.run(objective, np.zeros(objective.shape), evaluations=budget * n, batch=params["seeds"])
        except FloatingPointError:
            return float("inf")
        middle = np.median(path.values - best.lower, axis=1)
        met = np.flatnonzero(middle <= params["target"] * middle[0])
        if met.size:
            return float(path.passes[met[0]])
        if budget >= params["passes"]:
            return float("inf")
        budget = min(2 * budget, params["passes"])
