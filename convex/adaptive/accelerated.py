r"""Acceleration of any learner by a change of where the gradient is taken; with a constant metric, Nesterov's method.

With :math:`\alpha_t = 2/(t+2)`, t = 0, 1, ..., and :math:`\bar x_0 = x_0`,

.. math::
    y_t = \alpha_t x_t + (1 - \alpha_t) \bar x_t, \qquad g_t = \nabla f(y_t)/\alpha_t, \qquad
    x_{t+1} = x_t - \eta H_t^{-1} g_t, \qquad \bar x_{t+1} = \alpha_t x_{t+1} + (1 - \alpha_t) \bar x_t ;

:math:`g_t` is the gradient of :math:`x \mapsto \alpha_t^{-2} f(\alpha_t x + (1 - \alpha_t)\bar x_t)` at :math:`x_t`.
The answer is :math:`\bar x_T`. The core may project; the theorem needs it not to
(docs/proofs/stochastic.md#accelerated).

Source: Xie et al. 2025, arXiv 2511.20584, Algorithm 2, after Kovalev 2025; the constant metric is Tseng 2008,
remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

from convex.adaptive.base import Method
from regret.learners import Learner, State
from structures.arrays import Array, namespace

__all__ = ["Accelerated"]


@dataclass(frozen=True)
class Accelerated(Method):
    """State: ``x`` is x_t, ``average`` x̄_t, and the rest is the core's."""

    core: Learner

    @property
    def shape(self) -> tuple[int, ...]:
        return self.core.shape

    def init(self, x0: Array) -> State:
        state = self.core.init(x0)
        return {**state, "average": namespace(x0).asarray(state["x"], copy=True)}

    def query(self, state: State) -> Array:
        alpha = weight(state["t"])
        return alpha * state["x"] + (1.0 - alpha) * state["average"]

    def step(self, state: State, G: Array) -> State:
        alpha = weight(state["t"])
        after = self.core.step(state, G / alpha)
        return {**after, "average": alpha * after["x"] + (1.0 - alpha) * state["average"]}

    def answer(self, state: State) -> Array:
        return state["average"]


def weight(t: int) -> float:
    """α_t."""
    return 2.0 / (t + 2)
