r"""The matrix iterations for inverse fourth roots as functions of the current root and a matrix, for real or complex arrays.

.. math::
    \text{one-sided:}\quad P &\leftarrow \beta_2^{-1/4}\, P\, q_k(c\,P^4C), \qquad c = \frac{1-\beta_2}{\beta_2}, \\
    \text{sandwich:}\quad P &\leftarrow \beta_2^{-1/4}\, \tfrac12\bigl(q_k(Y)P + P\,q_k(Y)\bigr), \qquad Y = c\,P^2CP^2, \\
    \text{Newton:}\quad P &\leftarrow \tfrac14\bigl(5P - P^aLP^{5-a}\bigr), \qquad a = 0, \dots, 5, \\
    \text{polish:}\quad P &\leftarrow P - \tfrac g2(RP + PR), \qquad R = P^2LP^2 - I .

They are written out once more, without the optimizers' batching, so that a derivative can be taken through them: all are
polynomials in the entries, and the imaginary part at :math:`P + ihE` is :math:`h` times the derivative along E, to rounding.

Source: one-sided with k = 2, from memory of Jorge (Singh, Sating and Bhatele 2023); the others are derived here
(docs/proofs/jorge.md).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizers.theorems.truncated import coefficients
from theory.theorem import Array

__all__ = ["TINY", "derivative", "newton", "one_sided", "polish", "residual", "sandwich"]

Matrix = np.ndarray
TINY = 2.0**-100  # its square vanishes beside 1, also when cond(P) multiplies it


def one_sided(P: Matrix, C: Matrix, beta2: float, order: int) -> Matrix:  # (..., n, n)
    """The published update; C = G Gᵀ."""
    square = P @ P
    return beta2**-0.25 * (P @ _series(_odds(beta2) * (square @ square @ C), order))


def sandwich(P: Matrix, C: Matrix, beta2: float, order: int) -> Matrix:  # (..., n, n)
    """The symmetric update: a Jordan product of P with the series."""
    square = P @ P
    q = _series(_odds(beta2) * (square @ C @ square), order)
    return beta2**-0.25 * 0.5 * (q @ P + P @ q)


def newton(P: Matrix, L: Matrix, left: int) -> Matrix:  # (..., n, n)
    """Newton's step for X⁻⁴ = L with `left` of the five factors left of L."""
    power, scale = np.linalg.matrix_power, _power_of_two(P)
    unit = P / scale  # its fifth power is there where that of P = L^{-1/4} is not
    return 0.25 * (5.0 * P - scale * (power(unit, left) @ (scale**2 * L * scale**2) @ power(unit, 5 - left)))


def polish(P: Matrix, L: Matrix, step: float) -> Matrix:  # (..., n, n)
    """One symmetric step towards L^{-1/4} at a known L; `step` is g."""
    R = residual(P, L)
    return P - 0.5 * step * (R @ P + P @ R)


def residual(P: Matrix, L: Matrix) -> Matrix:  # (..., n, n)
    """R = P²LP² - I."""
    square = P @ P
    return square @ L @ square - np.eye(P.shape[-1], dtype=P.dtype)


def derivative(step: Callable[[Matrix], Matrix], P: Matrix, E: Matrix) -> Matrix:  # (..., n, n)
    """The derivative of a polynomial map at P along an E of size 1, without a difference quotient."""
    h = TINY * _power_of_two(P)
    return np.imag(step(P + 1j * h * E)) / h


def _power_of_two(P: Matrix) -> Matrix:  # (..., n, n) -> (..., 1, 1)
    """About the largest entry of P; to scale with it rounds nothing."""
    return np.ldexp(1.0, np.frexp(np.max(np.abs(P), axis=(-2, -1), keepdims=True))[1])


def _odds(beta2: float) -> Array:
    return (1.0 - beta2) / beta2


def _series(Z: Matrix, order: int) -> Matrix:
    """q_k(Z) by Horner's rule."""
    identity = np.eye(Z.shape[-1], dtype=Z.dtype)
    total = float(coefficients(order)[-1]) * identity
    for a in reversed(coefficients(order)[:-1]):
        total = total @ Z + float(a) * identity
    return total
