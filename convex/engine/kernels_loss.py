r"""Losses of many rows at once: values, weighted slopes and curvatures from scores, compiled so that whole vectors are used.

.. math::
    v = \sum_i p_i \varphi(z_i; y_i), \qquad s_i = p_i \varphi'(z_i; y_i), \qquad
    \Sigma' = \sum_i s_i, \qquad \Sigma'' = \sum_i p_i \varphi''(z_i; y_i)

The logistic loss takes one exponential a row, :math:`e = e^{-|yz|}`, by range reduction and a polynomial (a library's
exponential is a call a row); its logarithm is :math:`\log(1 + e) = 2\,\mathrm{artanh}(e / (2 + e))`, a series in at
most 1/9 without cancellation.

Source: derived here.
"""

from __future__ import annotations

import math

import numpy as np

from convex.engine.compiled import kernel, summing
from convex.engine.losses import HUBER, LOG, MODIFIED_HUBER, SQUARED

__all__ = ["exponentials", "loss_rows", "slope_rows"]

BLOCK = 512
LOG2E = 1.0 / math.log(2.0)
LN2_HIGH = 6.93147180369123816490e-01  # ln 2 in two parts, the first with zeros at its end: n * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10
ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which stands in the low bits
SMALLEST = -708.0  # e^-708 is still a normal number

# 1/k!: |r| <= ln(2)/2, so the first term left out is below 2e-16 of the sum.
C2, C3, C4, C5, C6, C7 = (1.0 / math.factorial(k) for k in range(2, 8))
C8, C9, C10, C11, C12, C13 = (1.0 / math.factorial(k) for k in range(8, 14))


@kernel
def exponentials(x: np.ndarray, power: np.ndarray, bits: np.ndarray, count: int) -> None:
    """x := e^x for -708 <= x <= 0 (below: e^-708); `power` is room for `count` floats and `bits` the same memory as int64."""
    for i in range(count):
        power[i] = max(x[i], SMALLEST) * LOG2E + ROUND
    for i in range(count):
        n = power[i] - ROUND
        r = (max(x[i], SMALLEST) - n * LN2_HIGH) - n * LN2_LOW
        high = C8 + r * (C9 + r * (C10 + r * (C11 + r * (C12 + r * C13))))
        low = C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * (C7 + r * high)))))
        x[i] = 1.0 + r * (1.0 + r * low)
    for i in range(count):
        bits[i] = (bits[i] + 1023) << 52
    for i in range(count):
        x[i] *= power[i]


@summing
def log1p_unit(e: float) -> float:
    """log(1 + e) for 0 <= e <= 1."""
    r = e / (2.0 + e)
    q = r * r
    tail = 1 / 25 + q * (1 / 27 + q * (1 / 29 + q * (1 / 31 + q * (1 / 33 + q / 35))))
    middle = 1 / 13 + q * (1 / 15 + q * (1 / 17 + q * (1 / 19 + q * (1 / 21 + q * (1 / 23 + q * tail)))))
    head = 1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * middle))))
    return 2.0 * r + 2.0 * r * q * head


@summing
def slope_rows(code: int, z: np.ndarray, y: np.ndarray, delta: float, count: int, power, bits, e) -> None:
    """z := φ'(z; y) for the first `count` entries (at most the length of the rooms `power`, `bits`, `e`)."""
    if code in (SQUARED, HUBER):
        reach = delta if code == HUBER else np.inf
        for i in range(count):
            z[i] = min(max(z[i] - y[i], -reach), reach)
        return
    if code != LOG:
        reach = 2.0 if code == MODIFIED_HUBER else np.inf
        for i in range(count):
            z[i] = -2.0 * y[i] * min(max(1.0 - y[i] * z[i], 0.0), reach)
        return
    for i in range(count):
        e[i] = -abs(z[i])
    exponentials(e, power, bits, count)
    for i in range(count):
        z[i] = -y[i] * (e[i] if y[i] * z[i] > 0.0 else 1.0) / (1.0 + e[i])


@summing
def log_block(z, y, p, shift, s, power, bits, e):
    """One block of `loss_rows` for the logistic loss."""
    total, first, second, size = 0.0, 0.0, 0.0, 0.0
    for i in range(z.size):
        e[i] = -abs(z[i] + shift)
    exponentials(e, power, bits, z.size)
    for i in range(z.size):
        margin = y[i] * (z[i] + shift)
        inverse = 1.0 / (1.0 + e[i])
        pull = p[i] * (e[i] if margin > 0.0 else 1.0) * inverse
        total += p[i] * (log1p_unit(e[i]) + max(-margin, 0.0))
        s[i] = -y[i] * pull
        first += s[i]
        size += pull
        second += p[i] * e[i] * inverse * inverse
    return total, first, second, size


@summing
def residual_block(z, y, p, shift, reach, s):
    """The same for the squared (reach = inf) and the Huber loss: with c the residual clipped, φ = c (r - c/2)."""
    total, first, second, size = 0.0, 0.0, 0.0, 0.0
    for i in range(z.size):
        r = z[i] + shift - y[i]
        c = min(max(r, -reach), reach)
        total += p[i] * c * (r - 0.5 * c)
        s[i] = p[i] * c
        first += s[i]
        size += abs(s[i])
        second += p[i] if abs(r) <= reach else 0.0
    return total, first, second, size


@summing
def hinge_block(z, y, p, shift, reach, s):
    """The same for the squared hinge (reach = inf) and modified Huber (2): with c the clipped 1 - yt, φ = c (2 - 2yt - c)."""
    total, first, second, size = 0.0, 0.0, 0.0, 0.0
    for i in range(z.size):
        short = max(1.0 - y[i] * (z[i] + shift), 0.0)
        c = min(short, reach)
        total += p[i] * c * (2.0 * short - c)
        s[i] = -2.0 * y[i] * p[i] * c
        first += s[i]
        size += abs(s[i])
        second += 2.0 * p[i] if 0.0 < short <= reach else 0.0
    return total, first, second, size


@kernel
def loss_rows(
    code: int,
    z: np.ndarray,  # (n,) scores
    y: np.ndarray,  # (n,)
    p: np.ndarray,  # (n,) weights
    shift: float,  # added to every score
    delta: float,
    s: np.ndarray,  # (n,) out: p_i φ'(z_i + shift)
) -> tuple[float, float, float, float]:
    """(Σ p φ, Σ p φ', Σ p φ'', Σ p |φ'|) at z + shift; sums of blocks are compensated. s must not be z."""
    power, e = np.empty(BLOCK), np.empty(BLOCK)
    bits = power.view(np.int64)
    total, lost, first, second, size = 0.0, 0.0, 0.0, 0.0, 0.0
    reach = delta if code == HUBER else 2.0 if code == MODIFIED_HUBER else np.inf
    for start in range(0, z.size, BLOCK):
        stop = min(start + BLOCK, z.size)
        part = (z[start:stop], y[start:stop], p[start:stop])
        if code == LOG:
            v, f, c, a = log_block(*part, shift, s[start:stop], power, bits, e)
        elif code in (SQUARED, HUBER):
            v, f, c, a = residual_block(*part, shift, reach, s[start:stop])
        else:
            v, f, c, a = hinge_block(*part, shift, reach, s[start:stop])
        term = v - lost
        after = total + term
        lost = (after - total) - term
        total = after
        first, second, size = first + f, second + c, size + a
    return total, first, second, size
