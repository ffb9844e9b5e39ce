r"""What the theorems on DASVRDA speak about: one stage, or the outer loop, with everything that was drawn and taken.

.. math::
    (x_m, z_m) = \mathrm{AccSVRDA}(\tilde y, \tilde x; I_1, \dots, I_m), \qquad
    x_0, z_0 \mapsto x_1 \mapsto \dots \mapsto x_S \quad (\text{and again from } x_S \text{ after a restart})

A run holds its step and constants as they were used, right or wrong: to judge them is the theorem's work.

Source: derived here; the algorithms are those of `convex.solvers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from convex.solvers.dasvrda import DASVRDA, outer_point
from convex.solvers.sampling import probabilities
from convex.solvers.stage import acc_svrda
from convex.theorems.draws import Draws, every_path, seeded
from problems.composite import Composite

__all__ = ["OuterRun", "StageRun", "of_solver", "outer_loop", "outer_run", "stage_run"]


@dataclass(frozen=True, eq=False)
class StageRun:
    """One stage from a given start, for every path or seed."""

    problem: Composite
    ytil: np.ndarray  # (*shape) where it starts
    xtil: np.ndarray  # (*shape) the snapshot
    comparator: np.ndarray  # (*shape) chosen before the stage
    step: float  # η
    gamma: float  # what the step was computed from; nan when it was not
    q: np.ndarray  # (n,) the probabilities that gradients are weighted with
    draws: Draws = field(repr=False)  # m mini-batches
    x: np.ndarray = field(repr=False)  # (B, *shape) x_m
    z: np.ndarray = field(repr=False)  # (B, *shape) z_m

    @property
    def length(self) -> int:
        """m."""
        return self.draws.indices.shape[0]

    @property
    def minibatch(self) -> int:
        """b."""
        return self.draws.indices.shape[2]

    @property
    def visited(self) -> np.ndarray:  # (k, *shape)
        """Points around which constants are audited: the given ones, and where some of the paths ended."""
        return np.concatenate([np.stack([self.xtil, self.ytil, self.comparator]), self.x[:2], self.z[:2]])

    @property
    def misfit(self) -> str:
        """What of its record does not belong to one stage; "" when all does."""
        wanted = (self.draws.indices.shape[1], *self.problem.shape)
        return "" if self.x.shape == self.z.shape == wanted else f"x {self.x.shape}, z {self.z.shape}, not {wanted}"

    def replayed(self) -> np.ndarray:  # (2, B, *shape)
        """x_m and z_m, computed once more."""
        return np.stack(_stage(self.problem, self.ytil, self.xtil, self.step, self.q, self.draws.indices))

    def recorded(self) -> np.ndarray:  # (2, B, *shape)
        """x_m and z_m."""
        return np.stack([self.x, self.z])


@dataclass(frozen=True, eq=False)
class OuterRun:
    """T times S stages with momentum in between, for every path or seed; T = 1 is DASVRDA-ns."""

    problem: Composite
    x0: np.ndarray  # (*shape)
    z0: np.ndarray  # (*shape); x_{-1} = z_0
    comparator: np.ndarray  # (*shape) a minimiser
    step: float  # η
    gamma: float  # what step and c were computed from; nan when they were not
    c: float  # slope of the outer weights θ_s = c (s + 2)/2
    q: np.ndarray  # (n,)
    length: int  # m
    stages: int  # S
    restarts: int  # T
    mu: float  # what is claimed for P(x) - P* ≥ (μ/2)|x - x*|²
    draws: Draws = field(repr=False)  # T S m mini-batches
    snapshots: np.ndarray = field(repr=False)  # (T S + 1, B, *shape), x_0 first

    @property
    def minibatch(self) -> int:
        """b."""
        return self.draws.indices.shape[2]

    @property
    def visited(self) -> np.ndarray:  # (k, *shape)
        """Points around which constants are audited: the given ones, and where some of the paths came by."""
        given = np.stack([self.x0, self.z0, self.comparator])
        passed = [points[:2] for points in (*self.snapshots[1:2], *self.snapshots[-1:])]
        return np.concatenate([given, *passed])

    @property
    def misfit(self) -> str:
        """What of its record does not belong to T loops of S stages of m steps; "" when all does."""
        stages, steps = self.restarts * self.stages, self.restarts * self.stages * self.length
        wanted = (stages + 1, self.draws.indices.shape[1], *self.problem.shape)
        if min(self.restarts, self.stages, self.length) < 1 or self.draws.indices.shape[0] != steps:
            return f"{self.restarts} x {self.stages} x {self.length} steps claimed, {self.draws.indices.shape[0]} drawn"
        return "" if self.snapshots.shape == wanted else f"snapshots {self.snapshots.shape}, not {wanted}"

    def replayed(self) -> np.ndarray:  # (T S + 1, B, *shape)
        """The snapshots, computed once more."""
        return outer_loop(
            self.problem, self.x0, self.z0, self.draws.indices, step=self.step, c=self.c, q=self.q,
            length=self.length, stages=self.stages,
        )  # fmt: skip

    def recorded(self) -> np.ndarray:  # (T S + 1, B, *shape)
        """The snapshots."""
        return self.snapshots


def stage_run(
    problem: Composite,
    ytil: np.ndarray,
    xtil: np.ndarray,
    comparator: np.ndarray,
    *,
    step: float,
    length: int,
    minibatch: int = 1,
    gamma: float = float("nan"),
    sampling: str | np.ndarray = "importance",  # or "uniform", or probabilities (n,)
    seeds: int | None = None,  # how many; None runs every path
    draws: Draws | None = None,  # in place of those that `sampling` implies
) -> StageRun:
    """One stage, for every path or for some seeds."""
    q = _probabilities(problem, sampling)
    draws = draws or _draws(q, length, minibatch, seeds)
    x, z = _stage(problem, ytil, xtil, step, q, draws.indices)
    return StageRun(problem, ytil, xtil, comparator, step, gamma, q, draws, x, z)


def outer_run(
    problem: Composite,
    x0: np.ndarray,
    comparator: np.ndarray,
    *,
    step: float,
    c: float,
    length: int,
    stages: int,
    restarts: int = 1,
    z0: np.ndarray | None = None,  # None is x0
    minibatch: int = 1,
    gamma: float = float("nan"),
    mu: float | None = None,  # None is what the penalty declares
    sampling: str | np.ndarray = "importance",
    seeds: int | None = None,
) -> OuterRun:
    """T times S stages, for every path or for some seeds."""
    q, z0 = _probabilities(problem, sampling), x0 if z0 is None else z0
    draws = _draws(q, restarts * stages * length, minibatch, seeds)
    snapshots = outer_loop(problem, x0, z0, draws.indices, step=step, c=c, q=q, length=length, stages=stages)
    mu = problem.strong_convexity if mu is None else mu
    return OuterRun(
        problem, x0, z0, comparator, step, gamma, c, q, length, stages, restarts, mu, draws, snapshots
    )  # fmt: skip


def of_solver(
    solver: DASVRDA,
    problem: Composite,
    x0: np.ndarray,  # (*shape)
    comparator: np.ndarray,
    *,
    stages: int,  # S; it must be the solver's own when that restarts
    restarts: int = 1,
    seeds: int = 32,
    seed: int = 0,
) -> OuterRun:
    """The record of a run of the solver itself."""
    constants, m = solver.constants(problem), solver.stage_length(problem)
    budget = restarts * stages * solver.stage_cost(problem)
    path = solver.run(problem, x0, evaluations=budget, seed=seed, batch=seeds)
    q = probabilities(problem, solver.sampling)
    draws = seeded(q, restarts * stages * m, solver.minibatch, seeds, seed)
    return OuterRun(
        problem, x0, x0, comparator, constants.step, constants.gamma, constants.c, q, m, stages, restarts,
        problem.strong_convexity, draws, path.points,
    )  # fmt: skip


def outer_loop(
    problem: Composite,
    x0: np.ndarray,  # (*shape)
    z0: np.ndarray,  # (*shape)
    indices: np.ndarray,  # (T S m, B, b)
    *,
    step: float,
    c: float,
    q: np.ndarray,
    length: int,
    stages: int,
) -> np.ndarray:  # (T S + 1, B, *shape)
    """The snapshots of DASVRDA on given index paths; after every `stages` stages x_{-1} = z = x."""
    shape = (indices.shape[1], *problem.shape)
    x, before, z = (np.broadcast_to(point, shape) for point in (x0, z0, z0))
    points = [x]
    for number, batches in enumerate(indices.reshape(-1, length, *indices.shape[1:])):
        s = number % stages + 1
        if s == 1 and number > 0:
            before = z = x
        ytil = outer_point(x, before, z, s, c)
        before, (x, z) = x, _stage(problem, ytil, x, step, q, batches)
        points.append(x)
    return np.stack(points)


def _stage(problem: Composite, ytil: np.ndarray, xtil: np.ndarray, step: float, q: np.ndarray, indices: np.ndarray):
    stage = acc_svrda(problem, ytil, xtil, step=step, indices=indices, q=q)
    return stage.x, stage.z


def _draws(q: np.ndarray, steps: int, b: int, seeds: int | None) -> Draws:
    return every_path(q, steps, b) if seeds is None else seeded(q, steps, b, seeds, 0)


def _probabilities(problem: Composite, sampling: str | np.ndarray) -> np.ndarray:
    return probabilities(problem, sampling) if isinstance(sampling, str) else np.asarray(sampling, dtype=float)
