r"""Momentum whose unit follows the directions' factor, so that a direction that is a multiple of the gradient costs no pass.

.. math:: m \leftarrow \mu m + s g + \rho W, \qquad m = \kappa b: \quad b \leftarrow \mu b + g + \frac{\rho}{\kappa} W
          \;\text{ while } \kappa = s, \qquad W \leftarrow W - \eta\kappa\, b .

The three assignments are one pass over memory where torch has a kernel for it.

Source: derived here; heavy ball as in ``torch.optim.SGD`` without dampening.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from optimizers.base import PLAIN, wide

__all__ = ["accumulated", "descend", "in_unit"]

RANGE = 1e6  # a buffer is not rescaled by more at once: it might overflow

State = dict[str, Any]
Work = tuple[Tensor, Tensor, State, float]  # parameter, gradient, state and factor of the gradient


def descend(work: list[Work], lr: float, momentum: float, decay: float) -> None:
    """One step of each parameter in place, those with the same unit by one call."""
    alike: dict[tuple[float, torch.dtype], list[tuple[Tensor, Tensor, Tensor]]] = {}
    for p, g, state, scale in work:
        buffer, unit = in_unit(state, g, scale)
        if scale == unit and _in_one_pass(p, g, buffer):
            alike.setdefault((unit, p.dtype), []).append((p, g, buffer))
            continue
        accumulated(buffer, unit, g, momentum, scale)
        if decay:
            buffer.add_(p, alpha=decay / unit)
        p.add_(buffer, alpha=-lr * unit)
    for (unit, _), each in alike.items():
        params, grads, buffers = map(list, zip(*each, strict=True))
        torch._fused_sgd_(  # pyright: ignore[reportPrivateImportUsage]
            params, grads, buffers, weight_decay=decay / unit, momentum=momentum, lr=lr * unit, dampening=0.0,
            nesterov=False, maximize=False, is_first_step=False,
        )  # fmt: skip
        # The kernel does not tell autograd, which would go backward through a graph whose weights have changed.
        torch.autograd.graph.increment_version([*params, *buffers])


def in_unit(
    state: State,
    g: Tensor,  # the parameter's shape
    scale: float,
) -> tuple[Tensor, float]:
    """The buffer b and its unit κ. The unit follows s, so that a later change costs one pass."""
    if "momentum_buffer" not in state:
        state["momentum_buffer"] = torch.zeros_like(g, dtype=wide(g.dtype))
        state["unit"] = scale or 1.0
    buffer, unit = state["momentum_buffer"], state["unit"]
    if scale != unit and 1.0 / RANGE < abs(scale / unit) < RANGE:
        buffer.mul_(unit / scale)
        unit = state["unit"] = scale
    return buffer, unit


def accumulated(buffer: Tensor, unit: float, g: Tensor, momentum: float, scale: float) -> Tensor:
    """b after m ← μm + s g, in place."""
    if scale != unit:
        return buffer.mul_(momentum).add_(g, alpha=scale / unit)
    return torch.add(g, buffer, alpha=momentum, out=buffer)


def _in_one_pass(p: Tensor, g: Tensor, buffer: Tensor) -> bool:
    """Whether torch's kernel for SGD may be asked: it takes memory as it lies, and one precision; a compiler cannot see it."""
    plain = p.is_cpu and type(p) in PLAIN and type(g) is Tensor and p.dtype == g.dtype == buffer.dtype
    return plain and all(t.is_contiguous() for t in (p, g, buffer)) and not torch.compiler.is_compiling()
