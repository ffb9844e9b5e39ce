r"""One-sided against full-matrix AdaGrad on matrix quadratics of growing size: what the bounds promise and what is measured.

.. math::
    \Lambda_{\rm left} = \Lambda_{\rm full} = 2 n \operatorname{Tr} H_s, \qquad
    \frac{\Lambda_{\rm full} D_{\rm full}^2}{\Lambda_{\rm left} D_{\rm left}^2}
    = \frac{n\|X^*\|_F^2}{\|X^*\|_{\rm op}^2} \approx \frac{n^2}4

for X* with independent Gaussian entries and X₀ = 0. Losses are those of the average of the iterates after T steps, each
method at its best step size of the same grid in units of its own norm; full-matrix AdaGrad is run exactly, in Gram form,
with the same damping.

Source: the comparison of docs/proofs/stochastic.md; the problem is that of Xie et al. 2025, arXiv 2503.10537.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convex.adaptive import Direct, descend
from convex.smoothness import adaptive_smoothness
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.structure_runs import EXPONENTS
from problems.matrix_quadratic import gaussian_matrix_quadratic
from problems.smooth import SmoothMatrixQuadratic
from regret import AdaptiveRegularization, GramFullMatrix
from structures import Full, LeftKronecker

__all__ = ["OneSidedVersusFull"]

RELATIVE_EPS = 1e-6  # of the mean square of the entries of the first gradient
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"sizes": (4, 8, 16), "seeds": 2, "steps": 20},
    "laptop": {"sizes": (4, 8, 16, 32, 64), "seeds": 5, "steps": 60},
    "paper": {"sizes": (4, 8, 16, 32, 64, 128, 256), "seeds": 20, "steps": 100},
}


class OneSidedVersusFull(Experiment):
    """One run for each size and draw of X*."""

    id = "one_sided_versus_full"
    title = "One-sided against full matrix: the factor n²/4"
    claim = "The bound of full-matrix AdaGrad exceeds that of one-sided Shampoo by about n²/4; measured losses differ by less."

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [self.spec(n=n, seed=seed, steps=size["steps"]) for n in size["sizes"] for seed in range(size["seeds"])]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        n, steps = spec.params["n"], spec.params["steps"]
        problem = SmoothMatrixQuadratic(gaussian_matrix_quadratic(n, spec.params["seed"]))
        left, full, x0 = LeftKronecker((n, n)), Full((n, n)), np.zeros((n, n))
        distance = [float(K.norm(np.asarray(problem.solution))) for K in (left, full)]
        # The Hessian lies in both structures: the constant is its trace, which the closed form knows without a d×d matrix.
        smoothness = adaptive_smoothness(problem, left).upper
        eps = RELATIVE_EPS * float(np.mean(problem.gradient(x0) ** 2))
        rates = [tuple((D * 10.0 ** (np.asarray(EXPONENTS) / 2.0)).tolist()) for D in distance]
        learners = (
            AdaptiveRegularization(left, rates[0], eps),
            GramFullMatrix((n, n), lr=rates[1], eps=eps, horizon=steps),
        )
        found = []
        for done, learner in enumerate(learners):
            progress(done, 2)
            run = descend(Direct(learner), problem, x0, steps, batch=len(EXPONENTS), exact=True, grid=(steps,))
            found.append((np.asarray(run.at_average)[0], np.asarray(run.at_answer)[0]))
        average, last = (np.stack(each) for each in zip(*found, strict=True))  # (2, R), left then full
        return Result(
            {"average": average, "last": last, "start": np.asarray(problem.value(x0))},
            {
                "bound_left": smoothness * distance[0] ** 2, "bound_full": smoothness * distance[1] ** 2,
                "ratio_of_bounds": (distance[1] / distance[0]) ** 2,
                "ratio_of_losses": float(np.min(average[1]) / np.min(average[0])),
                "at_the_end": [int(np.argmin(row)) in (0, len(row) - 1) for row in average],
            },
        )  # fmt: skip
