r"""Structured AdaGrad with noise on smooth convex functions: mean suboptimality beside the bound, at every horizon.

.. math::
    \mathbb E\,\frac1T\sum_{t \le T} f(x_t) - f_* \le \frac{\Lambda_{\mathcal H} D^2}{T}
    + \frac{\sqrt2\, D\, \sigma_{\mathcal H}}{\sqrt T} + \frac{D\, d \sqrt\varepsilon}{\sqrt2\, T} \qquad (\eta = D/\sqrt2)

Each structure plays on a ball of its own norm (scalar and full matrix on a Euclidean one) that holds the minimiser: D is
known before the run. A run is one horizon with seeds of its own; the theorem objects judge it.

Source: docs/proofs/stochastic.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import theory
from convex.theorems.stochastic.cases import adagrad
from convex.theorems.stochastic.runs import seeded
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._stochastic import STRUCTURES, interval, own_ball, rate_problem

__all__ = ["StochasticRates"]

THEOREMS = ("stochastic-smooth", "stochastic-smooth-sharp")
OF_PROBLEM = {
    "matrix quadratic": ("Scalar", "Diagonal", "LeftKronecker", "Full"),
    "breast cancer": ("Scalar", "Diagonal", "Full"),
}
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"horizons": (4, 16), "seeds": 16, "problems": ("matrix quadratic",)},
    "laptop": {"horizons": (4, 12, 40, 128), "seeds": 64, "problems": tuple(OF_PROBLEM)},
    "paper": {"horizons": (4, 16, 64, 256, 1024, 4096), "seeds": 200, "problems": tuple(OF_PROBLEM)},
}


class StochasticRates(Experiment):
    """One run for each problem, structure and horizon."""

    id = "stochastic_rates"
    title = "Stochastic rates against their bounds"
    claim = "The mean suboptimality of structured AdaGrad stays below the bound of its structure at every horizon."

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(problem=problem, structure=structure, horizon=horizon, seeds=size["seeds"])
            for problem in size["problems"]
            for structure in OF_PROBLEM[problem]
            for horizon in size["horizons"]
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        p = spec.params
        problem = rate_problem(p["problem"])
        K = STRUCTURES[p["structure"]](problem.shape)
        domain = own_ball(K, np.asarray(problem.solution))
        D = domain.on(problem.shape).diameter(K)
        method = adagrad(K, D / 2.0**0.5, 0.0, domain)
        run = seeded(method, problem, np.zeros(problem.shape), p["horizon"], seeds=p["seeds"], seed=p["horizon"])
        published, sharp = (theory.get(name) for name in THEOREMS)
        samples = np.asarray(sharp.measured(run))
        low, high = interval(samples, *sharp.support(run))
        answer = problem.value(np.mean(run.points, axis=0)) - problem.minimum.lower
        return Result(
            {"suboptimality": samples, "average": np.asarray(answer)},
            {
                "mean": float(np.mean(samples)), "lower": low, "upper": high,
                "bound": float(published.bound(run)), "bound_sharp": float(sharp.bound(run)), "diameter": D,
            },
            [theory.verify(theorem, run) for theorem in (published, sharp)],
        )  # fmt: skip
