r"""How many component gradients the theory asks for: what proves :math:`\mathbb E[P - P_*] \le \epsilon\,(P(x_0) - P_*)`.

For a μ-strongly convex objective a method contracts the gap by ρ in a period that costs c component gradients; it is sure of its
target after :math:`\lceil \log\epsilon / \log\rho \rceil\, c`, and what a method leaves free (stages between restarts, lengths,
steps) is chosen to make that least.

Source: docs/proofs/dasvrda.md (DASVRDA), docs/proofs/finite-sum.md (SVRG); the rate of Katyusha is remembered from Allen-Zhu 2017
(Theorem 2.1), without its leading constant, so that its number is optimistic.
"""

from __future__ import annotations

from math import ceil, inf, log, log1p, sqrt

import numpy as np

from convex.solvers.constants import published, sharpened
from convex.solvers.katyusha import Katyusha
from convex.solvers.sampling import probabilities, variance_constant
from problems.composite import Composite

__all__ = ["dasvrda_evaluations", "katyusha_evaluations", "svrg_evaluations"]

LONGEST = 4000  # stages between two restarts, and stages of SVRG in units of passes


def dasvrda_evaluations(problem: Composite, b: int, target: float, sharp: bool = False) -> float:
    """The least over the number S of stages between two restarts, with m = n/b and importance sampling."""
    n, mu = problem.samples, problem.strong_convexity
    m = max(1, n // b)
    Lbar = variance_constant(problem, probabilities(problem))
    constants = sharpened(m, b, Lbar, problem.smoothness) if sharp else published(m, b, Lbar)
    stages = np.arange(1, LONGEST + 1)
    distance = 4.0 / (constants.c**2 * constants.step * m * (m + 1) * mu) if mu > 0 else inf
    rho = 4.0 / (stages + 2.0) ** 2 * (1.0 + distance)
    return _least(rho, stages * (n + 2.0 * b * m), target)


def svrg_evaluations(problem: Composite, b: int, target: float) -> float:
    """The least over stage lengths and over steps with ω < 1 and η at most 1/L_F."""
    n, mu = problem.samples, problem.strong_convexity
    Lbar = variance_constant(problem, probabilities(problem))
    m = np.maximum(1.0, np.geomspace(0.25, LONGEST, 200) * n / b).round()[:, None]
    omega = np.minimum(np.linspace(0.02, 0.6, 60), 4.0 * Lbar / (b * problem.smoothness))
    eta = omega * b / (4.0 * Lbar)
    rho = (1.0 / (mu * eta * m) if mu > 0 else inf) / (1.0 - omega) + omega * (m + 1.0) / ((1.0 - omega) * m)
    return _least(rho, (n + 2.0 * b * m) * np.ones_like(rho), target)


def katyusha_evaluations(problem: Composite, b: int, target: float) -> float:
    """With m = 2n/b: each step contracts by 1 + αμ as long as mμ ≤ M/4, and a stage by 3/2 beyond."""
    mu, solver = problem.strong_convexity, Katyusha(b)
    m, M = solver.stage_length(problem), solver.smoothness_for(problem)
    if mu == 0:
        return inf
    rate = m * log1p(sqrt(mu / (m * M))) if m * mu <= 0.25 * M else log(1.5)
    return ceil(log(1.0 / target) / rate) * float(solver.stage_cost(problem))


def _least(rho: np.ndarray, cost: np.ndarray, target: float) -> float:
    """The smallest number of component gradients over all choices that contract; inf where none does."""
    sure = rho < 1.0
    if not np.any(sure):
        return inf
    periods = np.ceil(log(target) / np.log(rho[sure]))
    return float(np.min(periods * cost[sure]))
