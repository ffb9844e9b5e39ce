r"""The protocol that is the same for every method: a grid of learning rates at a shorter budget, then all seeds at the best.

.. math:: \eta \in \{10^{-3.5}, 10^{-3}, \dots, 10^{0.5}\}

A run keeps the loss on the choosing part at its checks with the processor's seconds that its steps had used, and the report
part's loss and accuracy at its end. At last all methods take steps in turns: these milliseconds are the ones that compare.

Source: derived here.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.trained.clock import milliseconds
from benchmarks.trained.methods import METHODS, Trained, absent, trained
from benchmarks.trained.resume import Ledger
from experiments.suite._tasks import Task
from experiments.suite._training import GRIDS, TUNING_SEED, best_step_size, evaluate

__all__ = ["Plan", "finite", "measure"]


@dataclass(frozen=True)
class Plan:
    """How long one task is trained: epochs for the grid and for the seeds, checks in an epoch."""

    tuning: int
    epochs: int
    checks: int
    grid: str = "half decades"


def measure(task: Task, plan: Plan, methods: tuple[str, ...], seeds: int, ledger: Ledger) -> None:
    """Every method on one task; what the ledger has is not done again, and it is saved after every run."""
    settings = {
        "tuning_epochs": plan.tuning, "epochs": plan.epochs, "steps": plan.epochs * task.steps, "batch": task.batch,
        "grid": list(GRIDS[plan.grid]), "checks": plan.checks, "accuracy": task.accuracy,
        "samples": [len(part[0]) for part in (task.learn, task.choose, task.report)],
        "parameters": sum(p.numel() for p in task.model(0).parameters()),
    }  # fmt: skip
    entry = ledger.task(task.name, settings)
    for method in methods:
        reason = absent(method)
        if reason:
            if method not in entry["methods"]:  # it may have taken part where it is installed
                entry.setdefault("skipped", {})[method] = reason
            continue
        entry.get("skipped", {}).pop(method, None)
        row = entry["methods"].setdefault(method, {"runs": {}})
        tune(task, plan, method, row, ledger)
        for seed in range(seeds):
            if str(seed) not in row["runs"]:
                row["runs"][str(seed)] = facts(task, trained(task, method, row["lr"], seed, plan.epochs, plan.checks))
                ledger.save()
                print(
                    f"{task.name}, {method}, seed {seed}: {row['runs'][str(seed)]['loss']}", file=sys.stderr, flush=True
                )
    found = entry["methods"]
    entry["methods"] = {method: found[method] for method in (*METHODS, *found) if method in found}
    present = tuple(method for method in entry["methods"] if absent(method) is None)
    if not set(present) <= set(entry.get("clock", {})):
        entry["clock"] = milliseconds(task, present)
        ledger.save()


def tune(task: Task, plan: Plan, method: str, row: dict[str, Any], ledger: Ledger) -> None:
    """The learning rate with the lowest loss on the choosing part after the shorter budget, unless it is known."""
    if "lr" in row:
        return
    grid = GRIDS[plan.grid]
    row["lr"], scores = best_step_size(lambda lr: trained(task, method, lr, TUNING_SEED, plan.tuning).history, grid)
    row["scores"] = [finite(score) for score in scores]
    row["at_edge"] = row["lr"] in (grid[0], grid[-1])
    ledger.save()


def facts(task: Task, run: Trained) -> dict[str, Any]:
    """What is kept of a run; losses that are not finite become None."""
    history = run.history
    loss, accuracy = (math.inf, 0.0) if history.diverged else evaluate(history.model, task.report)
    return {
        "loss": finite(loss),
        "accuracy": finite(accuracy),
        "held_out": [finite(value) for value in history.held_out],
        "steps": history.steps,
        "seconds": [round(value, 4) for value in history.seconds],
        "train": [finite(value) for value in thinned(history.losses)],
        "bytes": run.bytes,
    }


def thinned(losses: list[float], count: int = 50) -> list[float]:
    """Means over equal parts of a run."""
    return [float(np.mean(part)) for part in np.array_split(losses, min(count, len(losses))) if len(part)]


def finite(value: float) -> float | None:
    """Five digits of a number, None where it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
