r"""SAGA: a table of the last gradient of every sample, and steps that use its mean.

With a table :math:`T_i = \nabla F_i(\phi_i)`, :math:`\phi_i = x_0` at first, and a mini-batch I drawn uniformly with replacement,

.. math::
    g &= \frac1b \sum_{i \in I} (\nabla F_i(x) - T_i) + \frac1n \sum_{i=1}^n T_i, \qquad
    x^+ = \operatorname{prox}_{\eta R}(x - \eta g), \qquad T_i^+ = \nabla F_i(x) \text{ for } i \in I, \\
    \eta &= \frac{1}{3\,\bigl(L_{\max}/b + (1 - 3/b)_+ L_F\bigr)} .

A sample that comes twice in a mini-batch counts twice in g, once in the mean of the table.

Source: Defazio, Bach, Lacoste-Julien 2014 (b = 1, step 1/(3L)), remembered; mini-batches are derived here
(docs/proofs/finite-sum.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convex.solvers.base import Snapshot, Solver, require_step, resolved_length
from convex.solvers.estimator import as_index
from convex.solvers.sampling import IndexStream, curvature
from problems.composite import Composite
from problems.losses.data import rows
from structures.arrays import Array, asarray_like, namespace

__all__ = ["SAGA"]


@dataclass(frozen=True)
class SAGA(Solver):
    """Costs n component gradients at the start, b for each step; its table holds n parameters for each run."""

    minibatch: int = 1  # b, drawn with replacement
    length: int | None = None  # steps between two snapshots of the path; None: n/b
    step: float | None = None  # η; None: that above

    def __post_init__(self) -> None:
        require_step(self.step)

    def stage_length(self, problem: Composite) -> int:
        """Steps between two snapshots."""
        return resolved_length(self.length, problem.samples, self.minibatch)

    def stage_cost(self, problem: Composite) -> int:
        return self.minibatch * self.stage_length(problem)

    def start_cost(self, problem: Composite) -> int:
        return problem.samples

    def step_for(self, problem: Composite) -> float:
        """η. Raises ValueError when no sample is curved."""
        if self.step is not None:
            return self.step
        b, largest = self.minibatch, curvature(problem, self.sampling)
        return 1.0 / (3.0 * (largest / b + max(0.0, 1.0 - 3.0 / b) * problem.smoothness))

    def snapshots(self, problem: Composite, x0: Array, stream: IndexStream) -> Iterator[Snapshot]:
        eta, x, table = self.step_for(problem), x0, _Table(problem, x0)
        while True:
            for indices in stream.draw(self.stage_length(problem), self.minibatch):
                x = problem.penalty.prox(x - eta * table.estimate(indices, x), eta)
            yield Snapshot(x)


class _Table:
    """The last gradient of every sample, for every run: the one array of these solvers that is written in place."""

    def __init__(self, problem: Composite, x0: Array) -> None:
        xp, self._problem = namespace(x0), problem
        every = as_index(np.broadcast_to(np.arange(problem.samples), (x0.shape[0], problem.samples)), x0)
        first = problem.sample_gradient(every, x0)  # (B, n, *shape)
        self._mean = xp.mean(first, axis=1)
        self._rows = xp.asarray(xp.reshape(first, (-1, *problem.shape)), copy=True)  # (B n, *shape)

    def estimate(self, indices: np.ndarray, x: Array) -> Array:  # (B, b), (B, *shape) -> (B, *shape)
        """g at x; the table then holds the gradients at x."""
        xp, n, ndim = namespace(x), self._problem.samples, len(self._problem.shape)
        places = indices + n * np.arange(indices.shape[0])[:, None]
        new = self._problem.sample_gradient(as_index(indices, x), x)
        difference = new - rows(self._rows, as_index(places, x))
        g = xp.mean(difference, axis=1) + self._mean
        once = xp.reshape(asarray_like(first_occurrences(indices), x), (*indices.shape, *[1] * ndim))
        self._mean = self._mean + xp.sum(once * difference, axis=1) / n
        for element, j in np.ndindex(*indices.shape):
            self._rows[int(places[element, j]), ...] = new[element, j, ...]
        return g


def first_occurrences(indices: np.ndarray) -> np.ndarray:  # (..., b) int -> (..., b) of 0.0 and 1.0
    """1 where an index comes for the first time in its row."""
    order = np.argsort(indices, axis=-1, kind="stable")
    ordered = np.take_along_axis(indices, order, axis=-1)
    new = np.ones(indices.shape)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    result = np.empty_like(new)
    np.put_along_axis(result, order, new, axis=-1)
    return result
