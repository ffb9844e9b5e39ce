r"""Inverse fourth roots by the binomial series alone: Jorge's rule as published, and the symmetric rule at the same cost.

With :math:`L' = \beta_2 L + (1-\beta_2)\,GG^\top`, :math:`c = (1-\beta_2)/\beta_2`, and :math:`P` standing for
:math:`L^{-1/4}`,

.. math::
    (1 + z)^{-1/p} = \sum_k a_k z^k, \qquad a_k = -a_{k-1}\,\frac{1 + (k-1)p}{kp}, \qquad
    X = P^4 GG^\top, \quad Y = P^2 GG^\top P^2,

.. math::
    P' = \beta_2^{-1/4}\, P \sum_{k \le K} a_k (cX)^k \quad\text{(Jorge)}, \qquad
    P' = \beta_2^{-1/4}\, \tfrac12 \sum_{k \le K} a_k \left[(cY)^k P + P\,(cY)^k\right] \quad\text{(sandwich)}.

The two agree when P and GGᵀ commute; only the second keeps P symmetric. With the dynamic rule
:math:`\beta_2 = |X|_F/(1+|X|_F)`, so that :math:`cX = X/|X|_F` is always inside the disc of convergence.

Source: the Jorge paper (singh2023jorge), update and appendix on β₂; the sandwich rule is derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import array_api_compat

from structures.arrays import Array, namespace

__all__ = [
    "binomial",
    "dynamic_beta2",
    "jorge_step",
    "one_sided_step",
    "sandwich_step",
    "symmetric_half",
    "symmetric_step",
]


@cache
def binomial(order: int, p: int = 4) -> tuple[float, ...]:
    """Coefficients of (1 + z)^(-1/p) up to z^order: 1, -1/4, 5/32, -15/128, ... for p = 4; each correctly rounded.

    Raises ValueError for order < 0 or p < 1.
    """
    if order < 0 or p < 1:
        raise ValueError(f"binomial needs order ≥ 0 and p ≥ 1, got order={order}, p={p}.")
    coefficient, found = Fraction(1), [1.0]
    for k in range(1, order + 1):
        coefficient *= Fraction(-1 - (k - 1) * p, k * p)
        found.append(float(coefficient))
    return tuple(found)


def frobenius(X: Array) -> Array:  # (..., m, n) -> (..., 1, 1)
    """|X|_F of each matrix."""
    return namespace(X).linalg.vector_norm(X, axis=(-2, -1), keepdims=True)


def dynamic_beta2(X: Array) -> Array:  # (..., n, n) -> (..., 1, 1)
    """|X|_F / (1 + |X|_F): the largest weight of a new gradient for which the series surely converges."""
    norm = frobenius(X)
    return norm / (1.0 + norm)


def jorge_step(
    P: Array,  # (..., n, n), stands for L^{-1/4}
    GG: Array,  # (..., n, n), G Gᵀ of the new gradient
    beta2: Array | float | None = None,  # (..., 1, 1) or a number in (0, 1); None is the dynamic rule
    order: int = 2,
    least: float = 0.0,  # of the dynamic β₂
) -> Array:  # (..., n, n)
    """P after one gradient by the literal one-sided rule: 3 + order products of n×n matrices.

    Divides by zero where GG = 0 and beta2 is None; the caller skips such an update.
    """
    square = P @ P
    return one_sided_step(P, square @ square @ GG, beta2, order, least)


def one_sided_step(
    P: Array,  # (..., n, n)
    X: Array,  # (..., n, n), P⁴ E of the new statistic E
    beta2: Array | float | None = None,
    order: int = 2,
    least: float = 0.0,
) -> Array:  # (..., n, n)
    """The literal rule from X: `order` products."""
    Z, gain = _scaled(X, beta2, least)
    return gain * _polynomial(Z, P, binomial(order), left=False)


def sandwich_step(
    P: Array,  # (..., n, n) symmetric, stands for L^{-1/4}
    H: Array,  # (..., n, k), P² G of the new gradient
    beta2: Array | float | None = None,  # (..., 1, 1) or a number in (0, 1); None is the dynamic rule
    order: int = 2,
    least: float = 0.0,  # of the dynamic β₂
) -> Array:  # (..., n, n) symmetric
    """P after one gradient by the symmetric rule: P² and H included, 3 + order products.

    A ridge r·I in the statistics is r more columns: pass [P² G, √r P²]. Divides by zero where H = 0 and beta2 is None.
    """
    return symmetric_step(P, H @ namespace(P).matrix_transpose(H), beta2, order, least)


def symmetric_step(
    P: Array,  # (..., n, n) symmetric
    Y: Array,  # (..., n, n), P² E P² of the new statistic E
    beta2: Array | float | None = None,
    order: int = 2,
    least: float = 0.0,
) -> Array:  # (..., n, n) symmetric
    """The symmetric rule from Y: `order` products."""
    half, gain = symmetric_half(P, Y, beta2, order, least)
    return gain * (half + namespace(P).matrix_transpose(half))


def symmetric_half(
    P: Array, Y: Array, beta2: Array | float | None, order: int, least: float
) -> tuple[Array, Array | float]:
    """B and a with a·(B + Bᵀ) the next P; arguments as in `symmetric_step`."""
    Z, gain = _scaled(Y, beta2, least)
    return _polynomial(Z, P, [0.5 * a for a in binomial(order)], left=True), gain


def _polynomial(Z: Array, P: Array, coefficients: Sequence[float], left: bool) -> Array:
    """Σ_k c_k Z^k P, or Σ_k c_k P Z^k, by Horner's rule: a product for each k ≥ 1; on torch's stacks no pass beside them."""
    *others, last = coefficients
    if not others:
        return last * P
    total, fused = P, array_api_compat.is_torch_array(P) and P.ndim == 3
    for c in reversed(others):
        A, B = (Z, total) if left else (total, Z)
        total = P.baddbmm(A, B, beta=c, alpha=last) if fused else c * P + last * (A @ B)
        last = 1.0
    return total


def _scaled(X: Array, beta2: Array | float | None, least: float) -> tuple[Array, Array | float]:
    """The matrix cX, c = (1 - β₂)/β₂, and β₂^{-1/4}."""
    if beta2 is None:
        xp, norm = namespace(X), frobenius(X)
        if least > 0.0:  # β₂ ≥ least is |X| ≥ least/(1 - least)
            norm = xp.maximum(norm, xp.full_like(norm, least / (1.0 - least)))
        return X / norm, (norm / (1.0 + norm)) ** -0.25
    return X * ((1.0 - beta2) / beta2), beta2**-0.25
