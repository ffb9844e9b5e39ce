r"""A table of weights by sample id.

.. math:: w[\mathrm{id}], \qquad \text{unknown ids: the mean over the known ones}

One float per sample and layer, NaN where nothing is known. Ids are integers ≥ 0, such as positions in the data set.

Source: derived here, the reading of "shared across epochs" that survives reshuffling (docs/proofs/fngd.md#sharing).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Ids", "as_ids", "filled", "lookup", "mean", "store"]


class Ids(NamedTuple):
    """Sample ids and the largest of them."""

    values: Tensor  # (n,) int64
    top: int


def as_ids(ids: Any) -> Ids:
    """Raises TypeError unless the ids are integers, ValueError unless they are a vector of numbers ≥ 0."""
    tensor = torch.as_tensor(ids)
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"sample ids are integers, got {tensor.dtype}.")
    if tensor.ndim != 1 or (tensor.numel() and int(tensor.min()) < 0):
        raise ValueError(f"sample ids are a vector of integers ≥ 0, got shape {tuple(tensor.shape)}.")
    return Ids(tensor.to(torch.int64), int(tensor.max()) if tensor.numel() else -1)


def lookup(table: Tensor, ids: Ids) -> Tensor:  # (N,) -> (n,)
    """The entries, NaN for unknown ids."""
    values = ids.values.to(table.device)
    if ids.top < len(table):
        return table[values]
    if not len(table):
        return table.new_full(values.shape, math.nan)
    return table[values.clamp(max=len(table) - 1)].masked_fill(values >= len(table), math.nan)


def mean(table: Tensor) -> float:
    """The mean over the known entries; NaN when there is none."""
    return float(table.nanmean()) if len(table) else math.nan


def filled(table: Tensor, found: Tensor, otherwise: float) -> Tensor:  # (N,), (n,) -> (n,)
    """What was found, with the mean over the table for unknown ids, or `otherwise` when the table is empty."""
    average = mean(table)
    return torch.where(torch.isnan(found), otherwise if math.isnan(average) else average, found)


def store(table: Tensor, ids: Ids, w: Tensor) -> Tensor:  # (N,), (n,) -> (≥ N,)
    """The table with new entries, in place unless it has to grow."""
    if ids.top >= len(table):
        grown = table.new_full((max(ids.top + 1, len(table) * 3 // 2),), math.nan)
        grown[: len(table)] = table
        table = grown
    table[ids.values.to(table.device)] = w.to(table.dtype)
    return table
