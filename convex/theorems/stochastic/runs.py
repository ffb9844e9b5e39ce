r"""What the theorems on adaptive methods speak about: a method on a smooth problem, with everything that it saw and did.

.. math::
    (y_t, g_t, x_{t+1})_{t \le T} \text{ for every path of the noise with its probability, for seeds, or for exact
    gradients.}

Where one step's noise takes N values, all :math:`N^T` paths are run, and an expectation is a finite sum. Exact
gradients are one path of probability 1 (or several starts and step sizes, each on its own, for theorems about one
path).

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product, repeat
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np

from convex.adaptive import Accelerated, Direct, Method, SteepestDescent
from convex.adaptive.walk import starts, walk
from problems.domains import Domain
from problems.smooth.base import Outcomes, SmoothProblem
from regret.learners import AdaptiveRegularization, Learner
from structures.base import Structure

if TYPE_CHECKING:
    from theory.theorem import Theorem
    from theory.verdict import Verdict

__all__ = ["StochasticRun", "every_path", "exactly", "seeded"]

MOST_PATHS = 20_000  # beyond it an enumeration is a mistake
SCALARS = ("q", "trace_root", "gap", "dropped")


@dataclass(frozen=True, eq=False)
class StochasticRun:
    """One method, one problem, T steps, B paths or seeds. Constants are left None to be computed from the problem."""

    problem: SmoothProblem
    method: Method
    x0: np.ndarray  # (B, *shape)
    draws: np.ndarray | None = field(repr=False)  # (T, B, ...); None for exact gradients
    probabilities: np.ndarray | None = field(repr=False)  # (B,) when the elements are all paths
    seed: int | None
    points: np.ndarray = field(repr=False)  # (T, B, *shape) y_t, where gradients were taken
    gradients: np.ndarray = field(repr=False)  # (T, B, *shape) g_t as they came
    iterates: np.ndarray = field(repr=False)  # (T+1, B, *shape) x_t
    answers: np.ndarray = field(repr=False)  # (T, B, *shape) what the method would return after each step
    scalars: dict[str, np.ndarray] = field(repr=False)  # each (T, B), of the core's state; 0 where it has none
    curvature: Any = None  # coordinates of H* in place of those computed from the problem's declaration
    noise: Any = None  # coordinates of W likewise

    @property
    def horizon(self) -> int:
        """T."""
        return len(self.points)

    @property
    def core(self) -> Learner | SteepestDescent:
        """What takes the steps."""
        method = self.method
        return method if isinstance(method, SteepestDescent) else method.core  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def structure(self) -> Structure | None:
        """Of the preconditioner; None for a method without one."""
        return getattr(self.core, "structure", None)

    @property
    def domain(self) -> Domain | None:
        """Where the iterates are projected to."""
        return getattr(self.core, "domain", None)

    @property
    def eps(self) -> float:
        """ε."""
        return getattr(self.core, "eps", 0.0)

    @property
    def rates(self) -> np.ndarray:  # (1,) or (B,)
        """η."""
        return np.atleast_1d(np.asarray(self.core.lr, dtype=np.float64))

    @property
    def exact(self) -> bool:
        """Whether gradients are those of f."""
        return self.draws is None

    @property
    def enumerated(self) -> bool:
        """Whether the elements are all paths, each with its probability."""
        return self.probabilities is not None

    def expectation(self, samples: np.ndarray) -> float:  # (B,)
        """The mean over all paths. Raises ValueError for a run of seeds."""
        if self.probabilities is None:
            raise ValueError("a run of seeds has no exact expectation.")
        return fsum(self.probabilities * samples)

    def verify(self, theorem: Theorem | str) -> Verdict:
        """The verdict on this run; `theorem` is an object or its id. Raises KeyError naming the ids that exist."""
        from theory.registry import get
        from theory.verdict import verify

        return verify(get(theorem) if isinstance(theorem, str) else theorem, self)

    def replayed(self) -> StochasticRun:
        """The same run, computed once more from its start and its draws."""
        draws = repeat(None, self.horizon) if self.draws is None else self.draws
        return _run(self.problem, self.method, self.x0, draws, self.draws, self.probabilities, self.seed)


def every_path(method: Method, problem: SmoothProblem, x0: np.ndarray, steps: int) -> StochasticRun:  # x0: (*shape)
    """All N^T paths of the noise. Raises ValueError when the outcomes of a step cannot be listed, or paths are too many."""
    outcomes = problem.outcomes()
    if outcomes is None:
        raise ValueError(f"{problem!r} cannot list the outcomes of one step: run seeds.")
    draws, probabilities = paths(outcomes, steps)
    return _run(problem, method, starts(x0, problem.shape, len(probabilities)), draws, draws, probabilities, None)


def seeded(
    method: Method, problem: SmoothProblem, x0: np.ndarray, steps: int, *, seeds: int, seed: int = 0
) -> StochasticRun:
    """What the problem's own noise stream does to `seeds` runs."""
    draws = problem.noise(batch=seeds, seed=seed).draw(steps)
    return _run(problem, method, starts(x0, problem.shape, seeds), draws, draws, None, seed)


