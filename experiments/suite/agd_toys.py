r"""AGD's trajectories on two curved valleys, beside Adam and SGD with momentum.

.. math::
    \text{Beale: } \sum_{k=1}^3 (c_k - x + x y^k)^2,\ c = (1.5, 2.25, 2.625), \qquad
    \text{Rosenbrock: } (1-x)^2 + 100 (y - x^2)^2

Every method takes the same grid of learning rates; the best one is that which first comes within 0.01 of the minimiser. All
starts and learning rates go at once: the methods treat each number by itself.

Source: Yue et al. 2023 (agd) show such trajectories; starts, grid and target are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet

__all__ = ["FUNCTIONS", "METHODS", "AGDToys"]

GRID = tuple(round(10.0 ** (-4 + k / 2), 10) for k in range(9))
NEAR = 1e-2
FAR = 1e6  # beyond, a trajectory is given up

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "AGD": ("AGD", {"delta": 1e-8}),
    "AGD, no clip": ("AGD", {"delta": 1e-8, "clip": None}),
    "Adam": ("torch Adam", {}),
    "SGD": ("torch SGD", {"momentum": 0.9}),
}
STEPS = {"ci": 100, "laptop": 1500, "paper": 10_000}


def beale(x: Any, y: Any) -> Any:
    """Minimum 0 at (3, 1/2)."""
    return sum((c - x + x * y**k) ** 2 for k, c in ((1, 1.5), (2, 2.25), (3, 2.625)))


def rosenbrock(x: Any, y: Any) -> Any:
    """Minimum 0 at (1, 1)."""
    return (1.0 - x) ** 2 + 100.0 * (y - x**2) ** 2


# function, minimiser, starts
FUNCTIONS: dict[str, tuple[Callable[[Any, Any], Any], tuple[float, float], tuple[tuple[float, float], ...]]] = {
    "Beale": (beale, (3.0, 0.5), ((-1.0, 2.0), (1.0, 1.0), (3.0, 4.0))),
    "Rosenbrock": (rosenbrock, (1.0, 1.0), ((-2.0, 2.0), (-1.2, 1.0))),
}


class AGDToys(Experiment):
    """One run for each function and method."""

    id = "agd_toys"
    title = "AGD in two dimensions"
    claim = "With its best learning rate AGD comes to the minimiser in fewer steps than Adam with its best."
    requires = ("torch",)

    def runs(self, scale: str) -> list[RunSpec]:
        return [
            self.spec(function=function, method=method, steps=STEPS[scale])
            for function in FUNCTIONS
            for method in METHODS
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        function, target, starts = FUNCTIONS[spec.params["function"]]
        path = trajectories(
            function, starts, spec.params["method"], spec.params["steps"], progress
        )  # (T+1, grid, starts, 2)
        apart = np.linalg.norm(path - np.array(target), axis=-1)
        arrived = np.where(np.any(apart < NEAR, axis=0), np.argmax(apart < NEAR, axis=0), -1)  # (grid, starts)
        best = [chosen(arrived[:, s], apart[-1, :, s]) for s in range(len(starts))]
        shown = np.stack([path[:, k, s] for s, k in enumerate(best)])
        return Result(
            {
                "grid": np.array(GRID),
                "arrived": arrived,
                "starts": np.array(starts),
                "target": np.array(target),
                "path": shown,
            },
            {"steps": [int(arrived[k, s]) for s, k in enumerate(best)], "lr": [GRID[k] for k in best]},
        )


def chosen(arrived: np.ndarray, apart: np.ndarray) -> int:
    """The learning rate that arrives first; where none does, the one that ends nearest."""
    if np.any(arrived >= 0):
        return int(np.argmin(np.where(arrived >= 0, arrived, np.iinfo(np.int64).max)))
    return int(np.argmin(apart))


def trajectories(
    function: Callable[[Any, Any], Any],
    starts: tuple[tuple[float, float], ...],
    method: str,
    steps: int,
    progress: Progress,
) -> np.ndarray:  # (T + 1, learning rates, starts, 2)
    """The paths; a given-up one stays where it was."""
    import torch

    import optimizers

    name, options = METHODS[method]
    points = [torch.tensor(starts, dtype=torch.float64, requires_grad=True) for _ in GRID]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(points, GRID, strict=True)]
    kind = getattr(torch.optim, name.removeprefix("torch ")) if name.startswith("torch ") else getattr(optimizers, name)
    optimizer, found = kind(groups, lr=1.0, **options), [snapshot(points)]
    for t in range(steps):
        progress(t, steps)
        stacked = torch.stack(points)
        gradients = torch.autograd.grad(function(stacked[..., 0], stacked[..., 1]).sum(), points)
        for p, g in zip(points, gradients, strict=True):
            inside = (torch.linalg.vector_norm(p.detach(), dim=1) < FAR) & torch.isfinite(g).all(1)
            p.grad = torch.where(inside[:, None], g, 0.0)
        before = [p.detach().clone() for p in points]
        optimizer.step()
        with torch.no_grad():
            for p, old in zip(points, before, strict=True):
                gone = torch.linalg.vector_norm(old, dim=1) >= FAR
                p.copy_(torch.where(gone[:, None] | ~torch.isfinite(p), old, p))
        found.append(snapshot(points))
    return np.stack(found)


def snapshot(points: list[Any]) -> np.ndarray:
    """All points as one array."""
    return np.stack([p.detach().numpy().copy() for p in points])
