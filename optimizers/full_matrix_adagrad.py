r"""Full-matrix AdaGrad for small models: the inverse square root of all outer products of gradients.

.. math:: w_{t+1} = (1 - \eta\lambda) w_t - \eta\, M_t^{-1/2} g_t, \qquad
          M_t = \beta M_{t-1} + \bar\beta\, g_t g_t^\top, \quad M_0 = \epsilon I,

for all d numbers of a group in one vector (:math:`\beta = \bar\beta = 1`, or :math:`\bar\beta = 1 - \beta`). It is adaptive
regularization with the full structure, at the same η and ε. A step costs a d × d eigendecomposition.

Source: Duchi, Hazan and Singer 2011, Figure 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from optimizers.base import OptimizerBase, Options, local, nonnegative, wide
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
        if not 0.0 <= float(options["beta2"]) <= 1.0:
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

    def update(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> None:
        given = {id(p): local(g, p) for p, g in zip(params, grads, strict=True)}
        everyone = [p for p in group["params"] if p.numel()]
        if not everyone:
            return
        g = torch.cat([_flat(given.get(id(p), torch.zeros_like(local(p)))) for p in everyone])
        M = self._statistic(group, everyone, g)
        direction = _inverse_root_times(M, g)
        for p, part in zip(everyone, direction.split([p.numel() for p in everyone]), strict=True):
            if id(p) in given:
                if group["weight_decay"]:
                    local(p).mul_(1.0 - float(group["lr"]) * group["weight_decay"])
                local(p).add_(part.view(p.shape), alpha=-float(group["lr"]))

    def _statistic(self, group: Options, params: list[Tensor], g: Tensor) -> Tensor:  # g: (d,) -> (d, d)
        """M_t, whose rows the states keep."""
        beta, start = float(group["beta2"]), 0
        for p in params:
            state, rows = self.state[p], slice(start, start + p.numel())
            if not state:
                state["step"], state["rows"] = 0, torch.zeros((p.numel(), len(g)), dtype=g.dtype, device=g.device)
                state["rows"][:, rows].fill_diagonal_(float(group["eps"]))
            state["step"] += 1
            state["rows"].mul_(beta).addr_(g[rows], g, alpha=1.0 if beta == 1.0 else 1.0 - beta)
            start += p.numel()
        return torch.cat([self.state[p]["rows"] for p in params])

    def check_state(self, p: Tensor, state: Options) -> None:
        if state and "rows" not in state:
            raise ValueError(
                f"this state is not that of FullMatrixAdaGrad: it has {', '.join(sorted(map(str, state)))}."
            )
        if state and state["rows"].shape[0] != p.numel():
            raise ValueError(f"the saved rows are {tuple(state['rows'].shape)}, the parameter has {p.numel()} numbers.")


def _flat(g: Tensor) -> Tensor:
    return g.reshape(-1).to(wide(g.dtype))


def _inverse_root_times(M: Tensor, g: Tensor) -> Tensor:  # (d, d), (d,) -> (d,)
    """M^{-1/2} g, with the pseudo-inverse of a singular M."""
    values, vectors = eigh(M)
    n = M.shape[-1]
    powered = values_power(clip_to_psd(values, n), Fraction(-1, 2), rank_floor(values, n))
    return vectors @ (powered * (vectors.mT @ g))
