r"""Accelerated proximal gradient (FISTA), without randomness, with optional adaptive restarts.

.. math::
    x_k = \operatorname{prox}_{R/L}(y_k - \tfrac1L \nabla F(y_k)), \qquad
    t_{k+1} = \tfrac12\bigl(1 + \sqrt{1 + 4 t_k^2}\bigr), \qquad
    y_{k+1} = x_k + \tfrac{t_k - 1}{t_{k+1}} (x_k - x_{k-1}) .

A restart sets t := 1 and y := x: ``"function"`` when :math:`P(x_k) > P(x_{k-1})`, ``"gradient"`` when
:math:`\langle y_k - x_k, x_k - x_{k-1}\rangle > 0`.

Source: Beck and Teboulle 2009; O'Donoghue and Candès 2015 (restarts); remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from convex.solvers.base import Snapshot, Solver, columns, require_step
from convex.solvers.sampling import IndexStream
from problems.composite import Composite
from structures.arrays import Array, namespace, to_numpy

__all__ = ["AcceleratedGradient"]


@dataclass(frozen=True)
class AcceleratedGradient(Solver):
    """Costs n component gradients for an iteration, which is one snapshot of the path."""

    restart: str | None = None  # None, "function" or "gradient"
    step: float | None = None  # 1/L; None: 1/L_F

    def __post_init__(self) -> None:
        require_step(self.step)
        if self.restart not in (None, "function", "gradient"):
            raise ValueError(f'restart must be None, "function" or "gradient", got {self.restart!r}.')

    def stage_cost(self, problem: Composite) -> int:
        return problem.samples

    def step_for(self, problem: Composite) -> float:
        """1/L. Raises ValueError when no sample is curved."""
        if self.step is None and not problem.smoothness > 0:
            raise ValueError("the smoothness of F is 0: a step size needs a curved, smooth loss, or give step=.")
        return 1.0 / problem.smoothness if self.step is None else self.step

    def snapshots(self, problem: Composite, x0: Array, stream: IndexStream) -> Iterator[Snapshot]:
        xp, step, x, y = namespace(x0), self.step_for(problem), x0, x0
        t = np.ones(x0.shape[0])
        value = problem.value(x0) if self.restart == "function" else None
        while True:
            last, x = x, problem.penalty.prox(y - step * problem.gradient(y), step)
            before, value = value, problem.value(x) if self.restart == "function" else None
            restarted = self._restarts(y, x, last, before, value)
            following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
            y = x + columns(np.where(restarted, 0.0, (t - 1.0) / following), x) * (x - last)
            t = np.where(restarted, 1.0, following)
            yield Snapshot(xp.asarray(x, copy=True), restarted, value)

    def _restarts(
        self, y: Array, x: Array, last: Array, before: Array | None, value: Array | None
    ) -> np.ndarray:  # (B,)
        """Which runs drop their momentum at x."""
        if self.restart == "gradient":
            product = namespace(x).reshape((y - x) * (x - last), (x.shape[0], prod(x.shape[1:])))
            return to_numpy(namespace(x).sum(product, axis=-1) > 0)
        if self.restart == "function":
            return to_numpy(value) > to_numpy(before)
        return np.zeros(x.shape[0], dtype=bool)
