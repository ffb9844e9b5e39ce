r"""Katyusha: acceleration with a momentum that pulls back to the snapshot.

With :math:`\tau_2 = \frac12`, :math:`M = L_F + 2 \bar L(q)/b`, :math:`\alpha = 1/(\tau_1 M)` and g of `convex.solvers.estimator`,
for j = 0, ..., m - 1 and k counting over all stages:

.. math::
    x_{k+1} &= \tau_1 z_k + \tau_2 \tilde x + (1 - \tau_1 - \tau_2) y_k, &
    z_{k+1} &= \operatorname{prox}_{\alpha R}(z_k - \alpha g_{k+1}), \\
    y_{k+1} &= \operatorname{prox}_{R/M}(x_{k+1} - g_{k+1}/M), &
    \tilde x &\leftarrow \frac{\sum_j (1 + \alpha\mu)^j y_{j+1}}{\sum_j (1 + \alpha\mu)^j} .

For μ-strongly convex R, :math:`\tau_1 = \min(\sqrt{m\mu/M}, \frac12)`; for μ = 0, :math:`\tau_1 = 2/(s + 4)` in stage s ≥ 0.
With b = 1 and :math:`\bar L` in place of :math:`L_F`, M is the published 3L.

Source: Allen-Zhu 2017 (Algorithms 1 and 2, m = 2n, option I for y), remembered; M for mini-batches is derived here
(docs/proofs/finite-sum.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, sqrt

from convex.solvers.base import Snapshot, Solver, resolved_length
from convex.solvers.estimator import as_index, reduced_gradient
from convex.solvers.sampling import IndexStream, curvature, inverse_probabilities, probabilities
from problems.composite import Composite
from structures.arrays import Array

__all__ = ["Katyusha"]

TAU2 = 0.5


@dataclass(frozen=True)
class Katyusha(Solver):
    """Costs n + 2bm component gradients for a stage."""

    minibatch: int = 1  # b, drawn with replacement
    length: int | None = None  # m; None: 2n/b
    sampling: str = "importance"  # or "uniform"
    smoothness: float | None = None  # M; None: that above. A smaller one is a larger step
    strong_convexity: float | None = None  # μ of R; None: the penalty's own. 0 is the variant for μ = 0

    def __post_init__(self) -> None:
        if self.smoothness is not None and not (isfinite(self.smoothness) and self.smoothness > 0):
            raise ValueError(f"smoothness must be None or positive and finite, got {self.smoothness!r}.")
        if self.strong_convexity is not None and not (isfinite(self.strong_convexity) and self.strong_convexity >= 0):
            raise ValueError(f"strong_convexity must be None or finite and >= 0, got {self.strong_convexity!r}.")

    def stage_length(self, problem: Composite) -> int:
        """m."""
        return resolved_length(self.length, problem.samples, self.minibatch, passes=2.0)

    def stage_cost(self, problem: Composite) -> int:
        return problem.samples + 2 * self.minibatch * self.stage_length(problem)

    def smoothness_for(self, problem: Composite) -> float:
        """M. Raises ValueError when no sample is curved."""
        if self.smoothness is not None:
            return self.smoothness
        return problem.smoothness + curvature(problem, self.sampling) / (self.minibatch * TAU2)

    def snapshots(self, problem: Composite, x0: Array, stream: IndexStream) -> Iterator[Snapshot]:
        m, M = self.stage_length(problem), self.smoothness_for(problem)
        mu = problem.strong_convexity if self.strong_convexity is None else self.strong_convexity
        scale = inverse_probabilities(probabilities(problem, self.sampling), x0)
        snapshot = y = z = x0
        s = 0
        while True:
            tau1 = min(sqrt(m * mu / M), 0.5) if mu > 0 else 2.0 / (s + 4.0)
            alpha = 1.0 / (tau1 * M)
            full, mean, total = problem.gradient(snapshot), snapshot, 0.0
            indices = as_index(stream.draw(m, self.minibatch), x0)
            for j in range(m):
                x = tau1 * z + TAU2 * snapshot + (1.0 - tau1 - TAU2) * y
                g = reduced_gradient(problem, indices[j, ...], x, snapshot, full, scale)
                z = problem.penalty.prox(z - alpha * g, alpha)
                y = problem.penalty.prox(x - g / M, 1.0 / M)
                total = 1.0 + total / (1.0 + alpha * mu)  # Σ_{i ≤ j} (1 + αμ)^{i - j}, which cannot overflow
                mean = mean + (y - mean) / total
            snapshot, s = mean, s + 1
            yield Snapshot(snapshot)
