r"""Soft thresholding, the proximal point of the absolute value, and the indicator that conjugates of norms are.

.. math::
    \operatorname{soft}(v, t)_j = \operatorname{sign}(v_j)\,(|v_j| - t)_+, \qquad
    I_C(s) = 0 \text{ on } C,\; \infty \text{ outside}.

Source: derived here.
"""

from __future__ import annotations

from structures.arrays import Array, namespace

__all__ = ["excess", "soft_threshold", "zero_or_inf"]


def excess(v: Array, t: Array | float) -> Array:  # (..., d), float or (..., 1) -> (..., d)
    """(|v| - t)_+, elementwise."""
    xp = namespace(v)
    over = xp.abs(v) - t
    return xp.where(over > 0, over, xp.zeros_like(over))


def soft_threshold(v: Array, t: Array | float) -> Array:  # (..., d), float or (..., 1) -> (..., d)
    """sign(v) (|v| - t)_+, elementwise."""
    return namespace(v).sign(v) * excess(v, t)


def zero_or_inf(inside: Array, like: Array) -> Array:  # (...) bool, (..., d) -> (...)
    """0 where `inside`, inf elsewhere, in the dtype of `like`."""
    xp = namespace(like)
    zero = xp.zeros_like(like[..., 0])
    return xp.where(inside, zero, xp.full_like(zero, float("inf")))
