r"""Accelerated projected gradient with adaptive restart, stopped by the Frank-Wolfe gap.

For a convex f with an L-Lipschitz gradient on a compact convex X,

.. math::
    x_{k+1} &= \Pi_X(z_k - \nabla f(z_k)/L), \qquad
    z_{k+1} = x_{k+1} + \tfrac{t_k - 1}{t_{k+1}} (x_{k+1} - x_k), \\
    f(x) - \min_X f &\le \max_{u \in X} \langle \nabla f(x),\, x - u\rangle =: \operatorname{gap}(x).

The gap certifies whatever the iteration returns: no convergence theory has to be trusted, and reaching the iteration cap
is reported by the gap itself. Every element of a batch is frozen when its own gap is small enough, so that a batch gives
what its elements give one by one.

Source: Beck and Teboulle 2009 (FISTA); O'Donoghue and Candès 2015 (the gradient restart); Jaggi 2013 (the gap); remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from problems.domains.vectors import inner
from structures.arrays import Array, like, namespace

if TYPE_CHECKING:
    from problems.domains.base import Domain

__all__ = ["frank_wolfe_gap", "minimise"]

CHECK_EVERY = 4  # a gap costs as much as a projection on a spectral ball


def frank_wolfe_gap(
    domain: Domain,
    gradient: Array,  # (..., d) of f at x
    x: Array,  # (..., d)
) -> tuple[Array, Array]:  # (...), (...)
    """max over u in X of <∇f(x), x - u>, clipped at 0, and the size of the rounding in it. A NaN stays one."""
    xp = namespace(x)
    here, best = inner(gradient, x), domain.flat_support(-gradient)
    rounding = 4.0 * float(xp.finfo(x.dtype).eps) * (xp.abs(here) + xp.abs(best))
    gap = here + best
    return xp.where(gap < 0, xp.zeros_like(gap), gap), rounding


def minimise(
    domain: Domain,
    gradient: Callable[[Array], Array],  # (..., d) -> (..., d)
    smoothness: Array | float,  # (...) L > 0
    start: Array,  # (..., d) a point of X
    tol: Array | float,  # (...) absolute gap at which an element is done
    iterations: int,
) -> tuple[Array, Array]:  # (..., d), (...)
    """A minimiser over the domain and its Frank-Wolfe gap; the best iterate seen when `iterations` run out."""
    xp = namespace(start)
    step = 1.0 / (smoothness + xp.zeros(start.shape[:-1], **like(start)))[..., None]
    best = start
    best_gap, rounding = frank_wolfe_gap(domain, gradient(start), start)
    done = best_gap <= xp.maximum(rounding, tol + xp.zeros_like(rounding))
    x = z = start
    t = xp.ones_like(step)
    for k in range(1, iterations + 1):
        if bool(xp.all(done)):
            break
        x, z, t = _accelerated_step(domain, z, x, t, gradient(z) * step)
        if k % CHECK_EVERY == 0 or k == iterations:
            gap, rounding = frank_wolfe_gap(domain, gradient(x), x)
            better = ~done & (gap < best_gap)
            best = xp.where(better[..., None], x, best)
            best_gap = xp.where(better, gap, best_gap)
            done = done | (best_gap <= xp.maximum(rounding, tol + xp.zeros_like(rounding)))
    return best, best_gap


def _accelerated_step(
    domain: Domain, z: Array, x: Array, t: Array, descent: Array
) -> tuple[Array, Array, Array]:  # x, z, t
    """One projected step from z and its extrapolation; momentum is dropped where it points uphill."""
    xp = namespace(z)
    new = domain.flat_nearest(z - descent)
    uphill = inner(z - new, new - x)[..., None] > 0
    t = xp.where(uphill, xp.ones_like(t), t)
    following = 0.5 * (1.0 + xp.sqrt(1.0 + 4.0 * t * t))
    return new, new + (t - 1.0) / following * (new - x), following
