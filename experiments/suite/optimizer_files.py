r"""Optimizers on digits, MNIST, CIFAR-10 and a text, as ``python -m benchmarks.optimizer_training`` measured them.

.. math:: t^\star = \min\{t : \operatorname{median}_{\text{seeds}} f_{\text{choose}}(W_t) \le \text{AdamW's at its end}\}

on three axes: seconds of the processor, final loss on data that was not seen, bytes of the state for each parameter. The
methods have one grid of learning rates and one budget for it, then every seed trains at the best one. A run's seconds are those
that it had used, times one factor for its method, with which the steps of its second half cost what they cost in turns with
the other methods.

Source: derived here; the claims are those of the Jorge, AGD and FNGD papers (singh2023jorge, yue2023agd, ou2024inverse).
"""

from __future__ import annotations

import math
from statistics import mean, median
from typing import Any

import numpy as np

from experiments.spec import Progress, Result, RunSpec, quiet
from experiments.suite._measured import Measured

__all__ = ["OptimizerFiles", "seconds_to", "summary", "target_of"]

Row = dict[str, Any]
NUMBERS = ("lr", "loss", "low", "high", "accuracy", "ms", "seconds_to", "bytes")


class OptimizerFiles(Measured):
    """One run: a row for every method of every task, and the curves of the medians."""

    id = "optimizer_files"
    title = "Optimizers on MNIST, CIFAR-10 and a text"
    claim = (
        "Shampoo reaches AdamW's final loss in less time than AdamW on a CIFAR-10 CNN, but not on an MNIST perceptron."
    )
    file = "optimizer_training.json"

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        measured = self.read()
        arrays: dict[str, np.ndarray] = {}
        for k, entry in enumerate(measured["tasks"].values()):
            rows = summary(entry)
            arrays[f"method_{k}"] = np.array([row["method"] for row in rows])
            for name in NUMBERS:
                arrays[f"{name}_{k}"] = np.array([_or_nan(row[name]) for row in rows])
            steps = max((run["steps"] for row in rows for run in _runs(entry, row["method"])), key=len)
            arrays[f"step_{k}"] = np.array(steps)
            for name in ("held_out", "seconds"):
                curves = [_median([run[name] for run in _runs(entry, row["method"])], len(steps)) for row in rows]
                arrays[f"{name}_{k}"] = np.array(curves)  # (methods, checks)
        tasks = [
            {"name": name, **entry["settings"], "target": target_of(entry), "skipped": entry.get("skipped", {})}
            for name, entry in measured["tasks"].items()
        ]
        return Result(arrays, {"machine": measured["machine"], "tasks": tasks})


def target_of(entry: dict[str, Any]) -> float | None:
    """The median over seeds of AdamW's last loss on the choosing part; None without AdamW."""
    runs = entry["methods"].get("AdamW", {"runs": {}})["runs"].values()
    ends = [run["held_out"][-1] for run in runs if run["held_out"] and run["held_out"][-1] is not None]
    return median(ends) if ends else None


def seconds_to(runs: list[dict[str, Any]], target: float) -> float | None:
    """Seconds (median) at the first check at which the median loss over the runs is at the target; None for never."""
    checks = max(len(run["steps"]) for run in runs)
    reached = np.flatnonzero(_median([run["held_out"] for run in runs], checks) <= target)
    return float(_median([run["seconds"] for run in runs], checks)[reached[0]]) if reached.size else None


def summary(entry: dict[str, Any]) -> list[Row]:
    """One row for every method of a task: numbers, None where there is none."""
    target = target_of(entry)
    return [_row(name, found, entry, target) for name, found in entry["methods"].items() if found["runs"]]


def _row(name: str, found: dict[str, Any], entry: dict[str, Any], target: float | None) -> Row:
    """Medians over seeds with their ranges; None where a seed diverged, and for a target that is not reached."""
    runs = _runs(entry, name)
    losses = [run["loss"] for run in runs if run["loss"] is not None]
    whole = len(losses) == len(runs)
    return {
        "method": name, "lr": found["lr"], "at_edge": found["at_edge"], "seeds": len(runs),
        "loss": median(losses) if whole else None,
        "low": min(losses, default=None), "high": max(losses) if whole else None,
        "accuracy": mean(run["accuracy"] for run in runs) if whole else None,
        "ms": _late(runs),
        "seconds_to": None if target is None else seconds_to(runs, target),
        "bytes": max(run["bytes"] for run in runs) / entry["settings"]["parameters"],
    }  # fmt: skip


def _runs(entry: dict[str, Any], method: str) -> list[dict[str, Any]]:
    """The runs of a method, their seconds scaled to those of steps in turns."""
    runs = list(entry["methods"][method]["runs"].values())
    late, clock = _late(runs), entry.get("clock", {}).get(method)
    factor = clock / late if late and clock else 1.0
    return [run | {"seconds": [factor * value for value in run["seconds"]]} for run in runs]


def _late(runs: list[dict[str, Any]]) -> float | None:
    """Milliseconds of a step in the second halves of the runs; None where all ended before two checks."""
    seconds = steps = 0.0
    for run in runs:
        if len(run["steps"]) > 1:
            middle = len(run["steps"]) // 2 - 1
            seconds += run["seconds"][-1] - run["seconds"][middle]
            steps += run["steps"][-1] - run["steps"][middle]
    return 1e3 * seconds / steps if steps else None


def _median(curves: list[list[float | None]], length: int) -> np.ndarray:  # (length,)
    """The median over seeds; infinite where one has diverged."""
    whole = [[math.inf if value is None else value for value in curve] for curve in curves]
    return np.median([curve + [math.inf] * (length - len(curve)) for curve in whole], axis=0)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
