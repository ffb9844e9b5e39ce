r"""Sums with known errors: the rounding budget that widens every regret bracket.

With unit roundoff :math:`u` and :math:`\gamma_n = nu/(1-nu)`, barring overflow and underflow (a product that underflows is
off by less than the smallest normal number ω),

.. math::
    |\mathrm{fl}\langle a, b\rangle - \langle a, b\rangle| &\le \gamma_n\, \|a\|_2 \|b\|_2
        \quad\text{(any order of summation, } n \text{ terms)}, \\
    |\hat s_t - s_t| &\le u\,|s_t| + \gamma_{t}^2 \textstyle\sum_{\tau \le t} |a_\tau|
        \quad\text{(compensated sum)},

because each :math:`\mathrm{fl}(s + a)` is corrected by its exact error, which is itself a floating-point number.

Source: Higham, Accuracy and Stability of Numerical Algorithms, SIAM 2002, sec. 3.1; Ogita, Rump, Oishi, Accurate sum and
dot product, SIAM J. Sci. Comput. 26 (2005), Prop. 4.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structures.arrays import Array, namespace

__all__ = [
    "compensated_cumsum",
    "compensated_error",
    "discounted_cumsum",
    "gamma",
    "smallest_normal",
    "two_sum",
    "unit_roundoff",
]


def unit_roundoff(x: Array) -> float:
    """u of the dtype of `x`: half its machine epsilon."""
    return float(namespace(x).finfo(x.dtype).eps) / 2.0


def smallest_normal(x: Array) -> float:
    """ω of the dtype of `x`: what underflows is off by less, with gradual underflow or without."""
    return float(namespace(x).finfo(x.dtype).smallest_normal)


def gamma(n: Any, u: float) -> Any:
    """γ_n = n u / (1 - n u), entrywise for an array of counts; infinite once n u ≥ 1, where nothing is known."""
    nu = np.asarray(n, dtype=np.float64) * u
    return np.where(nu < 1.0, nu / np.where(nu < 1.0, 1.0 - nu, 1.0), np.inf)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """fl(a + b) and its exact error (Knuth), for any sizes of a and b."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def compensated_cumsum(terms: np.ndarray) -> np.ndarray:  # (T, ...) -> (T, ...)
    """Prefix sums along axis 0, each as accurate as if computed in twice the working precision and then rounded."""
    terms = np.asarray(terms, dtype=np.float64)
    plain = np.cumsum(terms, axis=0)  # add.accumulate is sequential: plain[t] = fl(plain[t-1] + terms[t])
    errors = np.zeros_like(terms)
    errors[1:] = two_sum_error(plain[:-1], terms[1:], plain[1:])
    return plain + np.cumsum(errors, axis=0)


def two_sum_error(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The exact error of a sum that was rounded before: a + b - total."""
    part = total - a
    return (a - (total - part)) + (b - part)


def compensated_error(sums: np.ndarray, terms: np.ndarray, u: float) -> np.ndarray:  # both (T, ...)
    """An upper bound of ``|compensated_cumsum(terms) - exact|``, rounded up."""
    steps = np.arange(1, len(terms) + 1, dtype=np.float64).reshape(-1, *[1] * (terms.ndim - 1))
    absolute = np.cumsum(np.abs(terms), axis=0) / (1.0 - gamma(len(terms), 2.0**-53))
    return 2.0 * u * np.abs(sums) + gamma(steps, u) ** 2 * absolute


def discounted_cumsum(terms: np.ndarray, discount: float) -> np.ndarray:  # (T, ...) -> (T, ...)
    """s_t = discount · s_{t-1} + terms_t along axis 0."""
    sums = np.empty_like(terms)
    running = np.zeros_like(terms[0])
    for t, term in enumerate(terms):
        running = discount * running + term
        sums[t] = running
    return sums
