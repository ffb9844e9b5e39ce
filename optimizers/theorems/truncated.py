r"""The truncated binomial series of an inverse fourth root, and the two numbers that decide what it does when iterated.

.. math::
    q_k(s) = \sum_{j\le k} \binom{-1/4}{j} s^j, \qquad
    d_k(s) = \log\frac{q_k(s)^{-4} - 1}{s}, \qquad
    \kappa_k(s) = -\frac{s\,q_k'(s)}{q_k(s)} .

:math:`d_k(s)` is the error at which a step of size s stands still, :math:`\kappa_k(s)` the gain of the root on a deviation; for
the whole series :math:`d = 0` and :math:`\kappa = s/(4(1+s))`. Both need :math:`0 < q_k < 1` on (0, s], and the interval of
:math:`d_k` over (0, s] has its ends at the ends only if :math:`d_k` is monotone: `admissible` decides all three exactly, by Sturm
chains of rational polynomials.

Source: derived here (docs/proofs/jorge.md#truncated-series).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np

from theory.theorem import Array

__all__ = ["admissible", "admits", "coefficients", "fixed_error", "gain", "root_count", "series", "step_size"]

Polynomial = tuple[Fraction, ...]  # ascending powers


@cache
def coefficients(order: int, root: int = 4) -> Polynomial:  # (order + 1,)
    """(1, -1/4, 5/32, -15/128, ...): the series of (1 + s)^(-1/root). Raises ValueError for an order below 1."""
    if order < 1:
        raise ValueError(f"the series needs an order of at least 1, got {order}.")
    found = [Fraction(1)]
    for j in range(order):
        found.append(found[-1] * (Fraction(-1, root) - j) / (j + 1))
    return tuple(found)


def series(s: Array, order: int) -> np.ndarray:
    """q_k(s), elementwise."""
    return np.polynomial.polynomial.polyval(s, [float(a) for a in coefficients(order)])


def gain(s: Array, order: int) -> np.ndarray:
    """κ_k(s), elementwise."""
    slope = [j * float(a) for j, a in enumerate(coefficients(order))]
    return -np.polynomial.polynomial.polyval(s, slope) / series(s, order)


def fixed_error(s: Array, order: int) -> np.ndarray:
    """d_k(s), elementwise; 0 at s = 0, NaN where q_k(s) is not in (0, 1)."""
    s = np.asarray(s, dtype=float)
    # (q - 1)/s, without the cancellation that q - 1 would have.
    tail = np.polynomial.polynomial.polyval(s, [float(a) for a in coefficients(order)[1:]])
    inside = (s > 0) & (s * tail > -1.0) & (tail < 0)
    t = np.where(inside, s, 1.0)
    safe = np.where(inside, s * tail, -0.2)
    values = np.log(np.expm1(-4.0 * np.log1p(safe)) / t)
    return np.where(s == 0, 0.0, np.where(inside, values, np.nan))


def step_size(s: float, order: int) -> tuple[float, float]:
    """(c, α⁴) for which P = α C^{-1/4} stands still under C with step size s = c α⁴: c = q_k(s)^{-4} - 1."""
    tail = float(series(s, order)) - 1.0
    c = float(np.expm1(-4.0 * np.log1p(tail)))
    return c, s / c


@cache
def admissible(order: int, largest: Fraction) -> bool:
    """Whether 0 < q_k < 1 and d_k is strictly monotone on (0, largest], decided in exact arithmetic."""
    return admits(coefficients(order), largest)


def admits(q: Polynomial, largest: Fraction) -> bool:
    """The same of any q = 1 + q_1 s + ... in place of the truncated series."""
    below_one = tuple(-a for a in q[1:])  # (1 - q)/s
    polynomials = (q, below_one, _turning(q))
    return largest > 0 and below_one[0] > 0 and not any(root_count(p, Fraction(0), largest) for p in polynomials)


def _turning(q: Polynomial) -> Polynomial:
    r"""A polynomial whose positive roots are those of d_k': :math:`q^5 - q - 4 s q'`, without its factor s^(k+1)."""
    fifth: Polynomial = (Fraction(1),)
    for _ in range(5):
        fifth = _product(fifth, q)
    shifted = [a - (q[j] * (1 + 4 * j) if j < len(q) else 0) for j, a in enumerate(fifth)]
    while shifted[0] == 0:
        shifted.pop(0)
    return tuple(shifted)


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    out = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return tuple(out)


def root_count(p: Polynomial, low: Fraction, high: Fraction) -> int:
    """The number of distinct real roots of p in (low, high], by Sturm's theorem; p(low) must not be 0."""
    chain = [p, tuple(j * a for j, a in enumerate(p))[1:]]
    while len(chain[-1]) > 1:
        rest = _negative_remainder(chain[-2], chain[-1])
        if not rest:
            break
        chain.append(rest)
    return _sign_changes(chain, low) - _sign_changes(chain, high)


def _negative_remainder(a: Polynomial, b: Polynomial) -> Polynomial:
    rest = list(a)
    while len(rest) >= len(b):
        factor, shift = rest[-1] / b[-1], len(rest) - len(b)
        for j, y in enumerate(b):
            rest[shift + j] -= factor * y
        rest.pop()  # its leading coefficient is exactly zero now
    while rest and rest[-1] == 0:
        rest.pop()
    scale = abs(rest[-1]) if rest else 1  # positive: the signs of the chain stay, and its numbers stay short
    return tuple(-x / scale for x in rest)


def _sign_changes(chain: list[Polynomial], at: Fraction) -> int:
    values = [_value(p, at) for p in chain]
    signs = [v > 0 for v in values if v != 0]
    return sum(a != b for a, b in zip(signs, signs[1:], strict=False))


def _value(p: Polynomial, at: Fraction) -> Fraction:
    total = Fraction(0)
    for a in reversed(p):
        total = total * at + a
    return total
