r"""Accelerated adaptive regularization with noise: 1/T² for the function and 1/√T for the noise.

.. math::
    \mathbb E f(\bar x_T) - f_* \;\le\; \frac4{(T+1)^2}\Bigl[ \frac{D^2}{2\eta} d\sqrt\varepsilon
    + \Bigl(\frac{D^2}{2\eta} - \frac\eta2\Bigr)\mathbb E\sum_{t<T} q_t + \frac{\eta^2}2 \Lambda\, \mathbb
    E\|S_T\|_{\rm op}
    + \eta\sigma \Bigl(\sum_{t<T} \tfrac{(t+2)^2}4 \, \mathbb E\|S_T\|_{\rm op}\Bigr)^{1/2} \Bigr]

D bounds :math:`\|x_t - x_*\|_{\mathcal H}` on every path and there is no domain to give it, so that only enumerated
runs are judged.

Source: derived here (docs/proofs/stochastic.md#accelerated); the order is that of Xie et al. 2025, arXiv 2511.20584,
Theorem 4.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from convex.theorems.stochastic import constants
from convex.theorems.stochastic.accelerated_theorem import accelerated_bound, energy, missed
from convex.theorems.stochastic.budget import relative, value_rounding
from convex.theorems.stochastic.movement import movement
from convex.theorems.stochastic.of_noise import NOISE, UNBIASED
from convex.theorems.stochastic.of_problem import CONVEX, MINIMISER, SMOOTH
from convex.theorems.stochastic.of_run import (
    ACCELERATED,
    CUMULATIVE,
    DRAWN,
    ENUMERATED,
    ONE_RATE,
    PLAYED,
    UNCONSTRAINED,
    WELL_STRUCTURED,
)  # fmt: skip
from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.smooth_theorem import least, minimiser_error
from theory.citation import Citation
from theory.theorem import Example, Kind, Theorem

__all__ = ["AcceleratedStochastic"]


class AcceleratedStochastic(Theorem):
    id = "accelerated-stochastic"
    title = "Accelerated structured AdaGrad with noise"
    kind = Kind.EXPECTATION
    source = Citation("derived", "docs/proofs/stochastic.md#accelerated", "derived")
    statement = (
        r"\mathbb E f(\bar x_T) - f_* \le \frac4{(T+1)^2}\Bigl[ \frac{D^2}{2\eta} d\sqrt\varepsilon + "
        r"\Bigl(\frac{D^2}{2\eta} - "
        r"\frac\eta2\Bigr)\mathbb E\sum_{t<T} q_t + \frac{\eta^2}2 \Lambda\, \mathbb E\|S_T\|_{\rm op} + "
        r"\eta\sigma \Bigl(\sum_{t<T} "
        r"\tfrac{(t+2)^2}4 \, \mathbb E\|S_T\|_{\rm op}\Bigr)^{1/2} \Bigr]"
    )
    proof = "docs/proofs/stochastic.md"
    subject = "accelerated adaptive regularization with stochastic gradients of a smooth convex function, unconstrained"
    axes = ("seed",)
    assumptions: ClassVar = (
        PLAYED, DRAWN, ONE_RATE, ENUMERATED, ACCELERATED, CUMULATIVE, WELL_STRUCTURED, UNCONSTRAINED, UNBIASED, CONVEX, SMOOTH,
        MINIMISER, NOISE,
    )  # fmt: skip

    def measured(self, run: StochasticRun) -> np.ndarray:  # (B,)
        return run.problem.value(run.answers[-1]) - least(run)

    def bound(self, run: StochasticRun) -> float:
        return self._bound(run, 0.0)

    def budget(self, run: StochasticRun) -> float:
        off = 3.0 * (1.0 + run.horizon) ** 2 * minimiser_error(run)
        lost = _mean(run, missed(run, _distance(run))[-1]) + off
        own = self.bound(run)
        size = own + 4.0 / (run.horizon + 1.0) ** 2 * float(run.rates[0]) * _mean(run, energy(run)[-1])
        return self._bound(run, lost) - own + relative(run) * size + value_rounding(run)

    def exact(self, run: StochasticRun) -> float | None:
        return run.expectation(self.measured(run)) if run.enumerated else None

    def trivial(self, run: StochasticRun) -> float:
        """f(x̄) - f* ≤ ΛD²/2, with the last iterate in D."""
        K = constants.structure_of(run)
        far = float(np.max(K.norm(run.iterates - constants.comparator(run))))
        return 0.5 * constants.curvature_trace(run) * far**2

    def _bound(self, run: StochasticRun, extra: float) -> float:
        used, moved = _mean(run, energy(run)[-1]), _mean(run, movement(run)[-1])
        Lambda, sigma = constants.curvature_trace(run), constants.noise_trace(run)
        return float(accelerated_bound(run, run.horizon, _distance(run), used, moved, Lambda, sigma, extra))

    def examples(self) -> Iterable[Example]:
        from convex.theorems.stochastic.accelerated_cases import noisy_examples

        return noisy_examples()

    def controls(self) -> Iterable[Example]:
        from convex.theorems.stochastic.accelerated_cases import noisy_controls

        return noisy_controls()


def _distance(run: StochasticRun) -> float:
    """D over the paths that were run: all of them, or the bound is not judged."""
    return float(np.max(constants.distances(run))) * (1.0 + constants.SLACK)


def _mean(run: StochasticRun, samples: np.ndarray) -> float:  # (B,)
    return run.expectation(samples) if run.enumerated else float(np.mean(samples))
