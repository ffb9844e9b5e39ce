r"""A table of weights by sample id.

.. math:: w[\mathrm{id}], \qquad \text{unknown ids: the mean over the known ones}

One float per sample and layer, NaN where nothing is known. Ids are integers ≥ 0: positions in the data set, or any other
numbers. While they are dense a row's number is the id; a table that would be mostly empty keeps the sorted ids beside its rows,
and needs memory for those ids alone.

Source: derived here, the reading of "shared across epochs" that survives reshuffling (docs/proofs/fngd.md#sharing).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Ids", "Table", "as_ids", "empty", "filled", "lookup", "mean", "store"]

SMALL = 65536  # rows that may be empty: a quarter of a megabyte
SPARSE = 8  # rows for each known id, at most


class Ids(NamedTuple):
    """Sample ids and the largest of them."""

    values: Tensor  # (n,) int64
    top: int


class Table(NamedTuple):
    """Weights (N,), float32, and the id of each row, in increasing order; None when it is the row's number."""

    weights: Tensor
    ids: Tensor | None = None


def empty(device: torch.device | None = None) -> Table:
    """A table that knows nothing."""
    return Table(torch.empty(0, dtype=torch.float32, device=device))


def as_ids(ids: Any) -> Ids:
    """Raises TypeError unless the ids are integers, ValueError unless they are a vector of numbers from 0 to 2⁶³ - 1."""
    try:
        tensor = torch.as_tensor(ids)
    except (OverflowError, RuntimeError, ValueError) as error:
        raise ValueError(f"sample ids are a vector of integers from 0 to 2⁶³ - 1: {error}.") from error
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"sample ids are integers, got {tensor.dtype}.")
    values = tensor.to(torch.int64)  # an unsigned number beyond 2⁶³ - 1 is negative here
    least, top = (int(bound) for bound in values.aminmax()) if values.numel() else (0, -1)
    if values.ndim != 1 or least < 0:
        raise ValueError(
            f"sample ids are a vector of integers from 0 to 2⁶³ - 1, got shape {tuple(tensor.shape)}"
            + (f" with {least}." if values.numel() else ".")
        )
    return Ids(values, top)


def lookup(table: Table, ids: Ids) -> Tensor:  # -> (n,)
    """The entries, NaN for unknown ids."""
    weights, values = table.weights, ids.values.to(table.weights.device)
    if table.ids is None and ids.top < weights.numel():
        return weights.index_select(0, values)
    if not len(weights):
        return weights.new_full(values.shape, math.nan)
    if table.ids is not None:
        rows = torch.searchsorted(table.ids, values).clamp_(max=len(weights) - 1)
        return weights[rows].masked_fill(table.ids[rows] != values, math.nan)
    return weights[values.clamp(max=len(weights) - 1)].masked_fill(values >= len(weights), math.nan)


def mean(table: Table) -> float:
    """The mean over the known entries; NaN when there is none."""
    return float(table.weights.nanmean()) if len(table.weights) else math.nan


def filled(table: Table, found: Tensor, otherwise: float) -> Tensor:  # (n,) -> (n,)
    """What was found, with the mean over the table for unknown ids, or `otherwise` when the table is empty."""
    average = mean(table)
    return torch.where(torch.isnan(found), otherwise if math.isnan(average) else average, found)


def store(table: Table, ids: Ids, w: Tensor) -> Table:  # w: (n,)
    """The table with new entries, in place unless it has to grow."""
    values = ids.values.to(table.weights.device)
    if table.ids is None and ids.top >= len(table.weights):
        table = _dense(table, ids.top) if _is_dense(table, len(values), ids.top) else _sparse(table)
    if table.ids is not None:
        table = _with_rows(table, values)
        if table.ids is not None and int(table.ids[-1]) < SPARSE * len(table.ids):
            table = _dense(table, int(table.ids[-1]))
    rows = values if table.ids is None else torch.searchsorted(table.ids, values)
    table.weights[rows] = w.to(table.weights)
    return table


def _is_dense(table: Table, new: int, top: int) -> bool:
    """Whether rows up to `top` are few, or not mostly empty."""
    return top < SMALL or top < SPARSE * (new + int((~torch.isnan(table.weights)).sum()))


def _dense(table: Table, top: int) -> Table:
    """The same with a row for every id up to `top`, and some more."""
    weights, ids = table
    grown = weights.new_full((max(top + 1, len(weights) * 3 // 2 if ids is None else 0),), math.nan)
    grown[slice(len(weights)) if ids is None else ids] = weights
    return Table(grown)


def _sparse(table: Table) -> Table:
    """The same with rows for the known ids alone."""
    known = torch.nonzero(~torch.isnan(table.weights))[:, 0]
    return Table(table.weights[known], known)


def _with_rows(table: Table, values: Tensor) -> Table:
    """The same with a row for each of these ids."""
    weights, ids = table
    assert ids is not None
    new = torch.unique(values)
    if len(ids):
        new = new[ids[torch.searchsorted(ids, new).clamp_(max=len(ids) - 1)] != new]
    if not len(new):
        return table
    merged, old = (
        ids.new_empty(len(ids) + len(new)),
        torch.ones(len(ids) + len(new), dtype=torch.bool, device=ids.device),
    )
    places = torch.searchsorted(ids, new) + torch.arange(len(new), device=ids.device)
    old[places] = False
    merged[places], merged[old] = new, ids
    grown = weights.new_full(merged.shape, math.nan)
    grown[old] = weights
    return Table(grown, merged)
