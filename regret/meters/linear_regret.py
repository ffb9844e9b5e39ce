r"""Regret of the linearised losses at every horizon, in a bracket that contains the exact number.

.. math::
    R_t(u) = \sum_{s \le t} \langle g_s, x_s - u\rangle, \qquad
    R_t = \sup_{u \in \mathcal X} R_t(u) = \sum_{s \le t} \langle g_s, x_s\rangle + \sigma_{\mathcal X}(-S_t),
    \quad S_t = \sum_{s \le t} g_s,

with σ the support function. Iterates and gradients are taken as the floating-point numbers that they are; what is rounded are
inner products, sums and the support function. With u the unit roundoff, d entries and :math:`\rho = \max_{\mathcal X}\|x\|_2`,

.. math::
    |\hat R_t - R_t| \le \gamma_{d+2} \sum_{s \le t} \|g_s\|\|x_s\| + \rho\,\bigl(\|\hat S_t - S_t\| + 32\,d\,u\,\|S_t\|\bigr)
        + \text{(error of the compensated sum)} + 2(d + 1)(1 + \rho)\,\omega\,t,

where ω, the smallest normal number, is for products that underflow at steps with a gradient (and ρ is 1 for a fixed comparator),
and :math:`32\,d\,u\,\rho\,\|S\|` bounds the rounding of a support function: γ_d for closed forms by sums, and LAPACK's backward
error for singular values.

Source: derived here; the error bounds are those of `regret.rounding`.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from regret.meters.base import Block, Meter, Series, Step, inner, norm2, stacked
from regret.rounding import (
    compensated_cumsum,
    compensated_error,
    discounted_cumsum,
    gamma,
    smallest_normal,
    two_sum,
    unit_roundoff,
)
from structures.arrays import Array, namespace

if TYPE_CHECKING:
    from problems.domains import Domain

__all__ = ["DiscountedRegret", "DomainRegret", "FixedRegret"]

SUPPORT_ULPS = 32  # rounding of a support function, in units of d · u · ρ · ‖S‖


class FixedRegret(Meter):
    """Against one comparator for each element, given in advance."""

    def __init__(self, comparator: Array) -> None:  # (B, *shape)
        self._comparator = comparator
        self._u, self._entries = unit_roundoff(comparator), prod(comparator.shape[1:])
        self._omega = smallest_normal(comparator)

    def observe(self, block: Block) -> dict[str, Array]:
        away = block.x - self._comparator
        size = block.gradient_norm
        return {"inner": inner(block.G, away), "product": size * norm2(away), "gradient_norm": size}

    def fields(self, series: Series) -> dict[str, Any]:
        centre, error = _summed(series, self._entries, self._u)
        error = error + _underflow(series, self._entries, self._omega)
        return {"regret": centre + error, "regret_lower": centre - error}


class DomainRegret(Meter):
    """Against the best point of the domain in hindsight, another one at every horizon."""

    def __init__(self, domain: Domain, x: Array) -> None:  # (B, *shape)
        self._domain = domain
        self._sum, self._carry = namespace(x).zeros_like(x), namespace(x).zeros_like(x)
        self._totals: list[Array] = []
        self._reach = domain.euclidean_radius(tuple(x.shape[1:]))
        self._u, self._omega, self._entries = unit_roundoff(x), smallest_normal(x), prod(x.shape[1:])

    def live(self, step: Step) -> None:
        self._sum, error = two_sum(self._sum, step.G)
        self._carry = self._carry + error
        self._totals.append(self._sum + self._carry)

    def observe(self, block: Block) -> dict[str, Array]:
        totals, self._totals = stacked(self._totals), []
        size = block.gradient_norm
        return {
            "inner": inner(block.G, block.x), "product": size * norm2(block.x), "gradient_norm": size,
            "best": self._domain.support(-totals), "total": norm2(totals),
        }  # fmt: skip

    def fields(self, series: Series) -> dict[str, Any]:
        d, u = self._entries, self._u
        won, error = _summed(series, d, u)
        steps = np.arange(1, len(won) + 1)[:, None]
        drift = 2 * u * series["total"] + gamma(steps, u) ** 2 * np.cumsum(series["gradient_norm"], axis=0)
        rounding = drift + SUPPORT_ULPS * d * u * series["total"]
        centre = won + series["best"]
        error = error + _slack(d, u) * self._reach * rounding + 2.0**-52 * np.abs(centre)
        error = error + _underflow(series, d, self._omega, self._reach)
        return {"regret": centre + error, "regret_lower": centre - error}


class DiscountedRegret(Meter):
    r"""Σ_s β^{(t-s)/2} <g_s, x_s - u>, the regret that a forgetting learner's theorem speaks about.

    Against the fixed comparator of the game when `domain` is None, otherwise against the best point of the domain for the
    discounted sum.
    """

    def __init__(self, beta: float, x: Array, domain: Domain | None) -> None:
        self._discount, self._domain = beta**0.5, domain
        self._sum, self._sums = namespace(x).zeros_like(x), []
        self._reach = 0.0 if domain is None else domain.euclidean_radius(tuple(x.shape[1:]))
        self._u, self._omega, self._entries = unit_roundoff(x), smallest_normal(x), prod(x.shape[1:])

    def live(self, step: Step) -> None:
        if self._domain is not None:
            self._sum = self._discount * self._sum + step.G
            self._sums.append(self._sum)

    def observe(self, block: Block) -> dict[str, Array]:
        if self._domain is None:
            return {}
        sums, self._sums = stacked(self._sums), []
        return {"faded_best": self._domain.support(-sums), "faded_total": norm2(sums)}

    def fields(self, series: Series) -> dict[str, Any]:
        d, u, discount = self._entries, self._u, self._discount
        won = discounted_cumsum(series["inner"], discount)
        # Each step rounds the discount, one product and one sum, relative to what is added up.
        lost = 4 * 2.0**-53 * (np.abs(won) + np.abs(series["inner"])) + gamma(d + 2, u) * series["product"]
        if self._domain is not None:
            lost = lost + self._reach * 4 * u * (series["faded_total"] + series["gradient_norm"])
        error = _slack(d + 4 * len(won), u) * discounted_cumsum(lost, discount)
        if self._domain is not None:
            won = won + series["faded_best"]
            error = error + _slack(d, u) * self._reach * SUPPORT_ULPS * d * u * series["faded_total"]
        error = error + 2.0**-52 * np.abs(won) + _underflow(series, d, self._omega, self._reach)
        return {"discounted_regret": won + error, "discounted_regret_lower": won - error}


def _summed(series: Series, d: int, u: float) -> tuple[np.ndarray, np.ndarray]:  # (T, B), (T, B)
    """Prefix sums of the inner products, and a bound of their error."""
    terms = series["inner"]
    sums = compensated_cumsum(terms)
    products = np.cumsum(series["product"], axis=0) / (1.0 - gamma(len(terms), 2.0**-53))
    return sums, compensated_error(sums, terms, 2.0**-53) + _slack(d, u) * gamma(d + 2, u) * products


def _underflow(series: Series, d: int, omega: float, reach: float = 0.0) -> np.ndarray:  # (T, B)
    """What products that underflow have lost since the first gradient; nothing before, where sums of zeros are exact."""
    steps = np.cumsum(np.maximum.accumulate(series["gradient_norm"], axis=0) > 0, axis=0)
    return 2.0 * (d + 1) * (1.0 + reach) * omega * steps


def _slack(n: int, u: float) -> float:
    """What turns a rounded sum of n nonnegative terms into an upper bound of it, with room for a few products."""
    lost = float(gamma(2 * n + 16, u))
    return 1.0 / (1.0 - lost) if lost < 1.0 else float("inf")
