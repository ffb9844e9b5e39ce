r"""Steps of optimizers, as ``python -m benchmarks.optimizer_step`` measured them.

A cell is an optimizer on a list of parameters: its seconds over those of AdamW (foreach) in the same turns, over the floor of its
products and decompositions, and the bytes of its state. Methods with roots are amortised over the interval between renewals.

Source: derived here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from experiments.spec import Progress, Result, RunSpec, quiet
from experiments.suite._measured import Measured

__all__ = ["OptimizerStep"]


class OptimizerStep(Measured):
    """Every optimizer that took part."""

    id = "optimizer_step"
    title = "What a step of each optimizer costs"
    claim = "At equal intervals one-sided Shampoo's step is about twice as fast as every peer's Shampoo or faster."
    file = "optimizer_step.json"

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        measured = self.read()
        cells = measured["cells"]
        numbers = ("ratio", "ratio_low", "ratio_high", "step", "to_floor", "to_floor_and_passes", "state_bytes")
        return Result(
            {
                "name": np.array([cell["name"] for cell in cells]),
                "list": np.array([cell["list"] for cell in cells]),
                "group": np.array([cell["group"] for cell in cells]),
                "ours": np.array([cell["ours"] for cell in cells]),
                **{name: np.array([_or_nan(cell.get(name)) for cell in cells]) for name in numbers},
            },
            {"machine": measured["machine"], "skipped": measured["skipped"]},
        )


def _or_nan(value: Any) -> float:
    return math.nan if value is None else float(value)
