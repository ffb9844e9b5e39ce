r"""Steepest descent in a structure's norm, with momentum and noise: sign descent, Muon, normalised gradient descent.

With :math:`c_t^2 = (1-\alpha)^{2(t-1)} + \alpha^2\sum_{j<t-1}(1-\alpha)^{2j}` and
:math:`r_t = \tfrac{1-\alpha}\alpha\bigl(1 - (1-\alpha)^{t-1}\bigr)`,

.. math::
    \mathbb E\,\frac1T \sum_{t \le T} \|\nabla f(x_t)\|_{\mathcal H,*} \;\le\; \frac{f(x_1) - \inf f}{\eta T}
    + \eta\Lambda\Bigl(\frac12 + \frac2T\sum_t r_t\Bigr) + \frac{2\sigma}T\sum_t c_t
    \;\le\; \frac{\Delta_0}{\eta T} + \frac{2\eta}\alpha\Lambda + \frac{2\sigma}{\alpha T} + 2\sigma\sqrt\alpha .

Λ may be any Lipschitz constant of ∇f from :math:`\|\cdot\|_{\mathcal H}` to its dual; the trace of a majorant is one.
f need not be convex.

Source: derived here (docs/proofs/stochastic.md#steepest-descent); the last form is Xie et al. 2025, arXiv 2511.20584,
Theorem 4.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from convex.adaptive import SteepestDescent
from convex.theorems.stochastic import constants
from convex.theorems.stochastic.budget import relative, value_rounding
from convex.theorems.stochastic.of_noise import NOISE, UNBIASED
from convex.theorems.stochastic.of_problem import BELOW, SMOOTH
from convex.theorems.stochastic.of_run import DRAWN, ONE_RATE, PLAYED, STEEPEST, WELL_STRUCTURED
from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.visited import slopes
from theory.citation import Citation
from theory.theorem import Example, Kind, Theorem

__all__ = ["SteepestDescentRate"]


class SteepestDescentRate(Theorem):
    id = "steepest-descent"
    title = "Steepest descent with momentum in a structure's norm"
    kind = Kind.EXPECTATION
    source = Citation("derived", "docs/proofs/stochastic.md#steepest-descent", "derived")
    statement = (
        r"\mathbb E\,\frac1T \sum_{t \le T} \|\nabla f(x_t)\|_{\mathcal H,*} \le \frac{f(x_1) - \inf f}{\eta T} "
        r"+ \eta\Lambda\Bigl(\frac12 + "
        r"\frac2T\sum_t r_t\Bigr) + \frac{2\sigma}T\sum_t c_t"
    )
    proof = "docs/proofs/stochastic.md"
    subject = (
        "steepest descent with momentum in the norm of a well-structured set, stochastic gradients of a smooth function"
    )
    axes = ("seed",)
    assumptions: ClassVar = (PLAYED, DRAWN, ONE_RATE, STEEPEST, WELL_STRUCTURED, UNBIASED, SMOOTH, NOISE, BELOW)

    def measured(self, run: StochasticRun) -> np.ndarray:  # (B,)
        K = constants.structure_of(run)
        return np.mean(K.dual_norm(slopes(run)), axis=0)

    def bound(self, run: StochasticRun) -> float:
        return _bound(run, 0.0)

    def budget(self, run: StochasticRun) -> float:
        """<m, u> may miss ‖m‖_{H,*} by what the pseudo-inverse does not see, and u may be longer than 1 by rounding."""
        K, T, eta = constants.structure_of(run), run.horizon, float(run.rates[0])
        eps = float(np.finfo(np.float64).eps)
        # An eigenvalue of E(mm^T) below k eps of the largest is cut: √(k eps) of a singular value, in each of d directions.
        cut = K.dim * (2.0 * K.spectrum_size * eps) ** 0.5
        largest = float(np.max(K.dual_norm(run.gradients)))
        steps = 64.0 * eps * K.dim * float(np.max(np.abs(run.iterates))) / eta * largest
        own = self.bound(run)
        return _bound(run, 2.0 * value_rounding(run)) - own + cut * largest + steps + relative(run) * own * T**0.5

    def support(self, run: StochasticRun) -> tuple[float, float]:
        """[0, the trivial bound], widened by rounding."""
        room = self.budget(run)
        return -room, self.trivial(run) + room

    def trivial(self, run: StochasticRun) -> float:
        """‖∇f(x_t)‖_{H,*} ≤ ‖∇f(x_1)‖_{H,*} + Λη(t - 1), since no step is longer than η."""
        K, eta = constants.structure_of(run), float(run.rates[0])
        first = float(np.max(K.dual_norm(run.problem.gradient(run.x0))))
        return first + constants.curvature_trace(run) * eta * (run.horizon - 1) / 2.0

    def exact(self, run: StochasticRun) -> float | None:
        return run.expectation(self.measured(run)) if run.enumerated else None

    def examples(self) -> Iterable[Example]:
        from convex.theorems.stochastic.steepest_cases import steepest_examples

        return steepest_examples()

    def controls(self) -> Iterable[Example]:
        from convex.theorems.stochastic.steepest_cases import steepest_controls

        return steepest_controls()


def _bound(run: StochasticRun, lost: float) -> float:
    method, T, eta = run.method, run.horizon, float(run.rates[0])
    assert isinstance(method, SteepestDescent)  # an assumption
    drift, noise = memory(method.alpha, T)
    start = float(np.max(run.problem.value(run.x0[:1]))) - run.problem.minimum.lower + lost
    Lambda, sigma = constants.curvature_trace(run), constants.noise_trace(run)
    return start / (eta * T) + eta * Lambda * (0.5 + 2.0 * float(np.mean(drift))) + 2.0 * sigma * float(np.mean(noise))


def memory(alpha: float, steps: int) -> tuple[np.ndarray, np.ndarray]:  # each (T,)
    """r_t and c_t."""
    t = np.arange(1, steps + 1)
    kept = (1.0 - alpha) ** (t - 1.0)
    drift = (1.0 - alpha) / alpha * (1.0 - kept)
    squares = kept**2 + alpha**2 * np.concatenate([[0.0], np.cumsum((1.0 - alpha) ** (2.0 * np.arange(steps - 1)))])
    return drift, np.sqrt(squares)
