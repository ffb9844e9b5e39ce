r"""Projection on the unit ball in any metric: the secular equation.

.. math::
    \operatorname*{argmin}_{\|x\|_2 \le 1} \tfrac12 \|x - y\|_H^2 = x(\mu) = (H + \mu I)^{-1} H y, \qquad
    \|x(\mu)\|_2 = 1, \quad \mu \ge 0 .

Newton's method on :math:`1/\|x(\mu)\|_2`, which is increasing and concave: from :math:`\mu = 0` the iterates increase to
the root and never pass it, so no safeguard is needed. It converges in one step when H is a multiple of the identity.

H may be singular. With Π the projection on its range, x(0⁺) = Πy; if that is inside the ball, every point Πy + z of the ball
with Πz = 0 is a minimiser, and the one nearest to y is returned: Πy plus as much of (I - Π)y as fits. It is the limit of the
projections in the metrics H + δI.

Only the spectrum of H and the operator with a given spectrum are used, so that this is one code for every structure.

Source: Conn, Gould, Toint 2000, Trust-Region Methods, Lemma 7.3.1 (concavity; remembered); Moré and Sorensen 1983.
"""

from __future__ import annotations

from problems.domains.metric import Metric
from problems.domains.vectors import inner, norm, polar
from structures.arrays import Array, namespace, tolerance

__all__ = ["nearest_in_unit_ball"]

NEWTON_STEPS = 100  # quadratic near the root; each step far from it passes a scale of the spectrum


def nearest_in_unit_ball(y: Array, metric: Metric) -> Array:  # (..., d) -> (..., d)
    """The projection of y on {‖x‖₂ ≤ 1} in a metric; y itself, up to rounding, where it is inside."""
    xp = namespace(y)
    h = metric.values
    if bool(xp.all(h > 0)):
        x = _on_sphere(y, metric)  # the usual case, and nothing to fill
    else:
        on_range = metric.filter(xp.astype(h > 0, y.dtype), y)
        fits = (norm(on_range) <= 1)[..., None]
        x = xp.where(fits, _filled(on_range, y - on_range), _on_sphere(on_range, metric))
    length = norm(x)[..., None]
    return xp.where(length > 1, x / xp.where(length > 1, length, xp.ones_like(length)), x)


def _filled(on_range: Array, rest: Array) -> Array:
    """`on_range` plus as much of the orthogonal `rest` as the ball has room for."""
    xp = namespace(rest)
    reach, length = norm(on_range), norm(rest)
    room = xp.sqrt(xp.maximum((1.0 - reach) * (1.0 + reach), xp.zeros_like(reach)))
    part = xp.where(length > room, room / xp.where(length > 0, length, xp.ones_like(length)), xp.ones_like(room))
    return on_range + part[..., None] * rest


def _on_sphere(
    y: Array,  # (..., d) in the range of H
    metric: Metric,
) -> Array:  # (..., d)
    """x(μ) with ‖x(μ)‖ = 1 where ‖y‖ > 1, and y elsewhere."""
    xp = namespace(y)
    h = metric.values
    mu = xp.zeros_like(y[..., :1])
    done = xp.zeros_like(mu, dtype=xp.bool)
    x = y
    for _ in range(NEWTON_STEPS):
        length, u = polar(x)
        excess = (length - 1.0)[..., None]
        done = done | (excess <= tolerance(y))
        if bool(xp.all(done)):
            break
        curvature = inner(u, metric.filter(_over(xp.ones_like(h), h + mu), u))[..., None]
        step = _over(excess, curvature)
        done = done | (step <= 0.25 * float(xp.finfo(y.dtype).eps) * mu)  # μ is a rounded number: nothing left to gain
        mu = xp.where(done, mu, mu + step)
        x = xp.where(done, x, metric.filter(_over(h, h + mu), y))
    return x


def _over(numerator: Array, denominator: Array) -> Array:
    """numerator/denominator, and 0 where the denominator is 0: the pseudo-inverse."""
    xp = namespace(denominator)
    null = denominator <= 0
    ratio = numerator / xp.where(null, xp.ones_like(denominator), denominator)
    return xp.where(null, xp.zeros_like(ratio), ratio)
