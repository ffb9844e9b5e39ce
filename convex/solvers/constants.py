r"""The constants of DASVRDA: γ, the step size η of a stage, its contraction ρ and c = 1 - ρ, published and sharper.

.. math::
    \eta = \frac{1}{L_F + \gamma (m + 1) \bar L / b}, \qquad
    \text{published: } L_F := \bar L,\; \rho = \frac1\gamma,\; \gamma_* = \tfrac12\Bigl(3 + \sqrt{9 + \tfrac{8b}{m+1}}\Bigr), \\
    \text{sharper: } \rho_m(\gamma) = \frac{4}{m(m+1)} \sum_{k=1}^m \frac{k/2}{2\gamma(m+1)/k - 1}
    \le \frac{2}{3(2\gamma - 1)} .

In both cases γ minimises :math:`(L_F/\bar L + \gamma(m+1)/b) / (1-\rho)^2`, the factor of :math:`\|z_0 - x_*\|^2` in the bound
of the outer loop. The proof of that bound uses the weights :math:`\theta_s - 1` with :math:`\theta_s = c(s+2)/2`, s = 1, 2, ...,
which are nonnegative exactly when c ≥ 2/3: γ ≥ 3 with ρ = 1/γ.

Source: Murata and Suzuki 2017 (the algorithm and γ_*), of which only the beginning was seen, so that it is re-derived here; the
sharper constants are derived here (docs/proofs/dasvrda.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

__all__ = ["Constants", "gamma_sharp", "gamma_star", "published", "rho_sharp", "sharpened", "step_size"]

ROUNDING = 1e-12  # in c ≥ 2/3: γ = 3 gives 1 - 1/3, which is not 2/3 in floating point


@dataclass(frozen=True)
class Constants:
    """γ, η, ρ of one stage. Raises ValueError unless η is positive and ρ in [0, 1/3], without which there is no theorem."""

    gamma: float
    step: float  # η, in units of 1/L
    rho: float  # a stage keeps at most this part of P(xtil) - P*

    def __post_init__(self) -> None:
        if not (isfinite(self.step) and self.step > 0):
            raise ValueError(f"the step size must be positive and finite, got {self.step!r}.")
        if not (self.rho >= 0 and self.c >= 2 / 3 - ROUNDING):
            raise ValueError(
                f"gamma = {self.gamma!r} keeps rho = {self.rho:.3g} of the gap at the snapshot, above 1/3 (c = 1 - rho < 2/3): "
                f"the weights of the outer loop go negative. Take gamma >= 3, or gamma_star(m, b)."
            )

    @property
    def c(self) -> float:
        """1 - ρ, the slope of the outer weights θ_s = c (s + 2)/2."""
        return 1.0 - self.rho


def gamma_star(m: int, b: int) -> float:
    """The γ that minimises (1 + γ(m+1)/b)/(1 - 1/γ)²; above 3 for every m, b ≥ 1."""
    _require_sizes(m, b)
    return (3.0 + sqrt(9.0 + 8.0 * b / (m + 1))) / 2.0


def step_size(
    gamma: float,
    m: int,
    b: int,
    Lbar: float,  # the mean of the L_i; for probabilities q other than L_i/(n Lbar): max L_i/(n q_i)
    smoothness: float | None = None,  # L_F; None takes Lbar in its place, as published
) -> float:
    """η = 1/(L_F + γ(m+1)Lbar/b). Raises ValueError unless Lbar > 0 (a linear F needs no steps) and γ > 0."""
    _require_sizes(m, b)
    if not (isfinite(Lbar) and Lbar > 0 and isfinite(gamma) and gamma > 0):
        raise ValueError(f"step_size needs positive finite gamma and Lbar, got gamma={gamma!r}, Lbar={Lbar!r}.")
    return 1.0 / ((Lbar if smoothness is None else smoothness) + gamma * (m + 1) * Lbar / b)


def rho_sharp(gamma: float, m: int) -> float:
    """ρ_m(γ) for γ > 1/2."""
    k = np.arange(1.0, m + 1.0)
    return float(4.0 / (m * (m + 1)) * np.sum(k / 2.0 / (2.0 * gamma * (m + 1) / k - 1.0)))


def gamma_sharp(m: int, b: int, ratio: float = 1.0) -> float:
    """The γ that minimises (ratio + γ(m+1)/b)/(1 - ρ_m(γ))², for ratio = L_F/Lbar.

    Its derivative has the sign of r(1-ρ) + 2ρ'(ratio + γr), r = (m+1)/b, which increases with γ: one root, found by bisection.
    """
    _require_sizes(m, b)
    r, c = (m + 1) / b, (m + 1) / np.arange(1.0, m + 1.0)
    weights = 4.0 / (m * (m + 1)) * np.arange(1.0, m + 1.0) / 2.0

    def uphill(gamma: float) -> bool:
        u = 2.0 * gamma * c - 1.0
        rho, slope = float(np.sum(weights / u)), -float(np.sum(2.0 * c * weights / u**2))
        return r * (1.0 - rho) + 2.0 * slope * (ratio + gamma * r) > 0

    low, high = 0.5, 1.0
    while not uphill(high):
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if uphill(middle) else (middle, high)
    return high


def published(m: int, b: int, Lbar: float, gamma: float | None = None) -> Constants:
    """The published constants; γ_* unless γ is given. Raises ValueError for γ < 3."""
    gamma = gamma_star(m, b) if gamma is None else gamma
    return Constants(gamma, step_size(gamma, m, b, Lbar), 1.0 / gamma)


def sharpened(m: int, b: int, Lbar: float, smoothness: float, gamma: float | None = None) -> Constants:
    """The sharper constants, with the smoothness L_F of F. Raises ValueError for γ with ρ_m(γ) > 1/3."""
    gamma = gamma_sharp(m, b, smoothness / Lbar) if gamma is None else gamma
    if not gamma > 0.5:
        raise ValueError(f"gamma must be above 1/2, got {gamma!r}.")
    return Constants(gamma, step_size(gamma, m, b, Lbar, smoothness), rho_sharp(gamma, m))


def _require_sizes(m: int, b: int) -> None:
    for name, size in (("the stage length m", m), ("the mini-batch b", b)):
        if not (isinstance(size, int | np.integer) and size >= 1):
            raise ValueError(f"{name} must be an integer >= 1, got {size!r}.")
