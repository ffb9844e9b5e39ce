r"""Processor's milliseconds of a training step, all methods in turns: what else the machine does then meets all of them alike.

.. math:: \operatorname*{median}_k \; t_k(\text{forward, backward, step})

over rounds in which every method takes ten steps, a renewal of the roots among them, after an epoch (at least sixty steps) that
is not counted: FNGD then shares.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from statistics import median
from time import process_time

from benchmarks.trained.kfac import KFAC
from experiments.suite._tasks import Task
from experiments.suite._training import History, make_optimizer, take_step

__all__ = ["milliseconds"]

STEPS, LEAST = 10, 60


def milliseconds(task: Task, methods: tuple[str, ...], rounds: int = 7) -> dict[str, float]:
    """By method; the learning rate is small, because no step may diverge and none costs more for it."""
    work = {method: stepper(task, method) for method in methods}
    for run in work.values():
        run(max(LEAST, task.steps + 1))
    found: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(rounds):
        for method, run in work.items():
            begin = process_time()
            run(STEPS)
            found[method].append(1e3 * (process_time() - begin) / STEPS)
    return {method: float(f"{median(values):.4g}") for method, values in found.items()}


def stepper(task: Task, method: str) -> Callable[[int], None]:
    """A call that takes so many training steps, one epoch after the other."""
    watch, model = (KFAC(0) if method == "K-FAC" else None), task.model(0)
    optimizer = make_optimizer("SGD" if watch else method, model, 1e-4)
    history = History(model=model, optimizer=optimizer)
    batches = cycle([batch for epoch in range(2) for batch in task.batches(0, epoch)])

    def run(steps: int) -> None:
        for batch in islice(batches, steps):
            take_step(history, *batch, watch)

    return run
