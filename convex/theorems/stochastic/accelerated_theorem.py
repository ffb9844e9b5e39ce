r"""The bound of accelerated adaptive regularization, from the numbers of a run.

.. math::
    \mathrm{bound}_T = \frac4{(T+1)^2}\Bigl[ \frac{D^2}{2\eta} d\sqrt\varepsilon + \Bigl(\frac{D^2}{2\eta} -
    \frac\eta2\Bigr)\sum q_t
    + \frac{\eta^2}2 \Lambda \|S_T\|_{\rm op} + \eta\sigma \Bigl(\sum_{t<T} \tfrac{(t+2)^2}4 \,\|S_T\|_{\rm
    op}\Bigr)^{1/2}\Bigr]

Source: derived here (docs/proofs/stochastic.md#accelerated).
"""

from __future__ import annotations

import numpy as np

from convex.theorems.stochastic.budget import growth_rounding, step_rounding
from convex.theorems.stochastic.constants import structure_of
from convex.theorems.stochastic.runs import StochasticRun

__all__ = ["accelerated_bound", "energy", "missed", "weights_squared"]


def accelerated_bound(
    run: StochasticRun,
    steps: np.ndarray | int,  # T
    D: np.ndarray | float,
    energy: np.ndarray | float,  # Σ q_t
    moved: np.ndarray | float,  # ‖S_T‖
    Lambda: float,
    sigma: float,
    extra: np.ndarray | float = 0.0,  # inside of the bracket
) -> np.ndarray:
    """The bound; Σ q_t and ‖S_T‖ may be expectations."""
    eta = run.rates if len(run.rates) > 1 else float(run.rates[0])
    damping = D**2 / (2.0 * eta) * structure_of(run).dim * run.eps**0.5
    bracket = damping + (D**2 / (2.0 * eta) - eta / 2.0) * energy + eta**2 / 2.0 * Lambda * moved
    bracket = bracket + eta * sigma * np.sqrt(weights_squared(steps) * moved) + extra
    return np.asarray(4.0 / (np.asarray(steps) + 1.0) ** 2 * bracket)


def weights_squared(steps: np.ndarray | int) -> np.ndarray:
    """Σ_{t<T} (t+2)²/4 = (Σ_{k=2}^{T+1} k²)/4."""
    n = np.asarray(steps, dtype=float) + 1.0
    return (n * (n + 1.0) * (2.0 * n + 1.0) / 6.0 - 1.0) / 4.0


def energy(run: StochasticRun) -> np.ndarray:  # -> (T, B)
    """Σ_{s ≤ t} q_s."""
    return np.cumsum(run.scalars["q"], axis=0)


def missed(run: StochasticRun, D: np.ndarray | float) -> np.ndarray:  # -> (T, B)
    """What rounding adds inside of the bracket."""
    growth = growth_rounding(run) * (np.asarray(D) ** 2 / (2.0 * run.rates) + run.rates)
    return np.cumsum(step_rounding(run) + growth, axis=0)
