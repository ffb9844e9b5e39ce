r"""How far a matrix is from being the inverse fourth root of another, measured without taking a root.

.. math:: R = P^2 L P^2 - I, \qquad \rho = |R|_2, \qquad
    \hat\rho = \frac{|P^2 (L (P^2 V)) - V|_F}{|V|_F} \le \rho \text{ for every } V.

:math:`\rho < 1` certifies :math:`(1+\rho)^{-1/4} P \preceq L^{-1/4} \preceq (1-\rho)^{-1/4} P` for symmetric positive
definite P. A probe with a few random columns costs O(n²) and only looks: it bounds ρ from below. The staleness of an
exact root bounds it from above: if :math:`P = L_0^{-1/4}` and :math:`L = b L_0 + S` with :math:`S \succeq 0`, then

.. math:: \rho \le \max\bigl(1 - b,\; \operatorname{Tr}(P^2 S P^2) - (1 - b)\bigr).

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable

from structures.arrays import Array, eye, namespace, sym

__all__ = ["probed_residual", "residual", "staleness_bound"]


def residual(P: Array, L: Array) -> Array:  # (..., n, n), (..., n, n) -> (..., n, n)
    """R = P² L P² - I, symmetrised; 0 exactly when P² = L^{-1/2}."""
    square = P @ P
    return sym(square @ L @ square) - eye(P.shape[-1], P)


def probed_residual(
    square: Callable[[Array], Array],  # (..., n, k) -> (..., n, k), X ↦ P² X
    L: Array,  # (..., n, n)
    V: Array,  # (n, k) columns to look along
    shift: Array | float = 0.0,  # (..., 1, 1); L + shift·I is what P should be the root of
) -> Array:  # (...)
    """|P² (L + shift·I) P² V - V|_F / |V|_F ≤ ρ."""
    xp = namespace(L)
    W = square(V)
    image = square(L @ W + shift * W)
    return xp.linalg.vector_norm(image - V, axis=(-2, -1)) / xp.linalg.vector_norm(V)


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
