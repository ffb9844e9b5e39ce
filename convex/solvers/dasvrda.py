r"""DASVRDA: doubly accelerated stochastic variance-reduced dual averaging, with and without restarts.

Stages of `convex.solvers.stage` inside an outer momentum: from :math:`x_{-1} = z_0`, with :math:`\theta_s = c(s+2)/2`,

.. math::
    \tilde y_s &= x_{s-1} + \frac{\theta_{s-1} - 1}{\theta_s}(x_{s-1} - x_{s-2})
                + \frac{\theta_{s-1}}{\theta_s}(z_{s-1} - x_{s-1}), \\
    (x_s, z_s) &= \mathrm{AccSVRDA}(\tilde y_s, x_{s-1}), \qquad s = 1, 2, \dots

``restart=None`` is DASVRDA-ns. ``restart=S`` is DASVRDA-sc: after every S stages s := 0 and :math:`x_{-1} = z = x_s`.
``"function"`` does so when :math:`P(x_s) > P(x_{s-1})`, ``"gradient"`` when
:math:`\langle \tilde y_s - x_s, \tilde y_{s+1} - x_s\rangle > 0`; these two are heuristics that the theorem does not cover.

Source: Murata and Suzuki 2017, of which only the beginning was seen, so that it is re-derived here; O'Donoghue and Candès 2015
(the two adaptive schemes).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from convex.solvers.base import Snapshot, Solver, columns, require_step, resolved_length
from convex.solvers.constants import Constants, published, sharpened
from convex.solvers.sampling import IndexStream, probabilities, variance_constant
from convex.solvers.stage import acc_svrda
from problems.composite import Composite
from structures.arrays import Array, namespace, to_numpy

__all__ = ["DASVRDA"]


@dataclass(frozen=True)
class DASVRDA(Solver):
    """Costs n + 2bm component gradients for a stage. Raises ValueError for constants that the theorem does not allow."""

    minibatch: int = 1  # b, drawn with replacement
    length: int | None = None  # m; None: n/b
    restart: int | str | None = None  # None, a number of stages, "function" or "gradient"
    sampling: str = "importance"  # or "uniform", with max L_i in place of the mean
    sharp: bool = False  # the sharper constants in place of the published ones
    gamma: float | None = None  # None: the minimiser of the bound
    step: float | None = None  # η; None: that of γ. A larger one is outside of the theorem

    def __post_init__(self) -> None:
        require_step(self.step)
        counted = isinstance(self.restart, int) and not isinstance(self.restart, bool) and self.restart >= 1
        if not (counted or self.restart in (None, "function", "gradient")):
            raise ValueError(
                f'restart must be None, a number of stages, "function" or "gradient", got {self.restart!r}.'
            )

    def stage_length(self, problem: Composite) -> int:
        """m."""
        return resolved_length(self.length, problem.samples, self.minibatch)

    def stage_cost(self, problem: Composite) -> int:
        return problem.samples + 2 * self.minibatch * self.stage_length(problem)

    def constants(self, problem: Composite) -> Constants:
        """γ, η, ρ for this problem."""
        m, b = self.stage_length(problem), self.minibatch
        Lbar = variance_constant(problem, probabilities(problem, self.sampling))
        found = (
            sharpened(m, b, Lbar, problem.smoothness, self.gamma) if self.sharp else published(m, b, Lbar, self.gamma)
        )
        return found if self.step is None else Constants(found.gamma, self.step, found.rho)

    def snapshots(self, problem: Composite, x0: Array, stream: IndexStream) -> Iterator[Snapshot]:
        constants, m = self.constants(problem), self.stage_length(problem)
        q = probabilities(problem, self.sampling)
        x = ytil = x0
        stages = np.zeros(x0.shape[0], dtype=np.int64)  # since the last restart, run by run
        value = problem.value(x0) if self.restart == "function" else None
        while True:
            stages = stages + 1
            before = x
            x, z = acc_svrda(problem, ytil, before, step=constants.step, indices=stream.draw(m, self.minibatch), q=q)
            following = outer_point(x, before, z, stages + 1, constants.c)
            last, value = value, problem.value(x) if self.restart == "function" else None
            restarted = self._restarts(stages, ytil, x, following, last, value)
            stages = np.where(restarted, 0, stages)
            ytil = namespace(x).where(columns(restarted, x), x, following)  # x_{-1} = z = x makes ytil = x
            yield Snapshot(x, restarted, value)

    def _restarts(
        self, stages: np.ndarray, ytil: Array, x: Array, following: Array, last: Array | None, value: Array | None
    ) -> np.ndarray:  # (B,) bool
        """Which runs drop their momentum at x_s."""
        if self.restart is None:
            return np.zeros(len(stages), dtype=bool)
        if self.restart == "gradient":
            product = namespace(x).reshape((ytil - x) * (following - x), (len(stages), prod(x.shape[1:])))
            return to_numpy(namespace(x).sum(product, axis=-1) > 0)
        if self.restart == "function":
            return to_numpy(value) > to_numpy(last)
        return stages == self.restart


def outer_point(
    x: Array,  # (B, *shape) x_{s-1}
    before: Array,  # (B, *shape) x_{s-2}
    z: Array,  # (B, *shape) z_{s-1}
    s: np.ndarray | int,  # (B,) the number of the stage that will start here, 1 after a restart
    c: float,
) -> Array:  # (B, *shape)
    """The start ytil_s of stage s."""
    theta = c * (np.asarray(s, dtype=np.float64) + 2.0) / 2.0
    last = theta - c / 2.0
    return x + columns((last - 1.0) / theta, x) * (x - before) + columns(last / theta, x) * (z - x)
