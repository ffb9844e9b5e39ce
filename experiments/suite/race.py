r"""The race of finite-sum solvers, as ``python -m benchmarks.finite_sum`` measured it.

Regularised logistic regression on one thread; every solver stops by its own rule, and the time that counts is that of the
loosest tolerance whose result is within the target of the certified optimum. A cell's ratio is the peer's time over ours,
the median over runs in pairs.

Source: derived here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from experiments.spec import Progress, Result, RunSpec, quiet
from experiments.suite._measured import Measured

__all__ = ["Race"]


class Race(Measured):
    """Every cell in which a peer reached the target."""

    id = "race"
    title = "Finite sums: the race"
    claim = "The practical solver is at least twice as fast as the fastest peer of a cell, in the median over cells."
    file = "finite_sum.json"

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        measured = self.read()
        cells = [cell for cell in measured["cells"] if cell["ratio"] is not None]
        missed = [cell for cell in measured["cells"] if not cell["reached"]]
        packages = {solver["name"]: solver["package"] for solver in measured["solvers"]}
        return Result(
            {
                "problem": np.array([cell["problem"] for cell in cells]),
                "target": np.array([cell["target"] for cell in cells]),
                "solver": np.array([cell["solver"] for cell in cells]),
                "package": np.array([packages[cell["solver"]] for cell in cells]),
                "ratio": np.array([cell["ratio"] for cell in cells]),
                "ratio_low": np.array([_or_nan(cell["ratio_low"]) for cell in cells]),
                "ratio_high": np.array([_or_nan(cell["ratio_high"]) for cell in cells]),
            },
            {
                "machine": measured["machine"],
                "solvers": measured["solvers"],
                "problems": [facts["problem"] for facts in measured["problems"]],
                "not_reached": len(missed),
                "ours_not_reached": sum(cell["solver"] == "ours" for cell in missed),
            },
        )


def _or_nan(value: Any) -> float:
    return math.nan if value is None else float(value)
