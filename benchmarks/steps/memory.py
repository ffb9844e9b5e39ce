r"""Bytes of an optimizer's state: what it holds, and what its method's formula asks for.

.. math::
    \text{one-sided: } 2 k^2 + 3mn, \qquad \text{Shampoo: } 2(m^2 + n^2) + 3mn, \qquad \text{Jorge: } m^2 + n^2 + 2mn,
    \qquad \text{AGD: } 2mn

numbers for an (m, n) parameter with grafting and momentum, k its preconditioned side: statistics, kept roots, momentum,
and the state of the step that lends its length; nothing else.

Source: derived here from the updates.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from optimizers.kronecker import KroneckerOptimizer, grid, lengths
from optimizers.matrices import axes_of

__all__ = ["formula_bytes", "state_bytes"]

GRAFT_STATES = {None: 0, "sgd": 0, "adagrad": 1, "rmsprop": 1}


def state_bytes(optimizer: Optimizer) -> int:
    """Bytes of the storages behind the state's tensors, each counted once, plus any tensors that the object keeps aside."""
    storages = {}
    for tensor in tensors_in([optimizer.state, vars(optimizer).get("_packed"), vars(optimizer).get("_plans")], set()):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
    for group in optimizer.param_groups:
        for p in group["params"]:
            storages.pop(p.untyped_storage().data_ptr(), None)
    return sum(storages.values())


def tensors_in(value: Any, seen: set[int]) -> Iterable[Tensor]:
    """All tensors inside of dictionaries, lists and plain objects."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from tensors_in(entry, seen)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from tensors_in(entry, seen)
    elif hasattr(value, "__dict__") and type(value).__module__.startswith("optimizers"):
        yield from tensors_in(vars(value), seen)


def formula_bytes(optimizer: Optimizer) -> int | None:
    """What the method's formula says, in float32 statistics; None for a method without one here."""
    total = 0
    for group in optimizer.param_groups:
        for p in group["params"]:
            numbers = _numbers(optimizer, group, tuple(p.shape))
            if numbers is None:
                return None
            total += 4 * numbers
    return total


def _numbers(optimizer: Optimizer, group: dict[str, Any], shape: tuple[int, ...]) -> int | None:
    if isinstance(optimizer, KroneckerOptimizer):
        return _kronecker(optimizer, group, shape)
    if type(optimizer).__name__ == "AGD":
        return (3 if group["amsgrad"] else 2) * prod(shape)
    if type(optimizer).__name__ == "FNGD":
        return (1 if group["momentum"] else 0) * prod(shape)
    return None


def _kronecker(optimizer: KroneckerOptimizer, group: dict[str, Any], shape: tuple[int, ...]) -> int:
    own = 1 if group["momentum"] else 0
    graft = 0 if group["grafting"] is None else GRAFT_STATES[group["grafting"]] + own
    if len(shape) < 2 and group["grafting"] is not None:
        return graft * prod(shape)
    sizes = axes_of(shape, group.get("axes", "merged"))
    wanted = optimizer.sides(sizes, group)
    copies = 1 if group["root"] != "eigh" or group["refresh"] == 1 else 2
    squares = sum(
        n * n
        for ranges in grid(sizes, wanted, group["max_size"])
        for n, w in zip(lengths(ranges), wanted, strict=True)
        if w
    )
    return copies * squares + (own + graft) * prod(shape)
