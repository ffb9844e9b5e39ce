r"""What FNGD's shared coefficients carry over: each batch's own, a table by sample, one number per position, one per layer.

.. math:: x_l = \frac1n \sum_i w_{l,i}\, u_{l,i}, \qquad w_l = n\,(n\lambda I + U_l^\top U_l)^{-1}\mathbf 1

"fresh" solves for w in every batch; "table" keeps w by sample from the first epoch; "position" keeps the mean over the first
epoch's batches at each position of the batch; "scalar" the mean over everything, which is SGD with one learning rate per
layer. After shuffling, positions are exchangeable: the means at the positions then differ by chance alone, and their variance
is that of a mean over as many batches. Stored as well: the cosine of the table's and of SGD's direction to the fresh one.

Source: Fast natural gradient descent (fngd); the readings of "shared" and the claim about positions are derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._natural import natural_layers, seen
from experiments.suite._training import History

__all__ = ["SHARINGS", "FNGDSharing", "compared"]

SHARINGS = ("SGD", "fresh", "table", "position", "scalar")
EVERY = 4  # steps between two measurements of cosines

SIZES: dict[str, dict[str, Any]] = {
    "ci": {"dampings": (0.1,), "epochs": 2, "seeds": 2, "grid": "decades"},
    "laptop": {"dampings": (1e-2, 1e-1, 1.0), "epochs": 6, "seeds": 3, "grid": "half decades"},
    "paper": {"dampings": (1e-3, 1e-2, 1e-1, 1.0), "epochs": 30, "seeds": 10, "grid": "half decades"},
}


class FNGDSharing(Experiment):
    """One run for each damping and way to share."""

    id = "fngd_sharing"
    title = "What FNGD's shared coefficients carry"
    claim = (
        "Coefficients shared by position are one learning rate per layer; a table is no nearer to the fresh direction."
    )
    requires = ("torch",)

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        common = {name: size[name] for name in ("epochs", "seeds", "grid")}
        return [
            self.spec(damping=damping, share=share, **common)
            for share in SHARINGS
            for damping in (size["dampings"] if share != "SGD" else (0.0,))
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        from experiments.suite._tasks import digits_mlp

        return compared(digits_mlp(), spec.params, progress)


def compared(task: Any, params: dict[str, Any], progress: Progress = quiet) -> Result:
    """One way to share at one damping: its step size tuned (for `tuning_epochs` where given), then several seeds."""
    from experiments.suite._training import GRIDS, TUNING_SEED, best_step_size, evaluate

    shorter = params | {"epochs": params.get("tuning_epochs", params["epochs"])}
    lr, scores = best_step_size(lambda lr: trained(task, shorter, lr, TUNING_SEED)[0], GRIDS[params["grid"]])
    curves, ends, accuracies, notes = [], [], [], []
    for seed in range(params["seeds"]):
        progress(seed, params["seeds"])
        history, notebook = trained(task, params, lr, seed)
        curves.append(np.array([*history.losses, *[np.inf] * (params["epochs"] * task.steps - len(history.losses))]))
        ends.append(evaluate(history.model, task.learn)[0])
        accuracies.append(evaluate(history.model, task.report)[1])
        notes.append(notebook.findings() if notebook and not history.diverged else {})
    arrays = {
        "loss": np.array(curves),
        "train_loss": np.array(ends),
        "accuracy": np.array(accuracies),
        "scores": np.array(scores),
    }
    if params["share"] == "fresh" and all(notes):
        arrays |= {name: np.array([note[name] for note in notes]) for name in notes[0]}
    return Result(arrays, {"lr": lr, "steps_per_epoch": task.steps})


def trained(task: Any, params: dict[str, Any], lr: float, seed: int) -> tuple[History, Notebook | None]:
    """One run, without momentum, so that a direction is a direction; with a notebook when every batch is fresh."""
    import torch

    from experiments.suite._training import TUNING_SEED, train
    from optimizers import FNGD

    share, damping = params["share"], params["damping"]
    ours = {
        "fresh": {"share": "none"},
        "table": {"share": "table"},
        "scalar": {"share": "scalar", "window": task.steps},
    }

    def made(model: Any, lr: float) -> Any:
        if share in ours:
            return FNGD(model, lr=lr, momentum=0.0, damping=damping, **ours[share])
        return torch.optim.SGD(model.parameters(), lr=lr)

    notebook = Notebook(task.steps, damping, len(task.learn[0])) if share == "fresh" and seed != TUNING_SEED else None
    watch = notebook.watch if notebook else Positions(task.steps, damping).watch if share == "position" else None
    return train(task, "SGD", lr, seed, params["epochs"], watch, made), notebook


class Positions:
    """Puts weighted gradients in the place of SGD's: fresh in the first epoch, then the means at the positions of the batch."""

    def __init__(self, steps: int, damping: float) -> None:
        self.steps, self.damping = steps, damping
        self.sums: dict[int, Any] = {}

    def watch(self, model: Any, _: Any, step: int, batch: tuple[Any, Any, Any]) -> None:
        """Between backward and step."""
        for k, (layer, module) in enumerate(zip(seen(model, *batch[:2]), natural_layers(model), strict=True)):
            if step < self.steps:
                w = layer.weights(self.damping)
                self.sums[k] = self.sums.get(k, 0.0) + w
            else:
                w = self.sums[k] / self.steps
            weight, module.bias.grad = layer.direction(w)
            module.weight.grad = weight.reshape(module.weight.shape)


