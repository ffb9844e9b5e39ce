r"""Momentum in one pass over memory, for directions that are a multiple of the gradient.

.. math:: m \leftarrow \mu m + s g, \qquad m = \kappa b: \quad b \leftarrow \mu b + g \;\text{ while } \kappa = s .

Source: derived here; heavy ball as in ``torch.optim.SGD`` without dampening.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from optimizers.base import wide

__all__ = ["accumulated"]

RANGE = 1e6  # a buffer is not rescaled by more at once: it might overflow


def accumulated(
    state: dict[str, Any],
    g: Tensor,  # the parameter's shape
    momentum: float,
    scale: float,
) -> tuple[Tensor, float]:
    """The buffer b and its unit κ after m ← μm + s g. The unit follows s, so that a later change costs one pass."""
    if "momentum_buffer" not in state:
        state["momentum_buffer"] = torch.zeros_like(g, dtype=wide(g.dtype))
        state["unit"] = scale or 1.0
    buffer, unit = state["momentum_buffer"], state["unit"]
    if scale != unit and 1.0 / RANGE < abs(scale / unit) < RANGE:
        buffer.mul_(unit / scale)
        unit = state["unit"] = scale
    if scale != unit:
        return buffer.mul_(momentum).add_(g, alpha=scale / unit), unit
    return torch.add(g, buffer, alpha=momentum, out=buffer), unit
