r"""Jorge: two-sided Shampoo whose inverse roots are kept by matrix products alone.

.. math::
    P_L \leftarrow \beta_2^{-1/4}\, P_L \sum_{k \le K} a_k (c X_L)^k, \quad X_L = P_L^4\, GG^\top, \quad
    \beta_2 = \frac{|X_L|_F}{1 + |X_L|_F}, \quad c = \frac{1-\beta_2}{\beta_2},

and likewise :math:`P_R` from :math:`G^\top G`; then

.. math::
    M \leftarrow b M + (1-b)\, P_L G P_R, \quad V \leftarrow b V + G, \quad
    W \leftarrow (1 - \eta\lambda) W - \eta\, \frac{|V|_F}{|M|_F} M .

Source: the Jorge paper (singh2023jorge), update; that its P drifts when P and GGᵀ do not commute, and the symmetric rule
``rule="sandwich"`` that does not, are derived here. The ridge is ours: without it a dead row overflows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import MultiStepLR

from optimizers.base import Options
from optimizers.kronecker import KroneckerOptimizer

__all__ = ["Jorge"]

RULES = ("jorge", "sandwich")


class Jorge(KroneckerOptimizer):
    """Jorge with the literal series (`rule` "jorge") or the symmetric one ("sandwich").

    `order` is that of the series, 1 to 3 in the paper. `eps` is L_0 = eps·I; None starts from the first gradient.
    `beta2` None is the dynamic rule, a number its least value. Other options as in `optimizers.Shampoo`. Keep the grafting:
    an update lets L at most double along a direction, which cannot follow a gradient that the plain step itself enlarges.

    Raises ValueError for options that are not allowed.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        order: int = 2,
        beta2: float | None = None,
        eps: float | None = None,
        grafting: str | None = "sgd",
        refresh: int | str = 10,
        ridge: float = 1e-2,
        rule: str = "jorge",
        *,
        max_size: int = 1024,
        threshold: float = 0.5,
        probes: int = 4,
        decoupled: bool = True,
        maximize: bool = False,
    ) -> None:
        if rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}, got {rule!r}.")
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eps": eps, "beta2": beta2,
                "grafting": grafting, "refresh": refresh, "ridge": ridge, "root": rule, "order": order,
                "statistics": 1, "max_size": max_size, "threshold": threshold, "probes": probes, "decoupled": decoupled,
                "maximize": maximize,
            },
        )  # fmt: skip

    def check(self, options: Options) -> None:
        """Raise ValueError, naming the option and what is allowed."""
        if options["root"] not in RULES:
            raise ValueError(f"Jorge's root must be one of {', '.join(map(repr, RULES))}, got {options['root']!r}.")
        super().check(options)

    def sides(self, shape: tuple[int, ...], group: Options) -> tuple[bool, ...]:
        """Both."""
        return True, True

    @classmethod
    def from_sgd(
        cls,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        **options: Any,
    ) -> Jorge:
        """Jorge with what SGD was tuned to: the same lr and momentum, and SGD's L2 penalty as decoupled decay.

        SGD's heavy ball sums the penalty's gradient, so that per step W shrinks by lr·weight_decay/(1 - momentum): that is
        the decoupled decay here. Use `Jorge.step_decay` for the schedule.

        Source: the Jorge paper (singh2023jorge), remembered; the decay is derived here (the slow root of
        x² - (1 + b - lr·wd) x + b is 1 - lr·wd/(1 - b) up to O((lr·wd)²)).
        """
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"momentum must be in [0, 1), got {momentum!r}.")
        return cls(params, lr=lr, momentum=momentum, weight_decay=weight_decay / (1.0 - momentum), **options)

    @staticmethod
    def step_decay(optimizer: Optimizer, epochs: int, gamma: float = 0.1) -> MultiStepLR:
        """The schedule that goes with it: lr times `gamma` after one third and after two thirds of SGD's `epochs`.

        One or two epochs are too short for both: the first epoch has the whole lr, a second one `gamma` times it.

        Source: the Jorge paper (singh2023jorge).
        """
        if isinstance(epochs, bool) or not (isinstance(epochs, int) and epochs >= 1):
            raise ValueError(f"epochs must be an integer ≥ 1, got {epochs!r}.")
        first = max(1, round(epochs / 3))  # a milestone of 0 would lower lr before the first step
        return MultiStepLR(optimizer, milestones=[first, max(first + 1, round(2 * epochs / 3))], gamma=gamma)
