r"""Jorge's roots and FNGD's shared coefficients on MNIST and CIFAR-10, measured by ``python -m benchmarks.optimizer_claims``.

.. math:: \cos_t = \frac{\langle P_t G_t,\; L_t^{-1/4} G_t\rangle}{|P_tG_t|\,|L_t^{-1/4}G_t|}, \qquad
    \frac{\operatorname{Var}_j\, \bar w_j}{\text{variance by chance}}

What `root_streams` and `fngd_sharing` show on digits, on larger data: a rule's root against the exact one on the gradients of
a network in training, and what the coefficients of samples carry from one epoch to the next.

Source: derived here; the rules are those of the Jorge and FNGD papers (singh2023jorge, ou2024inverse).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.spec import Progress, Result, RunSpec, quiet
from experiments.suite._measured import Measured

__all__ = ["OptimizerClaims"]


class OptimizerClaims(Measured):
    """One run: for each layer and rule the cosines, for each task and way to share what came of it."""

    id = "optimizer_claims"
    title = "Roots and shared coefficients on MNIST and CIFAR-10"
    claim = "On gradients of MNIST and CIFAR-10 the sandwich rule keeps the direction nearer to the exact one than Jorge's rule."
    file = "optimizer_claims.json"

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        measured = self.read()
        arrays: dict[str, np.ndarray] = {}
        facts: dict[str, list[dict[str, Any]]] = {"roots": [], "sharing": []}
        for name, entry in measured["tasks"].items():
            kind, _, rest = name.partition(", ")
            for method, row in entry["methods"].items():
                k = len(facts[kind])
                lists = {key: value for key, value in row.items() if isinstance(value, list)}
                arrays |= {f"{kind}_{k}_{key}": np.array(value, dtype=float) for key, value in lists.items()}
                facts[kind].append(
                    {"task": rest, "method": method, **{key: v for key, v in row.items() if key not in lists}}
                )
        return Result(arrays, {"machine": measured["machine"], **facts})
