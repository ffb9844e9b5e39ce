r"""Jorge as it is printed, in NumPy, and its symmetric variant: the twin of ``optimizers.Jorge``.

.. math::
    X = P^4 (GG^\top + r\tfrac{|G|_F^2}{n} I), \qquad c = \frac{1 - \beta_2}{\beta_2}, \qquad
    P \leftarrow \beta_2^{-1/4} P \Bigl(I - \tfrac14 cX + \tfrac5{32} c^2X^2 - \tfrac{15}{128} c^3X^3 + \dots\Bigr)

with :math:`\beta_2 = |X|_F / (1 + |X|_F)` unless it is given, for the left side from G and for the right side from
:math:`G^\top`; then :math:`D = P_L G P_R`. The sandwich has :math:`Y = P^2 (GG^\top + \dots) P^2` for X and the symmetric part
:math:`\tfrac12(Y^kP + PY^k)` for :math:`PX^k`. Nothing is guarded: a zero gradient divides by zero, and without the ridge r
a row that is always zero overflows.

Source: the Jorge paper (singh2023jorge), update and appendix on β₂; ridge and sandwich are derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from optimizers.reference.shampoo import Array, Grafted
from optimizers.reference.shampoo import Recursion as Shampoo

__all__ = ["COEFFICIENTS", "Recursion", "root_step", "steps"]

COEFFICIENTS = (1.0, -1.0 / 4.0, 5.0 / 32.0, -15.0 / 128.0, 195.0 / 2048.0)  # of (1 + z)^(-1/4)


@dataclass(frozen=True)
class Recursion(Shampoo):
    """What the rule is; beta2 = None is the dynamic rule, and `symmetric` the sandwich."""

    beta2: float | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    order: int = 2
    symmetric: bool = False
    momentum: float = 0.9
    grafting: str | None = "sgd"


def root_step(P: Array, E: Array, beta2: float | None, order: int, symmetric: bool = False) -> Array:
    """P after the statistic E = G Gᵀ (+ ridge)."""
    X = P @ P @ E @ P @ P if symmetric else P @ P @ P @ P @ E
    if beta2 is None:
        beta2 = float(np.linalg.norm(X) / (1.0 + np.linalg.norm(X)))
    Z = (1.0 - beta2) / beta2 * X
    total = np.zeros_like(P)
    for k in range(order + 1):
        power = np.linalg.matrix_power(Z, k)
        total = total + COEFFICIENTS[k] * ((power @ P + P @ power) / 2.0 if symmetric else P @ power)
    return beta2**-0.25 * total


def steps(rule: Recursion, W0: Array, gradient: Callable[[int, Array], Array], horizon: int) -> Iterator[Array]:
    """W_2, ..., W_{horizon + 1} in float64; ``gradient(t, W)`` is G_t."""
    W = np.array(W0, dtype=np.float64)
    m, n = W.shape
    left, right, grafted = rule.eps**-0.25 * np.eye(m), rule.eps**-0.25 * np.eye(n), Grafted(rule)
    for t in range(1, horizon + 1):
        G = np.asarray(gradient(t, W), dtype=np.float64)
        energy = rule.ridge * np.sum(G**2)
        left = root_step(left, G @ G.T + energy / m * np.eye(m), rule.beta2, rule.order, rule.symmetric)
        right = root_step(right, G.T @ G + energy / n * np.eye(n), rule.beta2, rule.order, rule.symmetric)
        W = grafted(W, G, left @ G @ right)
        yield W
