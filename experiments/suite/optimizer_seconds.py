r"""Seconds of a training step with each optimizer, paired with AdamW's: what turns steps into time.

.. math:: \operatorname*{median}_k \; t_k(\text{forward, backward, step}) \,/\, t_k(\text{the same with AdamW})

Seconds are measurements of a machine and are stored in the summary; no two runs agree on them.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet

__all__ = ["OptimizerSeconds"]

# task -> steps of a measurement (periods of ten: one refresh of the roots each), and how often it is repeated
SIZES: dict[str, dict[str, tuple[int, int]]] = {
    "ci": {"digits MLP": (10, 2)},
    "laptop": {"digits MLP": (30, 7), "digits CNN": (20, 7), "characters": (10, 7)},
    "paper": {"digits MLP": (200, 25), "digits CNN": (100, 25), "characters": (100, 25)},
}
WARM = 60  # steps before the clock starts: FNGD with a scalar then shares


class OptimizerSeconds(Experiment):
    """One run for each task: all methods in turns."""

    id = "optimizer_seconds"
    title = "Seconds of a training step"
    claim = "A step of one-sided Shampoo with its root renewed every tenth step costs less than twice one of AdamW."
    requires = ("torch",)
    exclusive = True

    def runs(self, scale: str) -> list[RunSpec]:
        return [self.spec(task=task, steps=steps, repeats=repeats) for task, (steps, repeats) in SIZES[scale].items()]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        from experiments.suite._tasks import TASKS
        from experiments.suite.optimizer_training import compared

        task, methods = TASKS[spec.params["task"]](), compared(spec.params["task"])
        work = {method: stepper(task, method) for method in methods}
        for run in work.values():
            run(WARM)
        seconds: dict[str, list[float]] = {method: [] for method in methods}
        pairs: dict[str, list[float]] = {method: [] for method in methods}
        for turn in range(spec.params["repeats"]):
            progress(turn, spec.params["repeats"])
            for method, run in work.items():
                reference, own = (run_timed(each, spec.params["steps"]) for each in (work["AdamW"], run))
                seconds[method].append(own)
                pairs[method].append(own / reference)
        return Result(
            {"method": np.array(methods)},
            {
                "seconds": {method: median(values) for method, values in seconds.items()},
                "ratio": {method: [median(values), min(values), max(values)] for method, values in pairs.items()},
            },
        )


def stepper(task: Any, method: str) -> Callable[[int], None]:
    """A call that takes so many training steps, one epoch after the other."""
    from experiments.suite._training import History, make_optimizer, take_step

    model = task.model(0)
    history = History(model=model, optimizer=make_optimizer(method, model, 1e-3))
    batches = [batch for epoch in range(4) for batch in task.batches(0, epoch)]
    done = 0

    def run(steps: int) -> None:
        nonlocal done
        for _ in range(steps):
            take_step(history, *batches[done % len(batches)], None)
            done += 1

    return run


def run_timed(run: Callable[[int], None], steps: int) -> float:
    """Seconds per step."""
    begin = perf_counter()
    run(steps)
    return (perf_counter() - begin) / steps
