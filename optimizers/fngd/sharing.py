r"""Which steps compute the samples' weights afresh, and what the other steps use instead.

.. math:: w_i = n c_i, \qquad x = \frac1n \sum_i w_i u_i \qquad (w_i = 1 \text{ is plain SGD}).

``none``: every step is fresh. ``table``: one weight per sample id and layer. ``scalar``: one weight per layer, the mean over
the fresh steps. What is shared is w, not c, because c shrinks with the size of the batch and w does not.

A *window* is a run of `window` fresh steps: at the start, every `refresh` steps, and when the drift seen on a probe exceeds
`drift`. A table's window None lasts until every id of a batch is known: the first epoch.

Source: Ou, Zhu, Huang and Liu 2024 (ou2024inverse) shares after the first epoch; the rules are derived here,
docs/proofs/fngd.md#sharing.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from optimizers.fngd import table
from optimizers.fngd.table import Ids, Table

__all__ = ["SHARES", "advance", "fresh_ahead", "initial", "learn", "recall", "uniform_weight"]

SHARES = ("none", "table", "scalar")
SCALAR_WINDOW = 50

State = dict[str, Any]  # of one layer; plain numbers and tensors, so that it can be saved
Options = dict[str, Any]


def initial(options: Options, weight: Tensor) -> State:
    """The state before the first step."""
    state = {"left": _length(options), "step": 0, "probe": False, "scale": math.nan, "sum": 0.0, "count": 0}
    if options["share"] == "table":
        keep(state, table.empty(weight.device))
    return state


def kept(state: State) -> Table:
    """The table of a layer."""
    return Table(state["table"], state.get("ids"))


def keep(state: State, found: Table) -> None:
    """Make it the table of a layer."""
    state["table"] = found.weights
    state.pop("ids", None)
    if found.ids is not None:
        state["ids"] = found.ids


def _length(options: Options) -> int:
    """Fresh steps in a window; 0 for a table that goes by unknown ids."""
    if options["window"] is not None:
        return int(options["window"])
    return SCALAR_WINDOW if options["share"] == "scalar" else 0


def fresh_ahead(options: Options, state: State) -> bool:
    """Whether the next step computes weights afresh, as far as that can be said before its batch is seen."""
    if options["share"] == "none" or state["left"] > 0 or state["probe"]:
        return True
    return options["share"] == "scalar" and math.isnan(uniform_weight(state))


def uniform_weight(state: State) -> float:
    """The mean weight: of the last window, or of the running one when it is the first; NaN before any."""
    if not math.isnan(state["scale"]):
        return state["scale"]
    return state["sum"] / state["count"] if state["count"] else math.nan


def recall(options: Options, state: State, ids: Ids | None, n: int) -> tuple[Tensor | None, bool]:
    """The shared weights (n,) of a batch, None when nothing is known, and whether they are to be computed afresh.

    Raises ValueError when share is "table" and there are no ids, or not n of them.
    """
    if options["share"] == "none":
        return None, True
    fresh = fresh_ahead(options, state)
    if options["share"] == "scalar":
        scale = uniform_weight(state)
        return (None, True) if math.isnan(scale) else (torch.full((n,), scale), fresh)
    if ids is None or ids.values.numel() != n:
        given = "none were" if ids is None else f"{ids.values.numel()} were"
        raise ValueError(
            f"share='table' needs the ids of the {n} samples that this layer saw, {given} given: "
            f"`with optimizer.samples(ids):` around backward()."
        )
    known = kept(state)
    found = table.lookup(known, ids)
    if math.isnan(float(found.sum())):  # a sum is the cheapest pass that no NaN survives
        fresh = fresh or options["window"] is None
        found = table.filled(known, found, state["scale"])
        if bool(torch.isnan(found).any()):
            return None, True
    return found, fresh


def learn(options: Options, state: State, ids: Ids | None, w: Tensor) -> None:
    """Take in the fresh weights (n,) of one batch."""
    if options["share"] == "table" and ids is not None:
        keep(state, table.store(kept(state), ids, w))
    if options["share"] == "scalar" and state["left"] > 0:
        state["sum"] += float(w.double().sum())
        state["count"] += len(w)


def advance(options: Options, state: State, drift: dict[str, float] | None) -> None:
    """Count a step, close a window that has ended, open one that is due, and say whether the next step is a probe."""
    state["step"] += 1
    state["probe"] = False
    if state["left"] > 0:
        state["left"] -= 1
        if state["left"] == 0 and state["count"]:
            state.update(scale=state["sum"] / state["count"], sum=0.0, count=0)
    drifted = drift is not None and options["drift"] is not None and drift[options["measure"]] > options["drift"]
    if drifted or (options["refresh"] is not None and state["step"] % options["refresh"] == 0):
        _open(options, state)
    elif options["drift"] is not None and state["left"] == 0:
        state["probe"] = state["step"] % options["probe"] == 0


def _open(options: Options, state: State) -> None:
    """Begin a window. The mean so far stays, for ids that are met before they are known again."""
    state.update(left=_length(options), sum=0.0, count=0)
    if options["share"] == "table":
        average = table.mean(kept(state))
        state["scale"] = state["scale"] if math.isnan(average) else average
        state["table"].fill_(math.nan)
