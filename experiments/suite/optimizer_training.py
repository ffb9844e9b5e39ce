r"""Jorge, sandwich, Shampoo, AGD and FNGD against SGD and AdamW on small networks: same grid, same budget, several seeds.

Every method tunes one number, its learning rate, on the same nine half decades with the same number of steps; the rest is its
default. Stored: the losses of every step of every seed, the report part's loss and accuracy, and how many numbers the state
holds. Seconds per step are measured apart, by `optimizer_seconds`.

Source: derived here; the claims are those of the Jorge, AGD and FNGD papers (singh2023jorge, yue2023agd, ou2024inverse).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet

__all__ = ["COMPARED", "OptimizerTraining", "compared"]

COMPARED = (
    "SGD", "AdamW", "AGD", "Shampoo", "OneSidedShampoo", "Jorge", "Jorge, sandwich", "FNGD", "FNGD, scalar",
)  # fmt: skip
TENSORS = ("Shampoo, each axis",)  # on networks without convolutions the same as Shampoo

# task -> epochs and number of seeds
SIZES: dict[str, dict[str, tuple[int, int]]] = {
    "ci": {"digits MLP": (2, 2)},
    "laptop": {"digits MLP": (8, 3), "digits CNN": (6, 3), "characters": (2, 3)},
    "paper": {"digits MLP": (40, 20), "digits CNN": (40, 20), "characters": (20, 20)},
}
GRID = {"ci": "decades", "laptop": "half decades", "paper": "half decades"}


class OptimizerTraining(Experiment):
    """One run for each task and method: its step size is tuned, then several seeds are trained."""

    id = "optimizer_training"
    title = "Optimizers on small networks"
    claim = "With a tuned learning rate, methods with matrix roots reach SGD's final loss in fewer steps than SGD."
    requires = ("torch",)

    def runs(self, scale: str) -> list[RunSpec]:
        return [
            self.spec(task=task, method=method, epochs=epochs, seeds=seeds, grid=GRID[scale])
            for task, (epochs, seeds) in SIZES[scale].items()
            for method in compared(task)
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        from experiments.suite._tasks import TASKS
        from experiments.suite._training import GRIDS, TUNING_SEED, best_step_size, evaluate, state_numbers, train

        params = spec.params
        task, method, epochs = TASKS[params["task"]](), params["method"], params["epochs"]
        grid = GRIDS[params["grid"]]
        lr, scores = best_step_size(lambda lr: train(task, method, lr, TUNING_SEED, epochs), grid)
        losses, ends, accuracies = [], [], []
        numbers = parameters = 0
        for seed in range(params["seeds"]):
            progress(seed, params["seeds"])
            history = train(task, method, lr, seed, epochs)
            loss, accuracy = evaluate(history.model, task.report)
            losses.append(padded(history.losses, epochs * task.steps))
            ends.append(loss if not history.diverged else np.inf)
            accuracies.append(accuracy)
            numbers = state_numbers(history.optimizer)
            parameters = sum(p.numel() for p in history.model.parameters())
        return Result(
            {
                "grid": np.array(grid), "scores": np.array(scores), "loss": np.array(losses),
                "report_loss": np.array(ends), "report_accuracy": np.array(accuracies),
            },
            {
                "lr": lr, "at_edge": lr in (grid[0], grid[-1]), "state_numbers": numbers, "parameters": parameters,
                "steps_per_epoch": task.steps, "judged_by_accuracy": task.accuracy,
            },
        )  # fmt: skip


def compared(task: str) -> tuple[str, ...]:
    """The methods that differ on a task."""
    return COMPARED + TENSORS if "CNN" in task else COMPARED


def padded(values: list[float], length: int) -> Any:
    """The values, then infinity: where a run has diverged."""
    return np.concatenate([values, np.full(length - len(values), np.inf)])
