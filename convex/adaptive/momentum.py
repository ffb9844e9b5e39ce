r"""Momentum in front of an adaptive preconditioner; with an exponential average, Adam in any structure.

.. math::
    m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad H_t = P_{\mathcal H}(\bar M_t + \varepsilon I), \qquad
    x_{t+1} = \Pi_{\mathcal X}^{H_t}\Bigl(x_t - \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\, H_t^{-1}
    m_t\Bigr).

The fraction is Adam's bias correction: of :math:`m_t`, and (for an exponential average only, else 1) of
:math:`\bar M_t`. It divides :math:`\varepsilon` as well, and ε is inside the root. :math:`H_t` is made of the
gradients, not of their average.

Source: Kingma and Ba 2015 (Adam), remembered; the recursion of H_t is that of
`regret.learners.AdaptiveRegularization`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

from convex.adaptive.base import Method
from regret.learners import AdaptiveRegularization, State
from regret.learners.adaptive import FactorMetric
from regret.learners.base import per_element
from structures.arrays import Array, namespace

__all__ = ["Momentum"]

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Momentum(Method):
    """Raises ValueError for a decay outside [0, 1), TypeError for a core that is not an `AdaptiveRegularization`."""

    core: AdaptiveRegularization
    decay: float = 0.9  # β₁; 0 is the core itself, up to the bias correction
    bias_correction: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.core, AdaptiveRegularization):
            raise TypeError(f"momentum is for an AdaptiveRegularization, got {type(self.core).__name__}.")
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {self.decay!r}.")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.core.shape

    def init(self, x0: Array) -> State:
        state = self.core.init(x0)
        return {**state, "momentum": namespace(x0).zeros_like(state["x"])}

    def step(self, state: State, G: Array) -> State:
        # The core's own step is not taken, so that it need not be projected either.
        after, metric = replace(self.core, domain=None).advance(state, G)
        factor = cast(FactorMetric, metric).factor
        momentum = self.decay * state["momentum"] + (1.0 - self.decay) * G
        rate = per_element(self.core.lr, G)
        Y = state["x"] - self._correction(after["t"]) * rate * factor.apply(-HALF, momentum)
        X, gap = (
            (Y, after["gap"]) if self.core.domain is None else self.core.domain.project(Y, factor, start=state["x"])
        )
        return {**after, "x": X, "gap": gap, "momentum": momentum}

    def _correction(self, t: int) -> float:
        """What the averages lack after t gradients because they started at 0."""
        if not self.bias_correction:
            return 1.0
        second = 1.0 - self.core.beta**t if self.core.accumulate == "ema" else 1.0
        return second**0.5 / (1.0 - self.decay**t)
