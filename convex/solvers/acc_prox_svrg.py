r"""Accelerated proximal SVRG: Nesterov's constant momentum inside a stage, for strongly convex objectives and large mini-batches.

From :math:`x_1 = y_1 = \tilde x`, with a mini-batch of b different samples, for k = 1, ..., m:

.. math::
    g_k &= \frac1b \sum_{i \in I_k} (\nabla F_i(y_k) - \nabla F_i(\tilde x)) + \nabla F(\tilde x), \qquad
    x_{k+1} = \operatorname{prox}_{\eta R}(y_k - \eta g_k), \\
    y_{k+1} &= x_{k+1} + \frac{1 - \sqrt{\mu\eta}}{1 + \sqrt{\mu\eta}} (x_{k+1} - x_k), \qquad \tilde x \leftarrow x_{m+1}, \\
    \eta &= \min\Bigl(\frac{(pb)^2}{64} \Bigl(\frac{n-1}{n-b}\Bigr)^2 \frac{\mu}{L^2},\; \frac{1}{2L}\Bigr), \qquad
    p = \tfrac14, \; L = \max_i L_i .

Below :math:`b \sim \sqrt{L/\mu}` the first term rules and the step is small. The theorem also asks for m of order
:math:`\log(1/p) / \sqrt{\mu\eta}`; m = n/b is what experiments use.

Source: Nitanda 2014, remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from convex.solvers.base import Snapshot, Solver, require_step, resolved_length
from convex.solvers.estimator import as_index, reduced_gradient
from convex.solvers.sampling import IndexStream, curvature, inverse_probabilities
from problems.composite import Composite
from structures.arrays import Array

__all__ = ["AccProxSVRG"]

P = 0.25  # of the theorem; its contraction needs p < 0.29


@dataclass(frozen=True)
class AccProxSVRG(Solver):
    """Costs n + 2bm component gradients for a stage. A run raises ValueError when μ = 0: the momentum is made of μ."""

    minibatch: int = 1  # b <= n, without replacement
    length: int | None = None  # m; None: n/b
    step: float | None = None  # η; None: that above
    strong_convexity: float | None = None  # μ of P; None: the penalty's

    def __post_init__(self) -> None:
        require_step(self.step)
        if self.strong_convexity is not None and not (isfinite(self.strong_convexity) and self.strong_convexity > 0):
            raise ValueError(f"strong_convexity must be None or positive and finite, got {self.strong_convexity!r}.")

    def stage_length(self, problem: Composite) -> int:
        """m. Raises ValueError for a mini-batch above n."""
        if self.minibatch > problem.samples:
            raise ValueError(f"minibatch={self.minibatch} different samples, but there are only {problem.samples}.")
        return resolved_length(self.length, problem.samples, self.minibatch)

    def stage_cost(self, problem: Composite) -> int:
        return problem.samples + 2 * self.minibatch * self.stage_length(problem)

    def modulus(self, problem: Composite) -> float:
        """μ."""
        mu = problem.strong_convexity if self.strong_convexity is None else self.strong_convexity
        if not mu > 0:
            raise ValueError(
                "AccProxSVRG needs a strongly convex objective: add a square to the penalty or give strong_convexity=."
            )
        return mu

    def step_for(self, problem: Composite) -> float:
        """η."""
        if self.step is not None:
            return self.step
        n, b = problem.samples, self.minibatch
        L = curvature(problem, self.sampling)
        whole = 1.0 / (2.0 * L)
        if b == n:
            return whole
        return min((P * b * (n - 1) / (n - b)) ** 2 / 64.0 * self.modulus(problem) / L**2, whole)

    def snapshots(self, problem: Composite, x0: Array, stream: IndexStream) -> Iterator[Snapshot]:
        m, eta, snapshot = self.stage_length(problem), self.step_for(problem), x0
        root = sqrt(min(1.0, self.modulus(problem) * eta))
        beta = (1.0 - root) / (1.0 + root)
        scale = inverse_probabilities(np.full(problem.samples, 1.0 / problem.samples), x0)
        while True:
            full, x, y = problem.gradient(snapshot), snapshot, snapshot
            indices = as_index(stream.draw_distinct(m, self.minibatch), x0)
            for k in range(m):
                g = reduced_gradient(problem, indices[k, ...], y, snapshot, full, scale)
                last, x = x, problem.penalty.prox(y - eta * g, eta)
                y = x + beta * (x - last)
            snapshot = x
            yield Snapshot(snapshot)
