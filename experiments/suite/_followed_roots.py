r"""An inverse root as an optimizer keeps it, in float32, and beside it in float64 the statistic that it stands for.

.. math:: L_t = \beta_{2,t} L_{t-1} + (1-\beta_{2,t})\bigl(G_tG_t^\top + r\,\tfrac{|G_t|_F^2}{n} I\bigr), \qquad
    L_0 = \tfrac{|G_1|_F^2}{n} I

with the :math:`\beta_{2,t}` that the rule itself has used, heard from inside of it.

Source: derived here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from optimizers.base import Options
from optimizers.roots.rules import CERTIFICATE, JorgeSeries, Sandwich, Series, Side
from optimizers.roots.series import dynamic_beta2

__all__ = ["FollowedRoot"]


class Heard(Series):
    """A series that remembers what it was of at the last step, and which elements were refreshed how often."""

    last: Tensor
    refreshes: Tensor

    def drive(self, P: Tensor, G: Tensor, ridge: Tensor | None) -> Tensor:
        self.last = super().drive(P, G, ridge)
        return self.last

    def refresh_some(self, side: Side, which: Tensor, options: Options) -> None:
        self.refreshes = self.refreshes + which
        super().refresh_some(side, which, options)


class HeardJorge(Heard, JorgeSeries):
    pass


class HeardSandwich(Heard, Sandwich):
    pass


RULES = {"jorge": HeardJorge, "sandwich": HeardSandwich}


class FollowedRoot:
    """A stack of roots of the rule and the options of an optimizer's parameter group, from the first gradients on."""

    def __init__(self, options: dict[str, Any], G: Tensor) -> None:  # G: (b, n, k)
        count, n, _ = G.shape
        self.options, self.step = options, 0
        self.interval = 1 if options["refresh"] == CERTIFICATE else int(options["refresh"])
        self.rule = RULES[options["root"]]()
        self.rule.refreshes = torch.zeros(count, dtype=torch.int64)
        self.side = Side(n, 4)
        self.side.tensors = self.rule.begin(self.side, count, G, options)
        self.eye = torch.eye(n, dtype=torch.float64)
        self.L = G.double().square().sum((1, 2), keepdim=True) / n * self.eye  # (b, n, n)
        self.beta2 = torch.zeros(count, 1, 1, dtype=torch.float64)

    def take(self, G: Tensor, GG: Tensor) -> None:  # (b, n, k) float32, (b, n, n) float64
        """One step of training: the gradient, with its G Gᵀ, is taken in when it is due."""
        if self.step % self.interval == 0:
            self.rule.observe(self.side, G, self.options)
            least = float(self.options["beta2"] or 0.0)
            self.beta2 = dynamic_beta2(self.rule.last).clamp(min=least).nan_to_num(1.0).double()
            shift = self.options["ridge"] * GG.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
            self.L.lerp_(GG + shift * self.eye if self.options["ridge"] else GG, 1.0 - self.beta2)
        if self.options["refresh"] == CERTIFICATE:
            self.rule.recheck(self.side, self.options, self.step)
        self.step += 1

    @property
    def P(self) -> Tensor:  # (b, n, n) float64
        return self.side.root.double()

    @property
    def refreshes(self) -> Tensor:  # (b,)
        """Exact roots taken so far."""
        return self.rule.refreshes
