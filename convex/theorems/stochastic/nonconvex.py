r"""Adaptive regularization on smooth functions that need not be convex: the mean dual norm of the gradients.

With :math:`\Gamma_T = (f(x_1) - f(x_{T+1}))/\eta + \tfrac\eta2\Lambda\|S_T\|_{\rm op}` and
:math:`w_T = \sum_{i<T}\beta^{i/2}` (T for sums of all gradients),

.. math::
    \frac1T \sum_{t \le T} \|\nabla f(x_t)\|_{\mathcal H,*} \;\le\; \frac1T\sqrt{\Gamma_T\,\bigl(w_T \Gamma_T + T
    d\sqrt\varepsilon\bigr)}
    \;\le\; \frac{\sqrt{w_T}}T\,\Gamma_T + \sqrt{\frac{\Gamma_T d\sqrt\varepsilon}T} .

An exponential average with (η, ε) is the weighted sum with :math:`(\eta/\sqrt{1-\beta}, \varepsilon/(1-\beta))`, to
which the numbers refer.

Source: derived here (docs/proofs/stochastic.md#nonconvex); the second form is, with constants twice as large, that of
Xie et al. 2025, arXiv 2511.20584, Theorems 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from convex.theorems.stochastic import constants
from convex.theorems.stochastic.budget import growth_rounding, relative, step_rounding, value_rounding
from convex.theorems.stochastic.movement import movement
from convex.theorems.stochastic.of_problem import SMOOTH
from convex.theorems.stochastic.of_run import ADAPTIVE, DRAWN, EXACT, PLAYED, UNCONSTRAINED, WELL_STRUCTURED
from convex.theorems.stochastic.runs import StochasticRun
from theory.citation import Citation
from theory.theorem import Example, Kind, Theorem

__all__ = ["NonconvexStationarity"]


class NonconvexStationarity(Theorem):
    id = "nonconvex-stationarity"
    title = "Structured AdaGrad on smooth functions that need not be convex"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/stochastic.md#nonconvex", "derived")
    statement = (
        r"\frac1T \sum_{t \le T} \|\nabla f(x_t)\|_{\mathcal H,*} \le \frac1T\sqrt{\Gamma_T\,\bigl(w_T \Gamma_T "
        r"+ T d\sqrt\varepsilon\bigr)}, "
        r"\quad \Gamma_T = \frac{f(x_1) - f(x_{T+1})}\eta + \frac\eta2\Lambda\|S_T\|_{\rm op}, \quad w_T = "
        r"\sum_{i<T}\beta^{i/2}"
    )
    proof = "docs/proofs/stochastic.md"
    subject = "adaptive regularization with exact gradients of a smooth function, unconstrained, every horizon"
    assumptions: ClassVar = (PLAYED, DRAWN, EXACT, ADAPTIVE, WELL_STRUCTURED, UNCONSTRAINED, SMOOTH)

    def measured(self, run: StochasticRun) -> np.ndarray:  # (T, B)
        return _running_mean(constants.structure_of(run).dual_norm(run.gradients))

    def bound(self, run: StochasticRun) -> np.ndarray:  # (T, B)
        return self._bound(run, 0.0, 0.0)

    def budget(self, run: StochasticRun) -> np.ndarray:  # (T, B)
        axes = tuple(range(-len(run.problem.shape), 0))
        step = np.max(np.sqrt(np.sum(np.diff(run.iterates, axis=0) ** 2, axis=axes)))
        # The error of a step times the gradient; values of f; the pseudo-inverse's null space.
        slope = np.cumsum(step_rounding(run, float(step)), axis=0) / run.rates
        values = value_rounding(run)
        unseen = _running_mean(run.scalars["dropped"]) * run.problem.dim**0.5  # ‖·‖_{H,*} ≤ √d ‖·‖₂
        own = self.bound(run)
        inflated = self._bound(run, slope + 2.0 * values / run.rates, growth_rounding(run))
        return inflated - own + relative(run) * (own + self.measured(run)) + unseen

    def trivial(self, run: StochasticRun) -> np.ndarray:  # (T, B)
        """By smoothness alone, with steps no longer than η√‖S_1‖ in ‖·‖_H: ‖∇f(x_t)‖ ≤ ‖∇f(x_1)‖ + Λ‖x_t - x_1‖_H."""
        K = constants.structure_of(run)
        first, apart = K.dual_norm(run.gradients[:1]), K.norm(run.iterates[:-1] - run.iterates[:1])
        return _running_mean(first + constants.curvature_trace(run) * apart)

    def _bound(self, run: StochasticRun, lost: np.ndarray | float, growth: np.ndarray | float) -> np.ndarray:
        share = 1.0 - run.core.beta if run.core.accumulate == "ema" else 1.0  # pyright: ignore[reportAttributeAccessIssue]
        beta, eta, eps = run.core.beta, run.rates / share**0.5, run.eps / share  # pyright: ignore[reportAttributeAccessIssue]
        steps = np.arange(1, run.horizon + 1)[:, None]
        weight = np.cumsum(beta ** (0.5 * (steps - 1)), axis=0)
        f, K = run.problem.value(run.iterates), constants.structure_of(run)
        moved = share * movement(run)  # u = V⁻¹g of the weighted sum is √(1-β) that of the average
        decrease = (f[:1] - f[1:]) / eta + np.asarray(lost) * share**0.5
        gamma = np.maximum(decrease + 0.5 * eta * constants.curvature_trace(run) * moved, 0.0)
        damping = K.dim * eps**0.5 + np.asarray(growth) / share**0.5
        return np.sqrt(gamma * (weight * gamma + steps * damping)) / steps

    def examples(self) -> Iterable[Example]:
        from convex.theorems.stochastic.nonconvex_cases import nonconvex_examples

        return nonconvex_examples()

    def controls(self) -> Iterable[Example]:
        from convex.theorems.stochastic.nonconvex_cases import nonconvex_controls

        return nonconvex_controls()


def _running_mean(series: np.ndarray) -> np.ndarray:  # (T, B) -> (T, B)
    return np.cumsum(series, axis=0) / np.arange(1, len(series) + 1)[:, None]
