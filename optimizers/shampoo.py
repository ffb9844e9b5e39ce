r"""Shampoo: a factor on each side of a matrix parameter, or along each axis of a tensor.

.. math::
    L \leftarrow \beta L + \bar\beta\, GG^\top, \quad R \leftarrow \beta R + \bar\beta\, G^\top G, \qquad
    D = L^{-1/4}\, G\, R^{-1/4}, \qquad L_0 = \epsilon I,\ R_0 = \epsilon I,

with :math:`\beta = \bar\beta = 1` for ``beta2=1`` and :math:`\bar\beta = 1 - \beta` otherwise. With ``grafting=None,
momentum=0, ridge=0, refresh=1`` the step is :math:`W \leftarrow W - \eta D`.

For a tensor of k axes with unfoldings :math:`G_{(i)}`, ``axes="each"`` keeps :math:`L_i \leftarrow \beta L_i +
\bar\beta\, G_{(i)} G_{(i)}^\top` and multiplies along every axis with :math:`L_i^{-1/(2k)}`.

Source: Gupta, Koren, Singer 2018 (Shampoo), Algorithm 1 and (remembered) Algorithm 2; grafting and intervals as in
Anil et al. 2020.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from optimizers.base import Options
from optimizers.kronecker import KroneckerOptimizer

__all__ = ["Shampoo"]


class Shampoo(KroneckerOptimizer):
    """Two-sided Shampoo for tensors of any shape.

    `beta2`: 1 sums the statistics, a number < 1 averages them, None weighs each gradient by |X|_F/(1 + |X|_F).
    `eps` ≥ 0 starts them at eps·I; None starts exact roots from nothing and series from the first gradient.
    `ridge`·Tr L/n is added to their eigenvalues. `root`: "eigh", "sandwich" or "jorge" (series of this `order`; they take a
    gradient in only when they refresh). `refresh` is an interval in steps (exact roots are also taken at steps 1, 2, 4, ...
    of the first one), or "certificate": unless ρ = |P²LP² - I|₂ is known to be at most `threshold`, by the bound of staleness
    where there is one (one side, root "eigh", beta2 a number), else by a probe with `probes` Gaussian columns that is right
    with a chance of 99 % (theorem root-probe). The exact root is then between (1 ± ρ)^(-1/4) times the one in use.
    `statistics` is the interval at which gradients enter L and R.
    `grafting`: the method whose step length is used, None for the plain step; then vectors, which otherwise take the
    method's own step, are preconditioned as columns. `max_size`: longer sides are cut into blocks. `axes`: "merged" takes
    the first axis of a tensor against all others, "each" is the tensor method, with a factor L_i^{-1/(2k)} along each of the
    k axes that are longer than one, where k ≥ 2 (root "eigh" only): cheaper for convolutions, whose merged side is long.
    `weight_decay` is decoupled, or with ``decoupled=False`` added to the gradient. A gradient whose square
    is zero or overflows does not enter the statistics.

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
        *,
        order: int = 2,
        statistics: int = 1,
        max_size: int = 1024,
        threshold: float = 0.5,
        probes: int = 4,
        axes: str = "merged",
        decoupled: bool = True,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eps": eps, "beta2": beta2,
                "grafting": grafting, "refresh": refresh, "ridge": ridge, "root": root, "order": order,
                "statistics": statistics, "max_size": max_size, "threshold": threshold, "probes": probes, "axes": axes,
                "decoupled": decoupled, "maximize": maximize,
            },
        )  # fmt: skip

    def sides(self, shape: tuple[int, ...], group: Options) -> tuple[bool, ...]:
        """All."""
        return (True,) * len(shape)
