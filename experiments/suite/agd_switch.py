r"""How many coordinates AGD treats as SGD does, layer by layer over training, and what δ does to the result.

A coordinate takes a step of SGD with momentum when

.. math:: \sqrt{v_t / (1 - \beta_2^t)} \le \delta .

The learning rate is tuned for every δ on the same grid.

Source: Yue et al. 2023 (agd) plot such shares; counted here from the state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._training import Watch

__all__ = ["AGDSwitch"]

DELTAS = (1e-8, 1e-5, 1e-4, 1e-3, 1e-2)
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"epochs": 2, "seeds": 2, "grid": "decades", "deltas": (1e-5, 1e-2)},
    "laptop": {"epochs": 10, "seeds": 3, "grid": "half decades", "deltas": DELTAS},
    "paper": {"epochs": 50, "seeds": 20, "grid": "half decades", "deltas": DELTAS},
}


class AGDSwitch(Experiment):
    """One run for each δ on the digits."""

    id = "agd_switch"
    title = "AGD between SGD and an adaptive method"
    claim = "The share of coordinates in SGD's mode rises during training, and test accuracy hardly depends on delta."
    requires = ("torch",)

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(task="digits MLP", delta=delta, epochs=size["epochs"], seeds=size["seeds"], grid=size["grid"])
            for delta in size["deltas"]
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        from experiments.suite._tasks import TASKS
        from experiments.suite._training import GRIDS, TUNING_SEED, best_step_size, evaluate, train
        from optimizers import AGD

        params = spec.params
        task, epochs = TASKS[params["task"]](), params["epochs"]

        def made(model: Any, lr: float) -> AGD:
            return AGD(model.parameters(), lr=lr, delta=params["delta"])

        grid = GRIDS[params["grid"]]
        lr, scores = best_step_size(lambda lr: train(task, "AGD", lr, TUNING_SEED, epochs, None, made), grid)
        shares, accuracies, losses = [], [], []
        for seed in range(params["seeds"]):
            progress(seed, params["seeds"])
            seen: list[list[float]] = []
            history = train(task, "AGD", lr, seed, epochs, counting(seen, task.steps), made)
            loss, accuracy = evaluate(history.model, task.report)
            shares.append([*seen, switched(history.model, history.optimizer)])
            accuracies.append(accuracy)
            losses.append(loss)
        return Result(
            {
                "share": np.array(shares),
                "accuracy": np.array(accuracies),
                "loss": np.array(losses),
                "scores": np.array(scores),
            },
            {"lr": lr, "accuracy": float(np.mean(accuracies))},
        )


def counting(seen: list[list[float]], steps: int) -> Watch:
    """Appends the shares at the end of every epoch but the last."""

    def watch(model: Any, optimizer: Any, step: int, _: Any) -> None:
        if step and step % steps == 0:
            seen.append(switched(model, optimizer))

    return watch


def switched(model: Any, optimizer: Any) -> list[float]:
    """The share of coordinates in SGD's mode of every weight matrix."""
    group = optimizer.param_groups[0]
    found = []
    for p in model.parameters():
        if p.ndim > 1:
            state = optimizer.state[p]
            spread = (state["square"] / (1.0 - group["betas"][1] ** state["step"])).sqrt()
            found.append(float((spread <= group["delta"]).double().mean()))
    return found