def exactly(method: Method, problem: SmoothProblem, x0: np.ndarray, steps: int) -> StochasticRun:
    """Exact gradients from one start, an expectation over one path, or from a batch of starts (B, *shape)."""
    x = starts(x0, problem.shape, None)
    rates = np.size(getattr(method, "lr", getattr(getattr(method, "core", None), "lr", 1.0)))
    if rates > 1 and len(x) == 1:
        x = starts(x[0], problem.shape, rates)
    return _run(problem, method, x, repeat(None, steps), None, np.ones(1) if len(x) == 1 else None, None)


def paths(outcomes: Outcomes, steps: int) -> tuple[np.ndarray, np.ndarray]:  # -> (T, N^T, ...), (N^T,)
    """All sequences of outcomes with their probabilities. Raises ValueError when they are too many."""
    n = len(outcomes.probabilities)
    if n**steps > MOST_PATHS:
        raise ValueError(f"{n}^{steps} paths are too many to enumerate; the limit is {MOST_PATHS}.")
    index = np.array(list(product(range(n), repeat=steps)), dtype=np.int64).reshape(-1, steps)
    return np.moveaxis(outcomes.draws[index], 0, 1), np.prod(outcomes.probabilities[index], axis=1)


def _run(
    problem: SmoothProblem,
    method: Method,
    x0: np.ndarray,
    steps: Iterable[np.ndarray | None],
    draws: np.ndarray | None,
    probabilities: np.ndarray | None,
    seed: int | None,
) -> StochasticRun:
    if not isinstance(x0, np.ndarray) or x0.dtype != np.float64:
        raise ValueError(
            f"a run that is to be judged is one of NumPy arrays in double precision, got x0 of {x0.dtype}."
        )
    taken = list(walk(method, problem, x0, steps))
    if not taken:
        raise ValueError("a run needs at least one step, got none.")
    zero = np.zeros(len(x0))
    scalars = {name: np.stack([np.asarray(step.after.get(name, zero)) for step in taken]) for name in SCALARS}
    iterates = [taken[0].before["x"], *(step.after["x"] for step in taken)]
    return StochasticRun(
        problem, method, x0, draws, probabilities, seed,
        points=np.stack([step.point for step in taken]),
        gradients=np.stack([step.gradient for step in taken]),
        iterates=np.stack(iterates),
        answers=np.stack([method.answer(step.after) for step in taken]),
        scalars=scalars,
    )  # fmt: skip


def is_adaptive(run: StochasticRun) -> bool:
    """Whether steps are those of adaptive regularization itself: a subclass may step in any way it likes."""
    return type(run.core) is AdaptiveRegularization


def asks_where_it_stands(run: StochasticRun) -> bool:
    """Whether the method is its core, without momentum or acceleration."""
    return type(run.method) is Direct


def is_accelerated(run: StochasticRun) -> bool:
    """Whether the method is the accelerated form of its core."""
    return type(run.method) is Accelerated
