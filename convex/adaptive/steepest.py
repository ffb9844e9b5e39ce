r"""Steepest descent in a structure's norm: sign descent, normalised gradient descent and Muon are its instances.

.. math::
    m_1 = g_1, \qquad m_t = (1 - \alpha) m_{t-1} + \alpha g_t, \qquad
    u_t = \operatorname*{argmax}_{\|u\|_{\mathcal H} \le 1} \langle m_t, u\rangle = P_{\mathcal H}(m_t
    m_t^\top)^{+} m_t, \qquad
    x_{t+1} = x_t - \eta u_t .

With :math:`\alpha = 1` it is adaptive regularization that forgets everything, at ε = 0. For diagonal matrices u is
the sign, for multiples of the identity :math:`\sqrt d\, m/\|m\|_2`, for left one-sided matrices :math:`\sqrt n` times
the polar factor.

Source: Xie et al. 2025, arXiv 2511.20584, Algorithm 3; u for every Jordan structure is derived here
(docs/proofs/stochastic.md#steepest-descent).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from convex.adaptive.base import Method
from regret.learners import State
from regret.learners.base import check_rate, per_element, require_gradient, require_start
from structures.arrays import Array, namespace
from structures.base import Structure

__all__ = ["SteepestDescent", "steepest"]

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class SteepestDescent(Method):
    """`lr` is η in units of ‖x‖_H; `alpha` in (0, 1] weighs the new gradient, 1 is without memory. Unconstrained.

    Raises ValueError for lr ≤ 0 or alpha outside (0, 1], TypeError for something that is not a structure.
    """

    structure: Structure
    lr: float | tuple[float, ...]
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.structure, Structure):
            raise TypeError(f"structure must be a Structure, such as Diagonal((5,)), got {self.structure!r}.")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha must lie in (0, 1], got {self.alpha!r}.")
        object.__setattr__(self, "lr", check_rate(self.lr))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.structure.shape

    def init(self, x0: Array) -> State:
        x = require_start(x0, self.shape)
        return {"x": x, "t": 0, "momentum": namespace(x).zeros_like(x)}

    def step(self, state: State, G: Array) -> State:
        require_gradient(state, G)
        alpha = 1.0 if state["t"] == 0 else self.alpha
        momentum = (1.0 - alpha) * state["momentum"] + alpha * G
        X = state["x"] - per_element(self.lr, G) * steepest(self.structure, momentum)
        return {"x": X, "t": state["t"] + 1, "momentum": momentum}


def steepest(structure: Structure, m: Array) -> Array:  # (..., *shape) -> (..., *shape)
    """u with ‖u‖_H ≤ 1 and <m, u> = ‖m‖_{H,*}, up to what a pseudo-inverse cannot see; 0 where m is 0."""
    xp, axes = namespace(m), tuple(range(m.ndim - len(structure.shape), m.ndim))
    size = xp.max(xp.abs(m), axis=axes, keepdims=True)  # u does not depend on it, and squares of m / size are safe
    unit = m / xp.where(size > 0, size, xp.ones_like(size))
    return structure.metric(structure.outer(unit)).apply(-HALF, unit)
