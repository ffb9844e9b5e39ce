r"""What a saved state of one parameter must be before an optimizer takes it over.

.. math:: t \in \mathbb{N}, \qquad X \in \mathbb{R}^{\text{shape}} \text{ finite}, \ X \ge \text{least}

Source: derived here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from optimizers.base import Options, local

__all__ = ["UNCHANGED", "require_names", "require_number", "require_step", "require_tensor"]

UNCHANGED = "The optimizer is unchanged."


def require_names(kind: str, state: Options, needed: set[str], allowed: set[str]) -> None:
    """Raise ValueError unless the state has all needed entries, and no others than those and the allowed ones."""
    names = set(state)
    if needed - names or names - needed - allowed:
        raise ValueError(
            f"this state is not that of {kind}: it has {', '.join(sorted(map(str, names)))}; expected are "
            f"{', '.join(sorted(needed))}. {UNCHANGED}"
        )


def require_step(state: Options) -> None:
    """Raise ValueError unless the state counts its steps."""
    step = state.get("step")
    if isinstance(step, bool) or not (isinstance(step, int) and step >= 0):
        raise ValueError(f"the saved step must be an integer ≥ 0, got {step!r}. {UNCHANGED}")


def require_number(name: str, value: Any, least: float = 0.0) -> None:
    """Raise ValueError unless the value is a finite number ≥ least."""
    if isinstance(value, bool) or not (isinstance(value, int | float) and math.isfinite(value) and value >= least):
        raise ValueError(f"the saved {name} must be a finite number ≥ {least}, got {value!r}. {UNCHANGED}")


def require_tensor(name: str, value: Any, shape: Sequence[int], least: float = -math.inf) -> None:
    """Raise ValueError unless the value is a tensor of this shape, in single precision or better, finite and ≥ least."""
    if not isinstance(value, Tensor):
        raise ValueError(f"the saved {name} must be a tensor, got {type(value).__name__}. {UNCHANGED}")
    if tuple(value.shape) != tuple(shape):
        raise ValueError(f"the saved {name} has shape {tuple(value.shape)}, the parameter {tuple(shape)}. {UNCHANGED}")
    if value.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"the saved {name} must have single precision or better, got {value.dtype}. {UNCHANGED}")
    here = local(value)
    if here.device.type != "meta" and not bool((torch.isfinite(here) & (here >= least)).all()):
        bound = "" if least == -math.inf else f" and ≥ {least}"
        raise ValueError(f"the saved {name} must be finite{bound}, and is not. {UNCHANGED}")
