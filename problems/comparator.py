r"""The best point in hindsight, from its certified side.

.. math::
    F^* = \min_{u \in X} F(u), \qquad F(x) - \max_{u \in X} \langle \nabla F(x),\, x - u\rangle \le F^* \le F(x)
    \quad\text{for every } x \in X .

Regret against F* lies between the regrets against the two ends; `verify` uses the worse one, so no solver has to be
trusted. Both ends are evaluated in floating point: the rounding of the sum F is the caller's budget.

Source: Jaggi 2013 (the duality gap of Frank and Wolfe); derived here.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from problems.domains import Domain
from problems.domains.accelerated_gradient import minimise
from problems.losses import LinearFunction, Objective
from structures.arrays import Array, namespace, require_finite, require_shape

__all__ = ["Comparator", "best_in_hindsight"]


class Comparator(NamedTuple):
    """A bracket of the best value over a domain, and the point that attains its upper end."""

    lower: Array  # (...)
    upper: Array  # (...)
    x: Array  # (..., *shape)


def best_in_hindsight(
    objective: Objective,
    domain: Domain,
    start: Array,  # (..., *shape) gives batch, namespace and device; projected on the domain first
    *,
    tol: float = 1e-9,  # target gap relative to |F(start)|
    iterations: int = 5000,  # cap; what it costs is the width of the bracket
) -> Comparator:
    """A bracket of min F over the domain, element by element of the batch.

    Linear objectives have a closed form; others run accelerated projected gradient from `start`. Raises ValueError for a
    start that is not finite or has a shape other than the objective's.
    """
    require_finite("start", start)
    require_shape("start", start, objective.shape)
    domain = domain.on(objective.shape)
    if isinstance(objective, LinearFunction):
        return _linear(objective, domain, start)
    xp = namespace(start)
    lead = start.shape[: start.ndim - len(objective.shape)]
    unflat, flat = (*lead, *objective.shape), (*lead, prod(objective.shape))

    def gradient(x: Array) -> Array:  # (..., d) -> (..., d)
        return xp.reshape(objective.gradient(xp.reshape(x, unflat)), flat)

    first = domain.project_euclidean(start)
    target = tol * xp.abs(objective.value(first))
    x, gap = minimise(domain, gradient, _positive(objective, first), xp.reshape(first, flat), target, iterations)
    x = xp.reshape(x, unflat)
    upper = objective.value(x)
    return Comparator(upper - gap, upper, x)


def _linear(objective: LinearFunction, domain: Domain, start: Array) -> Comparator:
    """min <S, u> = -support(-S); the two ends differ by rounding."""
    xp = namespace(start)
    slopes = objective.gradient(start)
    x = domain.lmo(slopes)
    value, exact = objective.value(x), -domain.support(-slopes)
    return Comparator(xp.minimum(value, exact), xp.maximum(value, exact), x)


def _positive(objective: Objective, x: Array) -> Array | float:
    """The smoothness constant, with 1 in place of 0: a constant objective is done before its first step."""
    L = objective.smoothness
    if isinstance(L, float | int):
        return L if L > 0 else 1.0
    xp = namespace(L, x)
    return xp.where(L > 0, L, xp.ones_like(L))