class Notebook:
    """Weights of all batches of a run, and cosines to the fresh direction from the second epoch on."""

    def __init__(self, steps: int, damping: float, samples: int) -> None:
        self.steps, self.damping, self.samples = steps, damping, samples
        self.weights: list[np.ndarray] = []  # per step (layers, batch)
        self.table: np.ndarray = np.empty(0)  # (layers, samples): weights of the first epoch, NaN for who was not in it
        self.cosines: list[list[list[float]]] = []  # per measurement and layer: table, SGD

    def watch(self, model: Any, _: Any, step: int, batch: tuple[Any, Any, Any]) -> None:
        """Between backward and step: note the weights; in the first epoch by sample, later compare."""
        import torch

        layers, ids = seen(model, *batch[:2]), batch[2].numpy()
        fresh = [layer.weights(self.damping) for layer in layers]
        self.weights.append(np.stack([w.numpy() for w in fresh]))
        if step == 0:
            self.table = np.full((len(layers), self.samples), np.nan)
        if step < self.steps:
            self.table[:, ids] = self.weights[-1]
        elif step % EVERY == 0:
            known = np.nanmean(self.table, axis=1, keepdims=True)
            old = torch.from_numpy(np.where(np.isnan(self.table[:, ids]), known, self.table[:, ids]))
            self.cosines.append(
                [
                    [cosine(layer, w_old, w), cosine(layer, torch.ones(len(ids)), w)]
                    for layer, w_old, w in zip(layers, old, fresh, strict=True)
                ]
            )

    def findings(self) -> dict[str, np.ndarray]:
        """Of one run, by layer; ratios near 1 say that positions are exchangeable."""
        w = np.stack(self.weights)  # (steps, layers, batch)
        means = w.mean(0)
        apart = w - w.mean(2, keepdims=True)  # the weights of a whole batch rise and fall together
        within = np.square(apart).sum((0, 2)) / (w.shape[2] - 1) / len(w) ** 2
        return {
            "position_ratio": means.var(1, ddof=1) / within,
            "position_spread": means.std(1, ddof=1) / np.abs(means.mean(1)),
            "sample_spread": w.std((0, 2), ddof=1) / np.abs(means.mean(1)),
            "negative_share": (w < 0.0).mean((0, 2)),
            "cosine": np.median(np.array(self.cosines), axis=0),  # (layers, 2): table, SGD
        }


def cosine(layer: Any, v: Any, w: Any) -> float:
    """Of the directions with the weights v and w."""
    import torch

    a, b = (torch.cat([part.flatten() for part in layer.direction(each)]) for each in (v, w))
    return float(a @ b / (a.norm() * b.norm()))
