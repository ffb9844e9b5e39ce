r"""Accelerated adaptive regularization with exact gradients: 1/T² in the structure's own smoothness, at every horizon.

.. math::
    f(\bar x_T) - f_* \;\le\; \frac4{(T+1)^2}\Bigl[ \frac{D_T^2}{2\eta} d\sqrt\varepsilon
    + \Bigl(\frac{D_T^2}{2\eta} - \frac\eta2\Bigr)\sum_{t<T} q_t + \frac{\eta^2}2 \Lambda \|S_T\|_{\rm op} \Bigr]

At :math:`\eta = D` it is :math:`(2 D d\sqrt\varepsilon + 2\Lambda D^2\|S_T\|_{\rm op})/(T+1)^2`. It is false with
projections.

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
from convex.theorems.stochastic.of_problem import CONVEX, MINIMISER, SMOOTH
from convex.theorems.stochastic.of_run import (
    ACCELERATED,
    CUMULATIVE,
    DRAWN,
    EXACT,
    PLAYED,
    UNCONSTRAINED,
    WELL_STRUCTURED,
)  # fmt: skip
from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.smooth_theorem import least, minimiser_error
from theory.citation import Citation
from theory.theorem import Example, Kind, Theorem

__all__ = ["AcceleratedRate"]


class AcceleratedRate(Theorem):
    id = "accelerated"
    title = "Accelerated structured AdaGrad with exact gradients"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/stochastic.md#accelerated", "derived")
    statement = (
        r"f(\bar x_T) - f_* \le \frac4{(T+1)^2}\Bigl[ \frac{D_T^2}{2\eta} d\sqrt\varepsilon + "
        r"\Bigl(\frac{D_T^2}{2\eta} - \frac\eta2\Bigr)\sum_{t<T} q_t + \frac{\eta^2}2 \Lambda \|S_T\|_{\rm op} \Bigr]"
    )
    proof = "docs/proofs/stochastic.md"
    subject = "accelerated adaptive regularization of a smooth convex function, unconstrained, every horizon"
    assumptions: ClassVar = (
        PLAYED, DRAWN, EXACT, ACCELERATED, CUMULATIVE, WELL_STRUCTURED, UNCONSTRAINED, CONVEX, SMOOTH, MINIMISER,
    )  # fmt: skip

    def measured(self, run: StochasticRun) -> np.ndarray:  # (T, B)
        return run.problem.value(run.answers) - least(run)

    def bound(self, run: StochasticRun) -> np.ndarray:  # (T, B)
        return self._bound(run, 0.0)

    def budget(self, run: StochasticRun) -> np.ndarray:  # (T, B)
        D, own = constants.distances(run), self.bound(run)
        off = 3.0 * (1.0 + np.arange(run.horizon)[:, None]) ** 2 * minimiser_error(run)
        inflated = self._bound(run, missed(run, D) + off)
        return inflated - own + relative(run) * self._size(run) + value_rounding(run)

    def trivial(self, run: StochasticRun) -> np.ndarray:  # (T, B)
        """f(x̄) - f* ≤ ΛD²/2 at a mean of points that are no farther than D."""
        K = constants.structure_of(run)
        far = np.maximum(constants.distances(run), K.norm(run.iterates[1:] - constants.comparator(run)))
        return 0.5 * constants.curvature_trace(run) * np.maximum.accumulate(far, axis=0) ** 2

    def _bound(self, run: StochasticRun, extra: np.ndarray | float) -> np.ndarray:
        steps = np.arange(1, run.horizon + 1)[:, None]
        D, Lambda = constants.distances(run), constants.curvature_trace(run)
        return accelerated_bound(run, steps, D, energy(run), movement(run), Lambda, 0.0, extra)

    def _size(self, run: StochasticRun) -> np.ndarray:
        """The sum of the bound's terms without their signs, which cancel when η > D."""
        steps = np.arange(1, run.horizon + 1)[:, None]
        return self.bound(run) + 4.0 / (steps + 1.0) ** 2 * run.rates * energy(run)

    def examples(self) -> Iterable[Example]:
        from convex.theorems.stochastic.accelerated_cases import accelerated_examples

        return accelerated_examples()

    def controls(self) -> Iterable[Example]:
        from convex.theorems.stochastic.accelerated_cases import accelerated_controls

        return accelerated_controls()
