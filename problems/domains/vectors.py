r"""Inner product and Euclidean norm of flattened parameters, safe at every scale.

.. math:: \langle x, y\rangle = \textstyle\sum_i x_i y_i, \qquad \|x\|_2 = s\,\|x/s\|_2, \quad s = \max_i |x_i|.

Source: the scaled norm is LAPACK's ``dnrm2``; derived here.
"""

from __future__ import annotations

from structures.arrays import Array, namespace

__all__ = ["direction", "inner", "norm", "polar"]


def inner(x: Array, y: Array) -> Array:  # (..., d), (..., d) -> (...)
    """<x, y> along the last axis."""
    return namespace(x).sum(x * y, axis=-1)


def norm(x: Array) -> Array:  # (..., d) -> (...)
    """‖x‖₂ along the last axis; squares neither overflow nor vanish."""
    return polar(x)[0]


def direction(x: Array) -> Array:  # (..., d) -> (..., d)
    """x/‖x‖₂, and 0 for x = 0."""
    return polar(x)[1]


def polar(x: Array) -> tuple[Array, Array]:  # (..., d) -> (...), (..., d)
    """‖x‖₂ and x/‖x‖₂, the latter 0 for x = 0."""
    xp = namespace(x)
    scale = xp.max(xp.abs(x), axis=-1)
    unit = x / xp.where(scale > 0, scale, xp.ones_like(scale))[..., None]
    length = xp.sqrt(xp.sum(unit * unit, axis=-1))
    return scale * length, unit / xp.where(length > 0, length, xp.ones_like(length))[..., None]
