r"""Full-matrix AdaGrad for small models: the inverse square root of all outer products of gradients.

.. math:: w_{t+1} = (1 - \eta\lambda) w_t - \eta\, M_t^{-1/2} g_t, \qquad
          M_t = \beta M_{t-1} + \bar\beta\, g_t g_t^\top, \quad M_0 = \epsilon I,

for all d numbers of a group in one vector (:math:`\beta = \bar\beta = 1`, or :math:`\bar\beta = 1 - \beta`). It is adaptive
regularization with the full structure, at the same η and ε. A step costs a d × d eigendecomposition.

Source: Duchi, Hazan and Singer 2011, Figure 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from typing import Any

import torch
from torch import Tensor

from optimizers.base import OptimizerBase, Options, local, nonnegative, number, wide
from optimizers.saved import require_names, require_step, require_tensor
from structures.roots import clip_to_psd, eigh, rank_floor, values_power

__all__ = ["FullMatrixAdaGrad"]


class FullMatrixAdaGrad(OptimizerBase):
    """w ← (1 - lr · weight_decay) w - lr · M^{-1/2} g over all parameters of a group together.

    `beta2` = 1 sums the outer products, ``beta2 < 1`` takes their moving average; with ``eps = 0`` the root is the
    pseudo-inverse. Parameters without a gradient count as having a zero one, and do not move. State: the step and, for
    each parameter, its rows (numel, d) of M.

    Raises ValueError for options that are not allowed, and for a group of more than `max_size` numbers or of parameters of
    different precision or device, before anything changes.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.1,
        eps: float = 1e-4,
        weight_decay: float = 0.0,
        *,
        beta2: float = 1.0,
        max_size: int = 4096,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "eps": eps, "weight_decay": weight_decay, "beta2": beta2, "max_size": max_size, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: Options) -> None:
        nonnegative(options, "lr", "eps", "weight_decay")
        if not 0.0 <= number(options, "beta2") <= 1.0:
            raise ValueError(f"beta2 must be in [0, 1], got {options['beta2']!r}.")
        params = [p for p in options.get("params", ()) if isinstance(p, Tensor)]
        size = sum(p.numel() for p in params)
        if size > options["max_size"]:
            raise ValueError(
                f"this group has {size} numbers: the statistic of FullMatrixAdaGrad would have {size}² entries. Use "
                f"OneSidedShampoo, smaller groups, or raise max_size={options['max_size']}."
            )
        if len({(wide(p.dtype), p.device) for p in params}) > 1:
            raise ValueError("the parameters of a group must have one precision and one device: make a group for each.")

    def prepare(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> Callable[[], None]:
        given = {id(p): local(g, p) for p, g in zip(params, grads, strict=True)}
        everyone = [p for p in group["params"] if p.numel()]
        if not everyone:
            return _nothing
        g = torch.cat([_flat(given.get(id(p), torch.zeros_like(local(p)))) for p in everyone])
        M = self._statistic(group, everyone, g)
        if not bool(torch.isfinite(M).all()):
            raise ValueError("the sum of the gradients' products overflows. Parameters and state are unchanged.")
        direction = _inverse_root_times(M, g)
        if not bool(torch.isfinite(direction).all()):
            raise ValueError(
                f"the gradient's products underflow, and M^(-1/2) g is not finite. Parameters and state are unchanged: raise "
                f"eps={group['eps']!r}, or scale the loss."
            )
        return partial(self._move, group, everyone, set(given), M, direction)

    def update(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> None:
        self.prepare(group, params, grads)()

    def _statistic(self, group: Options, params: list[Tensor], g: Tensor) -> Tensor:  # g: (d,) -> (d, d)
        """M_t, a new tensor. Raises ValueError when the states are of another group."""
        beta, d = float(group["beta2"]), len(g)
        rows, start = [], 0
        for p in params:
            state = self.state.get(p)
            kept = state["rows"] if state else _eye_rows(start, p.numel(), float(group["eps"]), g)
            if kept.shape != (p.numel(), d):
                raise ValueError(
                    f"the rows of a parameter of shape {tuple(p.shape)} are {tuple(kept.shape)} in a group of {d} numbers: "
                    f"the state is of another group, or parameters were added since. Parameters and state are unchanged."
                )
            rows.append(kept)
            start += p.numel()
        return torch.cat(rows).to(g.dtype).mul_(beta).addr_(g, g, alpha=1.0 if beta == 1.0 else 1.0 - beta)

    def _move(self, group: Options, params: list[Tensor], given: set[int], M: Tensor, direction: Tensor) -> None:
        sizes = [p.numel() for p in params]
        for p, rows, part in zip(params, M.split(sizes), direction.split(sizes), strict=True):
            state = self.state[p]
            # Copied, so that a state that is saved does not carry the whole matrix.
            state["step"], state["rows"] = state.get("step", 0) + 1, rows.clone()
            if id(p) in given:
                if group["weight_decay"]:
                    local(p).mul_(1.0 - float(group["lr"]) * float(group["weight_decay"]))
                local(p).add_(part.view(p.shape), alpha=-float(group["lr"]))

    def check_state(self, p: Tensor, state: Options) -> None:
        if not state:
            return
        require_names("FullMatrixAdaGrad", state, {"step", "rows"}, set())
        require_step(state)
        rows = state["rows"]
        size = rows.shape[1] if isinstance(rows, Tensor) and rows.ndim == 2 else p.numel()
        require_tensor("rows", rows, (p.numel(), size))


def _nothing() -> None:
    """The step of a group without numbers."""


def _eye_rows(start: int, count: int, eps: float, like: Tensor) -> Tensor:  # (d,) -> (count, d)
    """Some rows of eps·I."""
    rows = torch.zeros((count, len(like)), dtype=like.dtype, device=like.device)
    rows[:, start : start + count].fill_diagonal_(eps)
    return rows


def _flat(g: Tensor) -> Tensor:
    return g.reshape(-1).to(wide(g.dtype))


def _inverse_root_times(M: Tensor, g: Tensor) -> Tensor:  # (d, d), (d,) -> (d,)
    """M^{-1/2} g, with the pseudo-inverse of a singular M."""
    values, vectors = eigh(M)
    n = M.shape[-1]
    powered = values_power(clip_to_psd(values, n), Fraction(-1, 2), rank_floor(values, n))
    return vectors @ (powered * (vectors.mT @ g))
