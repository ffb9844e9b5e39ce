r"""How often `choose_structure` picks the structure that wins, on eight quadratics and two data sets, beside the diagonal always.

.. math:: \text{regretted} = \frac{f_{\text{chosen}}(x_T) - f_*}{\min_{\mathcal H} f_{\mathcal H}(x_T) - f_*} \ge 1

Every candidate runs from the same start, with stochastic gradients and (the quadratics) with exact ones, each at its best
step size of the same grid in units of its own norm; the winner has the smallest mean of the last iterates over seeds.
Beside the choice stand the smallest promise of the theorem (the comparison's first row) and the diagonal.

Source: `convex.smoothness.choose`; the promise alone is known to mislead on rotated and block problems.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convex.smoothness import choose_structure, compare_structures
from convex.smoothness.candidates import title
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.structure_runs import run_structures
from experiments.suite._stochastic import CHOICES, NOISE, choice_problem, choice_structures
from problems.domains import L2Ball

__all__ = ["StructureChoice"]

SIZES: dict[str, dict[str, Any]] = {
    "ci": {"steps": 40, "seeds": 3, "draws": 1},
    "laptop": {"steps": 200, "seeds": 6, "draws": 2},
    "paper": {"steps": 2000, "seeds": 20, "draws": 10},
}


DATA_SETS = ("breast cancer", "iris")  # mini-batches are their noise


class StructureChoice(Experiment):
    """One run for each problem and draw of it; data sets have one draw."""

    id = "structure_choice"
    title = "Automatic choice of the structure, on ten problems"
    claim = "choose_structure picks the winner more often than the diagonal wins, and not always."

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(problem=name, draw=draw, noise=noise, steps=size["steps"], seeds=size["seeds"])
            for noise in (NOISE, 0.0)
            for name in CHOICES
            if noise > 0 or name not in DATA_SETS
            for draw in range(1 if name in DATA_SETS else size["draws"])
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        p = spec.params
        problem = choice_problem(p["problem"], p["draw"], p["noise"])
        x0, structures = np.zeros(problem.shape), choice_structures(problem.shape)
        choice = choose_structure(problem, structures, x0=x0, horizon=p["steps"], seed=p["draw"])
        domain = (
            None
            if problem.noise_covariance(None) is not None
            else L2Ball(2.0 * float(np.linalg.norm(np.asarray(problem.solution))))
        )
        promised = compare_structures(problem, x0, structures, domain=domain, horizon=p["steps"]).best
        runs = run_structures(
            problem, x0, structures, p["steps"], seeds=p["seeds"], seed=p["draw"], exact=p["noise"] == 0
        )
        finals = np.stack([run.final() for run in runs])  # (structures, S)
        return Result(
            {
                "structures": np.array([title(K) for K in structures]),
                "final": finals,
                "start": np.asarray(problem.value(x0) - problem.minimum.lower),
                "average": np.stack([run.final("average") for run in runs]),
                "at_the_end": np.array([run.at_the_end_of_the_grid() for run in runs]),
            },
            {
                "chosen": title(choice.structure),
                "screened": choice.screened,
                "promised": "nothing" if promised is None else title(promised),
            },
        )
