r"""AdaGrad-Norm: SGD whose one learning rate falls with the length of all gradients so far.

.. math:: W_{t+1} = (1 - \eta\lambda) W_t - \frac{\eta}{\sqrt{b_t}}\, G_t, \qquad b_t = \epsilon + \sum_{s \le t} \|G_s\|_F^2,

with one number for all parameters of a group: one group is AdaGrad-Norm, a group for each layer its layerwise form. With d
numbers in a group this is adaptive regularization with the scalar structure, learning rate :math:`\eta/\sqrt d` and damping
:math:`\epsilon/d`.

Source: Streeter and McMahan 2010; Ward, Wu and Bottou 2019 (remembered); the scaling is derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from optimizers.base import OptimizerBase, Options, local, nonnegative
from optimizers.saved import require_names, require_number, require_step

__all__ = ["AdaGradNorm"]

LARGEST = 1e30  # of the rate that single precision is trusted with


class AdaGradNorm(OptimizerBase):
    """W ← (1 - lr · weight_decay) W - lr · G / √(eps + Σ‖G‖²), the sum over all parameters of the group and all steps.

    `lr` is a length: the first step of a group is that long (with eps = 0). While the sum is zero nothing moves. State: the
    step and one number for each parameter, its own part of the sum. There is no momentum for a schedule to cycle: say
    ``cycle_momentum=False`` to OneCycleLR and CyclicLR.

    Raises ValueError for options that are not allowed.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def check(self, options: Options) -> None:
        nonnegative(options, "lr", "eps", "weight_decay")

    def prepare(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> Callable[[], None]:
        sums = {p: self.state[p]["sum"] for p in group["params"] if self.state.get(p)}
        for p, g in zip(params, grads, strict=True):
            length = float(torch.linalg.vector_norm(local(g, p), dtype=torch.float64))
            sums[p] = sums.get(p, 0.0) + length * length
        b = float(group["eps"]) + sum(sums.values())
        if not math.isfinite(b):
            raise ValueError("the sum of the squares of all gradients overflows. Parameters and state are unchanged.")
        return partial(self._move, group, params, grads, sums, b)

    def update(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> None:
        self.prepare(group, params, grads)()

    def _move(
        self, group: Options, params: list[Tensor], grads: list[Tensor], sums: dict[Tensor, float], b: float
    ) -> None:
        for p in params:
            state = self.state[p]
            state["step"], state["sum"] = state.get("step", 0) + 1, sums[p]
        if group["weight_decay"]:
            keep = 1.0 - float(group["lr"]) * float(group["weight_decay"])
            torch._foreach_mul_(params, keep)  # pyright: ignore[reportPrivateImportUsage]
        if b <= 0.0:
            return
        rate = float(group["lr"]) / math.sqrt(b)
        if rate > LARGEST:  # no number of single precision, though the step is
            torch._foreach_add_(params, [(rate * g.double()).to(g.dtype) for g in grads], alpha=-1.0)  # pyright: ignore[reportPrivateImportUsage]
        else:
            torch._foreach_add_(params, grads, alpha=-rate)  # pyright: ignore[reportPrivateImportUsage]

    def check_state(self, p: Tensor, state: Options) -> None:
        if state:
            require_names("AdaGradNorm", state, {"step", "sum"}, set())
            require_step(state)
            require_number("sum", state["sum"])
