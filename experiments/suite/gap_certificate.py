r"""Is the duality gap a good stopping rule? The certified gap of the practical solver beside the suboptimality that it bounds.

.. math:: P(x^{(k)}) - P_* \le \mathrm{gap}_k

for the solver as people run it but for its finish (growing steps, contiguous mini-batches, working sets), and for the published
algorithm. A solver that stops by its gap pays for it the passes between the two curves.

Source: derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._finite_sums import PENALTIES, optimum, samples

__all__ = ["VARIANTS", "GapCertificate"]

VARIANTS = ("practical", "published")

SIZES: dict[str, dict[str, Any]] = {
    "ci": {"passes": 60, "data": ("breast_cancer",)},
    "laptop": {"passes": 300, "data": ("breast_cancer", "digits")},
    "paper": {"passes": 2000, "data": ("breast_cancer", "digits")},
}


class GapCertificate(Experiment):
    """Both variants on two data sets with two penalties."""

    id = "gap_certificate"
    title = "The duality gap as a stopping rule"
    claim = (
        "The certified gap is never below the suboptimality, and reaches a target after at most twice as many passes."
    )

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(data=data, penalty=penalty, variant=variant, passes=size["passes"], seed=0)
            for data in size["data"]
            for penalty in PENALTIES
            for variant in VARIANTS
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        from convex.engine import Options, minimise

        params = spec.params
        options = Options(finish=False) if params["variant"] == "practical" else Options.published()
        (features, labels), (l1, l2) = samples(params["data"]), PENALTIES[params["penalty"]]
        best = optimum(params["data"], params["penalty"])
        found = minimise(
            np.ascontiguousarray(features), labels, l1=l1, l2=l2, fit_intercept=False, tol=1e-13,
            max_passes=params["passes"], options=options, seed=params["seed"],
        )  # fmt: skip
        history = found.history
        return Result(
            {
                "passes": np.array([record.passes for record in history]),
                "gap": np.array([record.gap for record in history]),
                "above_lower": np.array([record.objective - best.lower for record in history]),
                "above_upper": np.array([record.objective - best.upper for record in history]),
            },
            {"gap_of_optimum": best.gap, "samples": len(labels)},
        )
