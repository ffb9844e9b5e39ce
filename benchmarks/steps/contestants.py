r"""The optimizers whose steps are timed: ours, torch's, and those of packages that may be installed.

Each has a group; members of the group "Shampoo, every k" refresh their roots equally often and are compared with each other.

Source: derived here; the packages name their papers.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from benchmarks.steps.parameters import Shapes

__all__ = ["REFERENCE", "Absent", "Contestant", "contestants"]

REFERENCE = "AdamW foreach"


class Absent(Exception):
    """The contestant does not take part; the text says why."""


@dataclass(frozen=True)
class Contestant:
    """A name, how it is made, how many steps make a period, and with whom it is compared."""

    name: str
    make: Callable[[list[Tensor]], Optimizer]
    period: int = 1
    group: str = "first order"
    ours: bool = False
    matrices_only: bool = False

    def on(self, params: list[Tensor], shapes: Shapes) -> Optimizer:
        """The optimizer. Raises Absent with the reason when it cannot be had here."""
        if self.matrices_only and any(len(shape) != 2 for shape in shapes):
            raise Absent("takes matrices only")
        try:
            return self.make(params)
        except ImportError as error:
            raise Absent(f"not installed ({error.name or error})") from error
        except (TypeError, ValueError, RuntimeError) as error:
            raise Absent(f"refuses: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 160 characters."""
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:160]


def torch_optimizer(name: str, **options: Any) -> Callable[[list[Tensor]], Optimizer]:
    def make(params: list[Tensor]) -> Optimizer:
        if not hasattr(torch.optim, name):
            raise Absent(f"torch {torch.__version__} has no {name}")
        return getattr(torch.optim, name)(params, lr=1e-4, **options)

    return make


def our_optimizer(name: str, **options: Any) -> Callable[[list[Tensor]], Optimizer]:
    def make(params: list[Tensor]) -> Optimizer:
        import optimizers

        return getattr(optimizers, name)(params, lr=1e-4, **options)

    return make


def each_axis(**options: Any) -> Callable[[list[Tensor]], Optimizer]:
    """Shampoo with a factor along every axis, where that is another method."""
    make_shampoo = our_optimizer("Shampoo", axes="each", **options)

    def make(params: list[Tensor]) -> Optimizer:
        if all(p.ndim < 3 for p in params):
            raise Absent("has matrices only: the same as Shampoo")
        return make_shampoo(params)

    return make


def packaged(module: str, name: str, **options: Any) -> Callable[[list[Tensor]], Optimizer]:
    def make(params: list[Tensor]) -> Optimizer:
        logging.disable(logging.INFO)  # some packages report every refresh
        return getattr(importlib.import_module(module), name)(params, lr=1e-4, **options)

    return make


def packaged_muon(params: list[Tensor]) -> Optimizer:
    """Matrices by Muon, the rest by its AdamW, as the package wants it to be said."""
    package = importlib.import_module("pytorch_optimizer")
    groups = [
        {"params": [p for p in params if p.ndim >= 2], "use_muon": True},
        {"params": [p for p in params if p.ndim < 2], "use_muon": False},
    ]
    return package.Muon([group for group in groups if group["params"]], lr=1e-4)


def distributed_shampoo(frequency: int) -> Callable[[list[Tensor]], Optimizer]:
    def make(params: list[Tensor]) -> Optimizer:
        package = importlib.import_module("distributed_shampoo")
        logging.disable(logging.INFO)
        graft = next(
            getattr(package, name)
            for name in ("SGDPreconditionerConfig", "SGDGraftingConfig")
            if hasattr(package, name)
        )
        return package.DistributedShampoo(
            params, lr=1e-4, betas=(0.9, 0.99), epsilon=1e-8, precondition_frequency=frequency,
            start_preconditioning_step=frequency, grafting_config=graft(),
        )  # fmt: skip

    return make


def contestants(compiled: bool) -> list[Contestant]:
    """All of them. Compiled steps need a C++ compiler and some seconds each."""
    found = [
        Contestant(REFERENCE, torch_optimizer("AdamW", foreach=True)),
        Contestant("AdamW fused", torch_optimizer("AdamW", fused=True)),
        Contestant("SGD foreach", torch_optimizer("SGD", momentum=0.9, foreach=True)),
        Contestant("SGD fused", torch_optimizer("SGD", momentum=0.9, fused=True)),
        Contestant("AGD", our_optimizer("AGD"), ours=True),
        Contestant("Muon, torch", torch_optimizer("Muon"), group="orthogonal", matrices_only=True),
        Contestant("Muon, pytorch_optimizer", packaged_muon, group="orthogonal"),
    ]
    if compiled:
        found += [
            Contestant("AGD compiled", our_optimizer("AGD", compile=True), ours=True),
            # AdamW does not look at the gradients either: like against like.
            Contestant("AGD compiled, no guard", our_optimizer("AGD", compile=True, guard=False), ours=True),
        ]
    for k in (1, 10):
        found += _shampoos(k)
    return found


def _shampoos(k: int) -> list[Contestant]:
    group = f"Shampoo, every {k}"
    ours = [
        ("OneSidedShampoo", "OneSidedShampoo", {}),
        ("Shampoo", "Shampoo", {}),
        ("Shampoo sandwich", "Shampoo", {"root": "sandwich"}),
        ("Jorge", "Jorge", {}),
        ("Jorge sandwich", "Jorge", {"rule": "sandwich"}),
    ]
    found = [
        Contestant(f"{label}, every {k}", our_optimizer(name, refresh=k, **options), k, group, ours=True)
        for label, name, options in ours
    ]
    found.append(Contestant(f"Shampoo each axis, every {k}", each_axis(refresh=k), k, group, ours=True))
    peers = [
        ("Shampoo, pytorch_optimizer", packaged("pytorch_optimizer", "Shampoo", preconditioning_compute_steps=k)),
        (
            "ScalableShampoo, pytorch_optimizer",
            packaged(
                "pytorch_optimizer", "ScalableShampoo", preconditioning_compute_steps=k, start_preconditioning_step=1
            ),
        ),
        ("SOAP, pytorch_optimizer", packaged("pytorch_optimizer", "SOAP", precondition_frequency=k)),
        ("Distributed Shampoo", distributed_shampoo(k)),
    ]
    return found + [Contestant(f"{label}, every {k}", make, k, group) for label, make in peers]
