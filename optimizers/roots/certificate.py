r"""How far a matrix is from being the inverse fourth root of another, measured without taking a root.

.. math:: R = P^2 L P^2 - I, \qquad \rho = |R|_2, \qquad
    \hat\rho = \Bigl(\frac{|R^q V|_F}{\sqrt{\chi^2_{k,\delta}}}\Bigr)^{1/q} \ge \rho \text{ with a chance of } 1 - \delta

for k Gaussian columns V that are drawn after P. :math:`\rho < 1` certifies
:math:`(1+\rho)^{-1/4} P \preceq L^{-1/4} \preceq (1-\rho)^{-1/4} P` for symmetric positive definite P. A probe costs
O(q k n²). The staleness of an exact root bounds ρ for certain: if :math:`P = L_0^{-1/4}` and :math:`L = b L_0 + S` with
:math:`S \succeq 0`, then

.. math:: \rho \le \max\bigl(1 - b,\; \operatorname{Tr}(P^2 S P^2) - (1 - b)\bigr).

Source: derived here (docs/proofs/jorge.md#probes, theorems root-certificate, root-probe and root-staleness).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import sqrt

from structures.arrays import Array, eye, namespace, sym

__all__ = ["probe_quantile", "probed_bound", "residual", "staleness_bound"]

POWER = 4  # of R: with it the estimate is two to four times ρ at most, without it a hundred times
CHANCE = 0.01  # δ of one probe


def residual(P: Array, L: Array) -> Array:  # (..., n, n), (..., n, n) -> (..., n, n)
    """R = P² L P² - I, symmetrised; 0 exactly when P² = L^{-1/2}."""
    square = P @ P
    return sym(square @ L @ square) - eye(P.shape[-1], P)


def probed_bound(
    square: Callable[[Array], Array],  # (..., n, k) -> (..., n, k), X ↦ P² X
    L: Array,  # (..., n, n)
    V: Array,  # (n, k) Gaussian columns
    shift: Array | float = 0.0,  # (..., 1, 1); L + shift·I is what P should be the root of
) -> Array:  # (...)
    """The estimate of ρ from above; infinite or NaN where R is too large to be raised to its power."""
    moved = V
    for _ in range(POWER):
        W = square(moved)
        moved = square(L @ W + shift * W) - moved
    length = namespace(L).linalg.vector_norm(moved, axis=(-2, -1))
    return (length / probe_quantile(V.shape[-1], CHANCE)) ** (1.0 / POWER)


@lru_cache
def probe_quantile(columns: int, delta: float) -> float:
    """√χ²_{k,δ}, which the length of k Gaussian numbers falls short of with a chance of δ."""
    from scipy.special import gammaincinv

    return sqrt(2.0 * float(gammaincinv(0.5 * columns, delta)))


def staleness_bound(
    kept: Array,  # (...) b, what is left of L_0
    added: Array,  # (...) Tr(P² S P²), or more
) -> Array:  # (...)
    """An upper bound of ρ for P = L_0^{-1/4} and L = b L_0 + S.

    The eigenvalues of R = (b - 1) I + P² S P² lie between b - 1 and b - 1 + Tr(P² S P²).
    """
    xp = namespace(kept)
    lost = 1.0 - kept
    return xp.maximum(lost, added - lost)
