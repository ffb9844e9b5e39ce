r"""What a solver is: a frozen description that walks from a point to the minimiser of a composite, snapshot by snapshot.

.. math:: x^{(0)} \mapsto x^{(1)} \mapsto x^{(2)} \mapsto \dots \to \operatorname*{argmin} F + R .

A new solver writes `stage_cost` and `snapshots`. Every run has a leading batch axis; its elements are independent runs, each
with its own random generator, so that a batch of B equals B runs of one.

Source: derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from math import isfinite
from typing import NamedTuple

import numpy as np

from convex.solvers.path import Path
from convex.solvers.sampling import IndexStream, probabilities
from problems.composite import Composite
from structures.arrays import Array, all_finite, asarray_like, dtype_name, namespace, own, require_finite, require_shape

__all__ = ["Snapshot", "Solver", "columns", "require_step", "resolved_length"]


class Snapshot(NamedTuple):
    """One point of a path."""

    x: Array  # (B, *shape)
    restarted: np.ndarray | None = None  # (B,) bool
    value: Array | None = None  # (B,) P(x), where the solver needed it anyway


class Solver(ABC):
    """A method for finite sums with a simple penalty (subclasses are frozen dataclasses)."""

    sampling: str = "uniform"

    @abstractmethod
    def stage_cost(self, problem: Composite) -> int:
        """Component gradients from one snapshot to the next."""

    def start_cost(self, problem: Composite) -> int:
        """Component gradients before the first stage."""
        return 0

    @abstractmethod
    def snapshots(self, problem: Composite, x0: Array, stream: IndexStream) -> Iterator[Snapshot]:  # x0: (B, *shape)
        """The points after x0, without end."""

    def run(
        self,
        problem: Composite,
        x0: Array,  # (*shape) or (B, *shape)
        *,
        evaluations: int,  # budget of component gradients for each run
        seed: int = 0,
        batch: int | None = None,  # B; None is that of x0, or 1
        first: int = 0,  # the number of the first run: elements first, first + 1, ... of a larger batch
    ) -> Path:
        """As many whole stages as the budget buys, in the namespace, dtype and device of x0; the data go there once.

        Raises ValueError for a start that is not finite or does not fit and for a budget below one stage, TypeError unless the
        start is floating, and FloatingPointError when the iterates stop being finite.
        """
        x0 = _start(problem, x0, batch)
        problem = problem.beside(x0)
        stages = (evaluations - self.start_cost(problem)) // self.stage_cost(problem)
        if stages < 1:
            raise ValueError(
                f"evaluations={evaluations} does not pay for one stage of {self}: that is "
                f"{self.start_cost(problem) + self.stage_cost(problem)} component gradients."
            )
        stream = IndexStream(probabilities(problem, self.sampling), x0.shape[0], seed, first)
        with np.errstate(over="ignore", invalid="ignore"):  # `_record` looks for what they leave
            return self._record(problem, x0, islice(self.snapshots(problem, x0, stream), stages))

    def _record(self, problem: Composite, x0: Array, snapshots: Iterator[Snapshot]) -> Path:
        xp, nowhere = namespace(x0), np.zeros(x0.shape[0], dtype=bool)
        points, values, restarts = [x0], [problem.value(x0)], [nowhere]
        for x, restarted, value in snapshots:
            if not all_finite(x):
                raise FloatingPointError(
                    f"{self} left the finite numbers at snapshot {len(points)}: its step is too large."
                )
            points.append(x)
            values.append(problem.value(x) if value is None else value)
            restarts.append(nowhere if restarted is None else restarted)
        counts = self.start_cost(problem) + self.stage_cost(problem) * np.arange(len(points))
        counts[0] = 0
        return Path(xp.stack(points), xp.stack(values), counts, problem.samples, np.stack(restarts))


def _start(problem: Composite, x0: Array, batch: int | None) -> Array:  # -> (B, *shape)
    """The starting points, one for each run."""
    xp, ndim = namespace(x0), len(problem.shape)
    if not xp.isdtype(x0.dtype, "real floating"):
        raise TypeError(f"x0 has dtype {dtype_name(x0)}; a solver needs real floating numbers, such as float64.")
    require_shape("x0", x0, problem.shape)
    require_finite("x0", x0)
    if x0.ndim == ndim:
        return own(xp.broadcast_to(x0, (1 if batch is None else batch, *problem.shape)))
    if x0.ndim != ndim + 1 or batch not in (None, x0.shape[0]):
        raise ValueError(
            f"x0 has shape {tuple(x0.shape)}; expected {problem.shape}, or ({batch or 'B'}, *{problem.shape})."
        )
    return own(x0)


def resolved_length(length: int | None, samples: int, minibatch: int, passes: float = 1.0) -> int:
    """m: as given, or so many steps that the mini-batches of a stage make `passes` over the data. Raises ValueError below 1."""
    if not (isinstance(minibatch, int | np.integer) and minibatch >= 1):
        raise ValueError(f"minibatch must be an integer >= 1, got {minibatch!r}.")
    if length is None:
        return max(1, int(passes * samples) // int(minibatch))
    if not (isinstance(length, int | np.integer) and length >= 1):
        raise ValueError(f"length must be an integer >= 1 or None, got {length!r}.")
    return int(length)


def require_step(step: float | None) -> None:
    """Raise ValueError unless `step` is None or a positive finite number."""
    if step is not None and not (isfinite(step) and step > 0):
        raise ValueError(f"step must be None or positive and finite, got {step!r}.")


def columns(a: np.ndarray, x: Array) -> Array:  # () or (B,) -> (B or 1, 1, ..., 1) beside x
    """A number, or one for each run, as a factor (or a mask) of parameters like x."""
    xp, shape = namespace(x), (a.size, *[1] * (x.ndim - 1))
    if a.dtype == np.bool_:
        return xp.reshape(xp.asarray(a.tolist(), dtype=xp.bool, device=x.device), shape)
    return xp.reshape(asarray_like(a, x), shape)
