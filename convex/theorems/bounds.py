r"""The constants of the stage lemma and of the outer loop, as functions of the step that was taken.

With L a smoothness constant of F, ℓ = max L_i/(n q_i) and a mini-batch of b,

.. math::
    w_k = \frac{k \ell / 2b}{1/\eta - L k/(k+1)}, \qquad
    \rho(\eta) = \frac{4}{m(m+1)} \sum_{k=1}^m \frac k2 \cdot \frac{w_k}{1 - w_k}, \qquad
    K = \frac{2}{\eta m (m+1)} ,

and :math:`w_m < 1` is the condition on the step. At :math:`\eta = 1/(L + \gamma(m+1)\ell/b)` one has
:math:`\rho(\eta) \le \rho_m(\gamma) \le 2/(3(2\gamma - 1)) \le 1/\gamma`.

Source: derived here (docs/proofs/dasvrda.md); the form of the outer bound is remembered from Murata and Suzuki 2017.
"""

from __future__ import annotations

from math import inf

import numpy as np

__all__ = ["contraction", "distance_factor", "largest_step", "outer_bound", "outer_factor", "stage_rho"]


def largest_step(m: int, b: int, smoothness: float, variance: float) -> float:
    """The step below which the stage lemma holds: 1/(L m/(m+1) + m ℓ/(2b)); inf when nothing is curved."""
    slowest = smoothness * m / (m + 1) + m * variance / (2 * b)
    return 1.0 / slowest if slowest > 0 else inf


def stage_rho(step: float, m: int, b: int, smoothness: float, variance: float) -> float:
    """ρ(η), inf for a step that is not below `largest_step`."""
    k = np.arange(1.0, m + 1.0)
    room = 1.0 / step - smoothness * k / (k + 1.0) - k * variance / (2.0 * b)  # (1/η - L k/(k+1)) (1 - w_k)
    if not room[-1] > 0:
        return inf
    return float(np.sum(k / 2.0 * (k * variance / (2.0 * b)) / room)) * 4.0 / (m * (m + 1))


def distance_factor(step: float, m: int) -> float:
    """K, what a squared distance costs in one stage."""
    return 2.0 / (step * m * (m + 1))


def outer_factor(stages: int) -> float:
    """4/(S+2)², how the outer momentum decays."""
    return 4.0 / (stages + 2) ** 2


def outer_bound(
    gap: float,  # P(x_0) - P*
    squared_distance: float,  # |z_0 - x*|²
    *,
    stages: int,
    step: float,
    m: int,
    c: float,  # at least 2/3 and at most 1 - ρ
    leading: float,  # the factor of the gap: 1 as published, 3/4 as proved
) -> float:
    """4/(S+2)² (leading · gap + (K/c²) |z_0 - x*|²)."""
    return outer_factor(stages) * (leading * gap + distance_factor(step, m) / c**2 * squared_distance)


def contraction(mu: float, *, stages: int, step: float, m: int, c: float, leading: float) -> float:
    """What one restart leaves of the gap when P(x) - P* ≥ (μ/2)|x - x*|²: the outer bound at |z_0 - x*|² = 2 gap/μ."""
    return outer_bound(1.0, 2.0 / mu, stages=stages, step=step, m=m, c=c, leading=leading)
