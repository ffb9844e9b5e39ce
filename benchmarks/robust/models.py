r"""Tiny models and batches that the probes train.

.. math:: f(W) = \frac1n \sum_i \tfrac12 |W x_i - y_i|^2

Source: derived here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.random.mtrand import _rand as numbers  # NumPy's global state: some peers draw from it
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = [
    "Bag",
    "Make",
    "apart",
    "batch",
    "drawing",
    "loss_of",
    "mlp",
    "ramped",
    "snapshot",
    "train",
    "unchanged",
]

Make = Callable[..., Optimizer]  # (model, scaler=None) -> the optimizer of all its parameters, with defaults


class Bag(nn.Module):
    """Parameters of any shapes; the loss pulls them to 1."""

    def __init__(self, *shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(3)
        self.parts = nn.ParameterList(torch.randn(shape, generator=draw).to(dtype) for shape in shapes)

    def loss(self) -> Tensor:
        total = torch.zeros(())
        for p in self.parts:
            total = total + 0.5 * (p.float() - 1.0).square().sum()
        return total


def mlp(seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """6 → 8 → 4, tanh between."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).to(dtype)


def ramped(model: nn.Sequential | nn.Linear) -> Any:
    """The model with parameters that do not depend on a random state."""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.linspace(-0.5, 0.5, p.numel()).reshape(p.shape))
    return model


def batch(step: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Inputs (16, 6) and targets (16, 4) of a step: the same every time that they are asked for."""
    draw = torch.Generator().manual_seed(100 + step)
    x = torch.randn(16, 6, generator=draw)
    return x.to(dtype), torch.stack([x[:, 0], x[:, 1] * x[:, 2], x.sum(1), x[:, 3].abs()], dim=1).to(dtype)


def loss_of(model: nn.Module, step: int) -> Tensor:
    """Half the mean squared error of the batch of a step."""
    x, y = batch(step, next(model.parameters()).dtype)
    return 0.5 * (model(x) - y).square().float().sum(1).mean()


@contextmanager
def apart() -> Iterator[None]:
    """The global random states are left as they were."""
    ours, pythons = numbers.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        numbers.set_state(ours)
        random.setstate(pythons)


def drawing(step: int) -> None:
    """What is drawn in a step depends on the step alone: an optimizer that draws numbers is not blamed for two draws."""
    torch.manual_seed(step)
    numbers.seed(step)
    random.seed(step)


def train(model: nn.Module, optimizer: Optimizer, steps: range) -> list[float]:
    """Losses before each step."""
    losses = []
    for step in steps:
        drawing(step)
        optimizer.zero_grad()
        loss = loss_of(model, step)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def snapshot(model: nn.Module, optimizer: Optimizer) -> list[Any]:
    """Copies of the parameters and of all tensors of the state."""
    return [_copied(list(model.parameters())), _copied(optimizer.state_dict()["state"])]


def unchanged(before: list[Any], model: nn.Module, optimizer: Optimizer) -> bool:
    """Whether parameters and state are bitwise what they were."""
    return equal(before, snapshot(model, optimizer))


def equal(a: Any, b: Any) -> bool:
    """Bitwise equality of nested states; NaN equals NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b or (a != a and b != b)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(entry) for entry in value]
    return value
