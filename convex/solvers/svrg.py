r"""Proximal SVRG: gradient steps with a control variate, and the mean of a stage as the next snapshot.

From :math:`x_0 = \tilde x_{s-1}`, with g of `convex.solvers.estimator`, for k = 1, ..., m:

.. math::
    x_k = \operatorname{prox}_{\eta R}(x_{k-1} - \eta g_k), \qquad \tilde x_s = \frac1m \sum_{k=1}^m x_k, \qquad
    \eta = \min\Bigl(\frac{b}{10\,\bar L(q)}, \frac{1}{L_F}\Bigr), \\
    \mathbb E[P(\tilde x_s) - P_*] \le \rho\,(P(\tilde x_{s-1}) - P_*), \qquad
    \rho = \frac{1}{\mu\eta(1 - \omega)m} + \frac{\omega (m + 1)}{(1 - \omega) m}, \quad \omega = \frac{4 \eta \bar L(q)}{b} < 1 .

Source: Xiao and Zhang 2014 (b = 1; the step 0.1/L and m = 2n of their experiments), remembered; mini-batches with replacement
are derived here (docs/proofs/finite-sum.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convex.solvers.base import Snapshot, Solver, require_step, resolved_length
from convex.solvers.estimator import as_index, reduced_gradient
from convex.solvers.sampling import IndexStream, curvature, inverse_probabilities, probabilities
from problems.composite import Composite
from structures.arrays import Array, namespace

__all__ = ["SVRG"]


@dataclass(frozen=True)
class SVRG(Solver):
    """Costs n + 2bm component gradients for a stage."""

    minibatch: int = 1  # b, drawn with replacement
    length: int | None = None  # m; None: 2n/b
    sampling: str = "importance"  # or "uniform"
    step: float | None = None  # η; None: that above

    def __post_init__(self) -> None:
        require_step(self.step)

    def stage_length(self, problem: Composite) -> int:
        """m."""
        return resolved_length(self.length, problem.samples, self.minibatch, passes=2.0)

    def stage_cost(self, problem: Composite) -> int:
        return problem.samples + 2 * self.minibatch * self.stage_length(problem)

    def step_for(self, problem: Composite) -> float:
        """η. Raises ValueError when no sample is curved."""
        if self.step is not None:
            return self.step
        return min(0.1 * self.minibatch / curvature(problem, self.sampling), 1.0 / problem.smoothness)

    def snapshots(self, problem: Composite, x0: Array, stream: IndexStream) -> Iterator[Snapshot]:
        m, eta, snapshot = self.stage_length(problem), self.step_for(problem), x0
        scale = inverse_probabilities(probabilities(problem, self.sampling), x0)
        while True:
            indices, full = as_index(stream.draw(m, self.minibatch), x0), problem.gradient(snapshot)
            x, total = snapshot, namespace(x0).zeros_like(x0)
            for k in range(m):
                g = reduced_gradient(problem, indices[k, ...], x, snapshot, full, scale)
                x = problem.penalty.prox(x - eta * g, eta)
                total = total + x
            snapshot = total / m
            yield Snapshot(snapshot)
