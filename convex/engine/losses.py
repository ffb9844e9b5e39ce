r"""Losses of one score that the compiled solver knows: value, slope and curvature of φ(t; y), and the conjugate that gaps need.

.. math::
    \text{log\_loss} &= \log(1 + e^{-yt}), &
    \text{squared\_hinge} &= (1 - yt)_+^2, &
    \text{modified\_huber} &= (1 - yt)_+^2 \text{ for } yt \ge -1, \; -4yt \text{ below}, \\
    \text{squared\_error} &= \tfrac12 (t - y)^2, &
    \text{huber} &= \tfrac12 r^2 \text{ for } |r| \le \delta, \; \delta |r| - \tfrac12 \delta^2 \text{ beyond}, & r &= t - y .

With θ = -φ'(t; y), the Fenchel conjugate at -θ is written as a function of θ: :math:`\varphi^*(-\theta; y)`, finite
on an interval that contains 0 (so shrinking a dual point keeps it feasible).

A loss is chosen by an integer code inside a kernel: one compilation serves all of them. The same functions run
without numba.

Source: derived here.
"""

from __future__ import annotations

import math
from types import MappingProxyType

from convex.engine.compiled import kernel

__all__ = ["CODES", "CURVATURE", "conjugate", "curvature", "slope", "value", "young"]

LOG, SQUARED_HINGE, MODIFIED_HUBER, SQUARED, HUBER = range(5)

CODES = MappingProxyType(
    {
        "log_loss": LOG,
        "squared_hinge": SQUARED_HINGE,
        "modified_huber": MODIFIED_HUBER,
        "squared_error": SQUARED,
        "huber": HUBER,
    }
)

# sup φ'', what L_i = curvature · |x_i|² is made of.
CURVATURE = MappingProxyType({LOG: 0.25, SQUARED_HINGE: 2.0, MODIFIED_HUBER: 2.0, SQUARED: 1.0, HUBER: 1.0})


@kernel
def value(code: int, t: float, y: float, delta: float) -> float:
    """φ(t; y)."""
    if code == LOG:
        margin = y * t
        return math.log1p(math.exp(-margin)) if margin > 0 else math.log1p(math.exp(margin)) - margin
    if code == SQUARED:
        return 0.5 * (t - y) * (t - y)
    if code == HUBER:
        r = abs(t - y)
        return 0.5 * r * r if r <= delta else delta * (r - 0.5 * delta)
    short = 1.0 - y * t
    if short <= 0.0:
        return 0.0
    if code == MODIFIED_HUBER and short > 2.0:
        return 4.0 * (short - 1.0)
    return short * short


@kernel
def slope(code: int, t: float, y: float, delta: float) -> float:
    """φ'(t; y)."""
    if code == LOG:
        margin = y * t
        if margin > 0:
            e = math.exp(-margin)
            return -y * e / (1.0 + e)
        return -y / (1.0 + math.exp(margin))
    if code == SQUARED:
        return t - y
    if code == HUBER:
        return min(max(t - y, -delta), delta)
    short = 1.0 - y * t
    if short <= 0.0:
        return 0.0
    if code == MODIFIED_HUBER and short > 2.0:
        return -4.0 * y
    return -2.0 * y * short


@kernel
def curvature(code: int, t: float, y: float, delta: float) -> float:
    """φ''(t; y); at a kink of φ' the value on the quadratic side."""
    if code == LOG:
        e = math.exp(-abs(t))
        return e / ((1.0 + e) * (1.0 + e))
    if code == SQUARED:
        return 1.0
    if code == HUBER:
        return 1.0 if abs(t - y) <= delta else 0.0
    short = 1.0 - y * t
    if short <= 0.0 or (code == MODIFIED_HUBER and short > 2.0):
        return 0.0
    return 2.0


@kernel
def conjugate(code: int, theta: float, y: float, delta: float) -> float:
    """φ*(-θ; y); inf outside of its domain."""
    if code == SQUARED:
        return 0.5 * theta * theta - theta * y
    if code == HUBER:
        return 0.5 * theta * theta - theta * y if abs(theta) <= delta else math.inf
    a = theta * y  # in [0, 1], [0, inf), [0, 4]
    if code == LOG:
        if a < 0.0 or a > 1.0:
            return math.inf
        inside = a * math.log(a) if a > 0.0 else 0.0
        return inside + ((1.0 - a) * math.log1p(-a) if a < 1.0 else 0.0)
    if a < 0.0 or (code == MODIFIED_HUBER and a > 4.0):
        return math.inf
    return 0.25 * a * a - a


@kernel
def young(code: int, t: float, theta: float, y: float, delta: float) -> float:
    """φ(t; y) + φ*(-θ; y) + θ t >= 0 for θ in the domain of the conjugate, without the cancellation of these three."""
    if code == LOG:
        return value(code, t, y, delta) + conjugate(code, theta, y, delta) + theta * t
    if code == SQUARED:
        return 0.5 * (t - y + theta) * (t - y + theta)
    a = theta * y
    if code == HUBER:
        r, b = abs(t - y), abs(theta)
        if b > delta:
            return math.inf
        if r <= delta:
            return 0.5 * (t - y + theta) * (t - y + theta)
        if (t - y) * theta > 0.0:
            b = -b
        return (delta - b) * (r - 0.5 * (delta + b))
    short = 1.0 - y * t
    if a < 0.0 or (code == MODIFIED_HUBER and a > 4.0):
        return math.inf
    if short <= 0.0:
        return 0.25 * a * a - a * short
    if code == MODIFIED_HUBER and short > 2.0:
        return (4.0 - a) * (short - 0.25 * (4.0 + a))
    return (short - 0.5 * a) * (short - 0.5 * a)
