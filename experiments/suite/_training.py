r"""Training with any of the compared optimizers: the same grid, the same budget and the same schedule for all.

.. math:: \eta_t = \eta\,(1 - t/T), \qquad \eta \in \{10^{-3.5}, 10^{-3}, \dots, 10^{0.5}\}

Momentum 0.9 where there is one, no weight decay, everything else by default. A step size is chosen by the loss on the second
part of the data after a whole run with a seed of its own.

Source: derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import process_time
from typing import Any

from experiments.suite._tasks import Parts, Task

__all__ = [
    "GRIDS",
    "METHODS",
    "TUNING_SEED",
    "History",
    "best_step_size",
    "evaluate",
    "make_optimizer",
    "state_numbers",
    "take_step",
    "train",
]

GRIDS: dict[str, tuple[float, ...]] = {
    "half decades": tuple(round(10.0 ** (-3.5 + k / 2), 10) for k in range(9)),
    "upper half decades": tuple(round(10.0 ** (-2 + k / 2), 10) for k in range(7)),
    "decades": tuple(10.0**-k for k in (3, 2, 1)),
}
TUNING_SEED = 99

# How each is made: a class of torch or of ours, and what is not its default.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("torch SGD", {"momentum": 0.9}),
    "AdamW": ("torch AdamW", {"weight_decay": 0.0}),
    "AGD": ("AGD", {}),
    "Shampoo": ("Shampoo", {}),
    "Shampoo, each axis": ("Shampoo", {"axes": "each"}),
    "OneSidedShampoo": ("OneSidedShampoo", {}),
    "Jorge": ("Jorge", {}),
    "Jorge, no ridge": ("Jorge", {"ridge": 0.0}),  # as published
    "Jorge, sandwich": ("Jorge", {"rule": "sandwich"}),
    "FNGD": ("FNGD", {}),
    "FNGD, damping 0.1": ("FNGD", {"damping": 0.1}),
    "FNGD, scalar": ("FNGD", {"share": "scalar"}),
    "FNGD, table": ("FNGD", {"share": "table"}),
}


@dataclass
class History:
    """What a training run leaves: losses of its steps, and at its checks (the ends of epochs) the loss on the second part."""

    losses: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)  # that had been taken at each check
    seconds: list[float] = field(default_factory=list)  # of the processor for these steps: without waiting or checking
    diverged: bool = False
    model: Any = None
    optimizer: Any = None

    @property
    def score(self) -> float:
        """The last loss on the second part; infinite when the run diverged."""
        return self.held_out[-1] if self.held_out and not self.diverged else math.inf


def make_optimizer(method: str, model: Any, lr: float) -> Any:
    """The optimizer of a method of `METHODS`."""
    import torch

    import optimizers

    name, options = METHODS[method]
    if name.startswith("torch "):
        return getattr(torch.optim, name.removeprefix("torch "))(model.parameters(), lr=lr, **options)
    return getattr(optimizers, name)(model if name == "FNGD" else model.parameters(), lr=lr, **options)


def loss_of(model: Any, x: Any, y: Any) -> Any:
    """The mean of -log p(y | x)."""
    from torch.nn import functional as F

    return F.cross_entropy(model(x).flatten(0, -2), y.flatten())


def evaluate(model: Any, data: Parts) -> tuple[float, float]:
    """Loss and share of right answers."""
    import torch

    model.eval()
    with torch.no_grad():
        out = model(data[0]).flatten(0, -2)
    model.train()
    labels = data[1].flatten()
    loss = torch.nn.functional.cross_entropy(out, labels)
    return float(loss), float((out.argmax(1) == labels).double().mean())


OptimizerOf = Callable[[Any, float], Any]  # model, learning rate
Watch = Callable[
    [Any, Any, int, tuple[Any, Any, Any]], None
]  # between backward and step: model, optimizer, step, batch


def train(
    task: Task,
    method: str,
    lr: float,
    seed: int,
    epochs: int,
    watch: Watch | None = None,
    optimizer_of: OptimizerOf | None = None,  # instead of the method's own
    checks: int = 1,  # in every epoch, evenly spaced
) -> History:
    """A whole run; it ends early, marked, when the loss or a gradient is not finite."""
    from torch.optim.lr_scheduler import LambdaLR

    history, model = History(), task.model(seed)
    optimizer = optimizer_of(model, lr) if optimizer_of else make_optimizer(method, model, lr)
    schedule = LambdaLR(optimizer, lambda step: max(0.0, 1.0 - step / (epochs * task.steps)))
    history.model, history.optimizer = model, optimizer
    due = {round(task.steps * k / checks) for k in range(1, checks + 1)}
    used = 0.0
    for epoch in range(epochs):
        for k, (x, y, ids) in enumerate(task.batches(seed, epoch), 1):
            begin = process_time()
            taken = take_step(history, x, y, ids, watch)
            used += process_time() - begin
            if not taken:
                history.diverged = True
                return history
            schedule.step()
            if k in due:
                check(history, task.choose, used)
    history.diverged = not math.isfinite(history.held_out[-1])
    return history


def check(history: History, data: Parts, seconds: float) -> None:
    """Note the loss on this part of the data, and after how many steps and seconds."""
    history.held_out.append(evaluate(history.model, data)[0])
    history.steps.append(len(history.losses))
    history.seconds.append(seconds)


def take_step(history: History, x: Any, y: Any, ids: Any, watch: Watch | None) -> bool:
    """One step; False when it was not taken."""
    model, optimizer = history.model, history.optimizer
    optimizer.zero_grad()
    with optimizer.samples(ids) if hasattr(optimizer, "samples") else nullcontext():
        loss = loss_of(model, x, y)
        if not math.isfinite(float(loss.detach())):
            return False
        loss.backward()
    if watch is not None:
        watch(model, optimizer, len(history.losses), (x, y, ids))
    try:
        optimizer.step()
    except ValueError:  # a gradient that is not finite is refused
        return False
    history.losses.append(float(loss.detach()))
    return True


def best_step_size(run: Callable[[float], History], grid: tuple[float, ...]) -> tuple[float, list[float]]:
    """The step size whose run has the lowest loss on the second part, and all those losses."""
    scores = [run(lr).score for lr in grid]
    return grid[min(range(len(grid)), key=lambda k: scores[k])], scores


def state_numbers(optimizer: Any) -> int:
    """Numbers in the state's tensors."""
    import torch

    def count(value: Any) -> int:
        if isinstance(value, torch.Tensor):
            return value.numel()
        if isinstance(value, dict):
            return sum(count(entry) for entry in value.values())
        return sum(count(entry) for entry in value) if isinstance(value, list | tuple) else 0

    return count(optimizer.state_dict()["state"])
