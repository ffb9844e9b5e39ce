r"""What the theorems on structured AdaGrad for smooth convex functions share: both sides, ranges, rounding.

.. math::
    \mathbb E\,\frac1T\sum_{t \le T} f(x_t) - f_* \;\le\; \frac1T \,\mathrm{total}(\Lambda, \sigma, C, \text{rest})

The left side is at least :math:`\mathbb E f(\bar x_T) - f_*`; every sample of it lies in
:math:`[0, \tfrac12\Lambda D^2]`.

Source: derived here (docs/proofs/stochastic.md#theorem-s).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from convex.theorems.stochastic import constants
from convex.theorems.stochastic.budget import growth_rounding, relative, step_rounding, value_rounding
from convex.theorems.stochastic.of_problem import vanishing
from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.visited import heights
from theory.theorem import Kind, Theorem

__all__ = ["Ingredients", "SmoothTheorem"]


@dataclass(frozen=True)
class Ingredients:
    """The numbers of a bound."""

    Lambda: float  # Tr H*
    sigma: float  # Tr W
    C: float  # D²/(2η) + η
    root_steps: float  # √T
    rest: float  # D²/(2η) d√ε + E Σ δ_t/η


class SmoothTheorem(Theorem):
    """Subclasses write `total`, T times the bound."""

    kind = Kind.EXPECTATION
    axes = ("seed",)
    proof = "docs/proofs/stochastic.md"
    subject: ClassVar[str] = (
        "adaptive regularization with a well-structured set, stochastic gradients of a smooth convex function"
    )

    @abstractmethod
    def total(self, part: Ingredients) -> float:
        """T times the bound; grows with every ingredient."""

    def ingredients(self, run: StochasticRun) -> Ingredients:
        """The constants of this run."""
        eta, D = float(run.rates[0]), constants.almost_sure_distance(run)
        damping = D**2 / (2.0 * eta) * constants.structure_of(run).dim * run.eps**0.5
        Lambda, sigma = constants.curvature_trace(run), constants.noise_trace(run)
        return Ingredients(Lambda, sigma, D**2 / (2.0 * eta) + eta, run.horizon**0.5, damping + _gaps(run))

    def measured(self, run: StochasticRun) -> np.ndarray:  # (B,)
        return np.mean(heights(run), axis=0) - least(run)

    def bound(self, run: StochasticRun) -> float:
        return self.total(self.ingredients(run)) / run.horizon

    def budget(self, run: StochasticRun) -> float:
        """See `convex.theorems.stochastic.budget`; a minimiser that is nearly one costs its gradient times the distances."""
        part = self.ingredients(run)
        missed = np.sum(step_rounding(run) + growth_rounding(run) * part.C, axis=0)
        off = run.horizon * minimiser_error(run)
        rest = part.rest + (run.expectation(missed) if run.enumerated else float(np.max(missed))) + 3.0 * off
        inflated = self.total(replace(part, rest=rest)) / run.horizon
        own = self.bound(run)
        return inflated - own + relative(run) * own + value_rounding(run)

    def support(self, run: StochasticRun) -> tuple[float, float]:
        """[0, ΛD²/2], widened by rounding."""
        room = self.budget(run)
        return -room, self.trivial(run) + room

    def trivial(self, run: StochasticRun) -> float:
        """f(x) - f* ≤ ‖x - x*‖²_{H*}/2 ≤ ΛD²/2."""
        return 0.5 * constants.curvature_trace(run) * constants.almost_sure_distance(run) ** 2

    def exact(self, run: StochasticRun) -> float | None:
        return run.expectation(self.measured(run)) if run.enumerated else None


def least(run: StochasticRun) -> float:
    """f(x*)."""
    return float(run.problem.value(constants.comparator(run)))


def minimiser_error(run: StochasticRun) -> float:
    """‖∇f(x*)‖₂ times the largest distance of the run: by how much f may be below f(x*) there.

    Never more than a point that is accepted as a minimiser may cost.
    """
    solution = constants.comparator(run)
    axes = tuple(range(-len(run.problem.shape), 0))
    far = np.max(np.sqrt(np.sum((run.iterates - solution) ** 2, axis=axes)))
    there = np.sqrt(np.sum(run.problem.gradient(solution) ** 2))
    return float(min(there, vanishing(run) * run.problem.dim**0.5) * far)


def _gaps(run: StochasticRun) -> float:
    """E Σ δ_t/η; the largest of the seeds where the expectation is not known (they are rounding, which is checked)."""
    total = np.sum(run.scalars["gap"], axis=0) / float(run.rates[0])
    return run.expectation(total) if run.enumerated else float(np.max(total))
