r"""How far a series is from the root of its own statistic, on gradients of a covariance whose axes turn slowly.

.. math::
    1 - \cos \approx \frac{1}{2\sum_i p_i^2\lambda_i} \sum_{ij} \lambda_j \Bigl[ \eta_{ij}^2\, \tfrac{1+\delta_{ij}}{m}
    \Bigl(\tfrac{A}{2-A} + \tfrac{B}{2-B} - \tfrac{2AB}{A+B-AB}\Bigr) +
    \Omega_{ij}^2 (p_i-p_j)^2 \bigl(\tfrac1A - \tfrac1B\bigr)^2 \Bigr], \qquad
    \eta_{ij} = \frac{p_i^2p_j^2}{(p_i+p_j)(p_i^2+p_j^2)},

with :math:`p_i = \lambda_i^{-1/4}`, :math:`B = 1-\beta_2` the share of a deviation that the statistic forgets in a step,
:math:`A = A_{ij} = \kappa_k(c)\,\sigma(p_i/p_j)` the share that the rule corrects, and :math:`\Omega` the turn per step in the
eigenbasis. To leading order in c and in the lag; nothing is stationary where some :math:`A_{ij} \ge 2`.

Source: derived here (docs/proofs/jorge.md#tracking).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizers.theorems.fixed_points import sandwich_sum
from optimizers.theorems.truncated import gain
from theory.theorem import Array

__all__ = ["Tracking", "tracking"]


@dataclass(frozen=True)
class Tracking:
    """1 - cos in its two parts, and what has to be small for them."""

    noise: float
    lag: float
    correction: float  # the largest A_ij; below 2, or nothing is stationary
    lagging: float  # sqrt(max λ_i/λ_j) · Ω_ij/B: how far the statistic itself lags, in units of its smaller axis


def tracking(
    spectrum: Array,  # (n,) λ > 0, eigenvalues of the covariance
    columns: int,  # m of each gradient
    beta2: float,
    order: int,
    turn: Array | None = None,  # (n, n) Ω, skew, radians per step in the eigenbasis; None: the axes stand still
    response: Callable[[np.ndarray], np.ndarray] = sandwich_sum,  # of p_i/p_j; `one_sided_sum` for Jorge's rule
) -> Tracking:
    """The law for a given β₂. Raises ValueError where the rule has no stationary state."""
    lam = np.asarray(spectrum, dtype=float)
    p, other = lam[:, None] ** -0.25, lam[None, :] ** -0.25
    B = 1.0 - beta2
    A = float(gain(np.array(B / beta2), order)) * response(p / other)
    if np.max(A) >= 2.0:
        raise ValueError(
            f"the rule overshoots: A is {np.max(A):.3g} ≥ 2 at β₂ = {beta2}; take a larger β₂ or a better conditioned spectrum."
        )
    eta = (p * other) ** 2 / ((p + other) * (p**2 + other**2))
    apart = A / (2.0 - A) + B / (2.0 - B) - 2.0 * A * B / (A + B - A * B)
    noise = eta**2 * (1.0 + np.eye(len(lam))) / columns * apart
    omega = np.zeros_like(A) if turn is None else np.asarray(turn, dtype=float)
    lag = (omega * (p - other) * (1.0 / A - 1.0 / B)) ** 2
    scale = 2.0 * float(np.sum(np.sqrt(lam)))
    stretch = np.sqrt(np.maximum(lam[:, None] / lam, lam / lam[:, None]))
    return Tracking(
        noise=float(np.sum(noise * lam)) / scale,
        lag=float(np.sum(lag * lam)) / scale,
        correction=float(np.max(A)),
        lagging=float(np.max(np.abs(omega) * stretch)) / B,
    )
