r"""The losses on whole arrays without numba: slopes, and sums of values, slopes and curvatures.

.. math:: v = \sum_i p_i \varphi(z_i; y_i), \qquad s_i = p_i \varphi'(z_i; y_i), \qquad \Sigma'' = \sum_i p_i \varphi''(z_i; y_i)

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.kernels_gap import ALMOST
from convex.engine.losses import HUBER, LOG, MODIFIED_HUBER, SQUARED

__all__ = ["curvatures", "loss_rows", "slopes", "values", "young_rows", "youngs"]


def values(code: int, t: np.ndarray, y: np.ndarray, delta: float) -> np.ndarray:
    """φ(t; y)."""
    if code == LOG:
        return np.logaddexp(0.0, -y * t)
    if code == SQUARED:
        return 0.5 * (t - y) ** 2
    if code == HUBER:
        r = np.abs(t - y)
        return np.where(r <= delta, 0.5 * r * r, delta * (r - 0.5 * delta))
    short = np.maximum(1.0 - y * t, 0.0)
    if code == MODIFIED_HUBER:
        return np.where(short <= 2.0, short * short, 4.0 * (short - 1.0))
    return short * short


def slopes(code: int, t: np.ndarray, y: np.ndarray, delta: float) -> np.ndarray:
    """φ'(t; y)."""
    if code == LOG:
        margin = y * t
        e = np.exp(-np.abs(margin))
        return -y * np.where(margin > 0, e, 1.0) / (1.0 + e)
    if code == SQUARED:
        return t - y
    if code == HUBER:
        return np.clip(t - y, -delta, delta)
    short = np.maximum(1.0 - y * t, 0.0)
    return -2.0 * y * (np.minimum(short, 2.0) if code == MODIFIED_HUBER else short)


def curvatures(code: int, t: np.ndarray, y: np.ndarray, delta: float) -> np.ndarray:
    """φ''(t; y)."""
    if code == LOG:
        e = np.exp(-np.abs(t))
        return e / (1.0 + e) ** 2
    if code == SQUARED:
        return np.ones_like(t)
    if code == HUBER:
        return np.where(np.abs(t - y) <= delta, 1.0, 0.0)
    short = 1.0 - y * t
    return np.where((short > 0.0) & ((short <= 2.0) | (code != MODIFIED_HUBER)), 2.0, 0.0)


def loss_rows(
    code: int, z: np.ndarray, y: np.ndarray, p: np.ndarray, shift: float, delta: float, s: np.ndarray
) -> tuple[float, float, float, float]:
    """As `kernels_loss.loss_rows`."""
    t = z + shift
    s[:] = p * slopes(code, t, y, delta)
    value = float(np.sum(p * values(code, t, y, delta)))
    return value, float(np.sum(s)), float(np.sum(p * curvatures(code, t, y, delta))), float(np.sum(np.abs(s)))


def youngs(code: int, t: np.ndarray, theta: np.ndarray, y: np.ndarray, delta: float) -> np.ndarray:
    """φ(t; y) + φ*(-θ; y) + θ t; inf for θ outside of the domain of the conjugate."""
    if code in (SQUARED, HUBER):
        r = t - y
        near = 0.5 * (r + theta) ** 2
        if code == SQUARED:
            return near
        b = -np.sign(r) * theta
        inside = np.where(np.abs(r) <= delta, near, (delta - b) * (np.abs(r) - 0.5 * (delta + b)))
        return np.where(np.abs(theta) <= delta, inside, np.inf)
    a = theta * y
    if code == LOG:
        low, high = np.where(a > 0.0, a, 1.0), np.where(a < 1.0, a, 0.0)
        inside = values(code, t, y, delta) + low * np.log(low) + (1.0 - high) * np.log1p(-high) + theta * t
        return np.where((a >= 0.0) & (a <= 1.0), inside, np.inf)
    short = 1.0 - y * t
    inside = np.where(short <= 0.0, a * (0.25 * a - short), (short - 0.5 * a) ** 2)
    linear = (short > 2.0) & (code == MODIFIED_HUBER)
    inside = np.where(linear, (4.0 - a) * (short - 0.25 * (4.0 + a)), inside)
    return np.where((a >= 0.0) & ((a <= 4.0) | (code != MODIFIED_HUBER)), inside, np.inf)


def young_rows(
    code: int, z: np.ndarray, y: np.ndarray, p: np.ndarray, s: np.ndarray, tau: float, delta: float
) -> float:
    """As `kernels_gap.young_rows`."""
    theta = -tau * s / p
    if code == HUBER:
        theta = np.where(np.abs(theta) <= delta * ALMOST, np.clip(theta, -delta, delta), theta)
    return float(np.sum(p * youngs(code, z, theta, y, delta)))
