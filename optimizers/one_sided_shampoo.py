r"""One-sided Shampoo: the whole exponent on one side of a matrix parameter.

.. math:: L \leftarrow \beta L + \bar\beta\, GG^\top, \quad L_0 = \epsilon I, \qquad D = L^{-1/2}\, G
    \qquad\text{or}\qquad R \leftarrow \beta R + \bar\beta\, G^\top G, \quad D = G R^{-1/2},

with :math:`\beta = \bar\beta = 1` for ``beta2=1`` and :math:`\bar\beta = 1 - \beta` otherwise. With ``grafting=None,
momentum=0, ridge=0, refresh=1`` the step is :math:`W \leftarrow W - \eta D`: adaptive regularization over the matrices
:math:`A \otimes I`, whose regret bound is a theorem here (learning rate :math:`\eta = \eta_{\mathrm{AR}}\sqrt n`,
:math:`\epsilon = n\,\epsilon_{\mathrm{AR}}` for the left side of an (m, n) parameter, m for n on the right).

Source: Xie, Wang, Reddi, Kumar, Li 2025 (xie2025structured); the two-sided method is that of Gupta, Koren, Singer 2018.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from optimizers.base import Options
from optimizers.kronecker import KroneckerOptimizer

__all__ = ["OneSidedShampoo"]

SIDES = ("left", "right", "smaller")


class OneSidedShampoo(KroneckerOptimizer):
    """Shampoo on one side for tensors of any shape: "left", "right", or whichever is "smaller" (left when equal).

    All other options as in `optimizers.Shampoo`; a series root is applied twice.

    Raises ValueError for options that are not allowed.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        eps: float | None = None,
        beta2: float | None = 0.99,
        grafting: str | None = "rmsprop",
        refresh: int | str = 10,
        ridge: float = 1e-4,
        root: str = "eigh",
        side: str = "smaller",
        *,
        order: int = 2,
        statistics: int = 1,
        max_size: int = 1024,
        threshold: float = 0.5,
        probes: int = 4,
        decoupled: bool = True,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eps": eps, "beta2": beta2,
                "grafting": grafting, "refresh": refresh, "ridge": ridge, "root": root, "side": side, "order": order,
                "statistics": statistics, "max_size": max_size, "threshold": threshold, "probes": probes,
                "decoupled": decoupled, "maximize": maximize,
            },
        )  # fmt: skip

    def check(self, options: Options) -> None:
        """Raise ValueError, naming the option and what is allowed."""
        super().check(options)
        if options["side"] not in SIDES:
            raise ValueError(f"side must be one of {', '.join(map(repr, SIDES))}, got {options['side']!r}.")

    def sides(self, shape: tuple[int, ...], group: Options) -> tuple[bool, ...]:
        """The one that was asked for."""
        m, n = shape
        left = group["side"] == "left" or (group["side"] == "smaller" and m <= n)
        return left, not left
