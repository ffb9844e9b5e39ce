r"""What a saved state of FNGD must be: momentum with its unit, and how a layer's samples are weighted.

.. math:: m = \kappa b, \quad \kappa \ne 0, \qquad w : \{\mathrm{id}\} \to \mathbb{R} \cup \{\text{unknown}\}

Source: derived here.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from optimizers.saved import UNCHANGED, require_names, require_number, require_step, require_tensor

__all__ = ["require_saved"]

State = dict[str, Any]


def require_saved(p: Tensor, state: State) -> None:
    """Raise ValueError, saying what is wrong, unless the state can be that of a parameter like p."""
    require_names("FNGD", state, set(), {"step", "momentum_buffer", "unit", "coefficients"})
    if "step" in state:
        require_step(state)
    if ("momentum_buffer" in state) != ("unit" in state):
        raise ValueError(f"a saved momentum_buffer has a unit, and a unit its buffer; one is missing. {UNCHANGED}")
    if "momentum_buffer" in state:
        require_momentum(p, state)
    if "coefficients" in state:
        require_coefficients(state["coefficients"])


def require_momentum(p: Tensor, state: State) -> None:
    """Raise ValueError unless buffer and unit are finite, and the buffer is like p."""
    buffer = state["momentum_buffer"]
    if isinstance(buffer, Tensor) and buffer.shape != p.shape:
        raise ValueError(
            f"this state_dict has momentum of shape {tuple(buffer.shape)} for a parameter of shape "
            f"{tuple(p.shape)}: it is another model's. {UNCHANGED}"
        )
    require_tensor("momentum_buffer", buffer, p.shape)
    require_number("unit", state["unit"], -math.inf)
    if state["unit"] == 0.0:
        raise ValueError(f"the saved unit must not be zero. {UNCHANGED}")


def require_coefficients(found: Any) -> None:
    """Raise ValueError unless this is what `optimizers.fngd.sharing` keeps of a layer."""
    if not isinstance(found, dict):
        raise ValueError(f"the saved coefficients must be a dict, got {found!r}. {UNCHANGED}")
    needed = {"left", "step", "probe", "scale", "sum", "count"}
    require_names("FNGD's coefficients", found, needed, {"table", "ids", "drift"})
    require_step(found)
    for name in ("left", "count", "sum"):
        require_number(name, found[name], -math.inf if name == "sum" else 0.0)
    if not (isinstance(found["scale"], float) and not math.isinf(found["scale"])):
        raise ValueError(f"the saved scale must be a number, or NaN while unknown, got {found['scale']!r}. {UNCHANGED}")
    if "table" in found:
        require_table(found["table"], found.get("ids"))
    elif "ids" in found:
        raise ValueError(f"the saved coefficients have ids and no table. {UNCHANGED}")


def require_table(weights: Any, ids: Any) -> None:
    """Raise ValueError unless weights, NaN where unknown, stand beside increasing ids, or beside none."""
    fine = isinstance(weights, Tensor) and weights.ndim == 1 and weights.dtype == torch.float32
    if not fine or bool(torch.isinf(weights).any()):
        raise ValueError(f"the saved table must be a vector of numbers in float32, NaN where unknown. {UNCHANGED}")
    if ids is None:
        return
    fine = isinstance(ids, Tensor) and ids.dtype == torch.int64 and ids.shape == weights.shape
    if not fine or not bool((ids[1:] > ids[:-1]).all()) or bool((ids < 0).any()):
        raise ValueError(f"the saved ids must be increasing integers ≥ 0, one for each weight. {UNCHANGED}")
