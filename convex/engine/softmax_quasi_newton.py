r"""L-BFGS steps for softmax regression without an L1 penalty: from far away, and where Newton steps have to be shortened.

.. math:: U \leftarrow U - t\, B_k \nabla P(U), \qquad B_0 \propto \operatorname{diag}(H)^{-1/2}

B_k has seen the last 10 changes of U and of the gradient; the first metric is half way between those of the data and of the
ridge. Rows of very different lengths make a Hessian that is true nowhere but at its point: differences of gradients see
further. A step costs a pass.

Source: liu1989limited, as `scipy.optimize` has it; the metric is derived here.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from scipy.optimize import minimize

from convex.engine.softmax_descent import smooth_gradient
from convex.engine.softmax_newton import diagonal
from convex.engine.softmax_run import SoftmaxRun
from convex.engine.softmax_task import SoftmaxSnapshot

__all__ = ["quasi_newton"]

NOTED = 5  # evaluations between lines of the history


class Spent(Exception):
    """The passes are spent: L-BFGS looks at its own limit only between steps."""


class Evaluations:
    """P and its gradient as a function of U over its scale; keeps the best snapshot and stops when the run is over."""

    def __init__(self, run: SoftmaxRun, now: SoftmaxSnapshot, passes: int) -> None:
        """From a recorded snapshot."""
        self.run, self.best, self.count, self.passes = run, now, 0, passes
        self.scale = diagonal(run.task, now) ** -0.25

    def __call__(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """One pass."""
        if self.count >= self.passes:
            raise Spent
        snap = self.run.task.snapshot(u.reshape(self.scale.shape) * self.scale)
        self.count += 1
        if snap.objective < self.best.objective:
            self.best = snap
        if self.count % NOTED == 0:
            self.run.note(self.best, float(NOTED), "finish")
        return snap.objective, (smooth_gradient(self.run.task, snap) * self.scale).ravel()

    def stop(self, intermediate_result: object) -> None:
        """After each step."""
        if self.run.over:
            raise StopIteration


def quasi_newton(run: SoftmaxRun, now: SoftmaxSnapshot, passes: int) -> SoftmaxSnapshot:
    """The best point of L-BFGS worth `passes`; recorded when it is new."""
    evaluations = Evaluations(run, now, passes)
    options = {"maxfun": passes, "maxiter": passes, "maxcor": 10, "ftol": 0.0, "gtol": 0.0}
    first = (now.U / evaluations.scale).ravel()
    with suppress(Spent):
        minimize(evaluations, first, jac=True, method="L-BFGS-B", callback=evaluations.stop, options=options)
    rest = evaluations.count % NOTED
    if rest and not run.over:
        run.note(evaluations.best, float(rest), "finish")
    return evaluations.best
