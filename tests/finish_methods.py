"""The methods of the finish, each under its own name, and runs of one of them alone."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from convex.engine import working_set
from convex.engine.conjugate_gradient import truncated_newton
from convex.engine.dual_ascent import dual_ascent
from convex.engine.finish import finish
from convex.engine.minimise import make_task, starting_point
from convex.engine.newton import newton
from convex.engine.progress import Progress
from convex.engine.snapshot import snapshot
from convex.engine.solution import Solution
from convex.engine.task import Snapshot, Task


def working_sets(few: int):
    """Working sets that start with two columns and write the Hessian down up to `few` of them."""

    def run(task: Task, snap: Snapshot, progress: Progress, rng: np.random.Generator) -> Snapshot:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (("ROOM", 2), ("FEW_SPARSE", few), ("FEW_DENSE", few)):
                patch.setattr(working_set, name, value)
            return working_set.working_sets(task, snap, progress)

    return run


def ascent(task: Task, snap: Snapshot, progress: Progress, rng: np.random.Generator) -> Snapshot:
    """Dual ascent, and Newton steps where it gains too little."""
    snap = dual_ascent(task, snap, progress, rng)
    return snap if progress.over else truncated_newton(task, snap, progress)


METHODS = MappingProxyType(
    {
        "newton": newton,
        "truncated newton": lambda task, snap, progress, rng: truncated_newton(task, snap, progress),
        "dual ascent": ascent,
        "dual ascent alone": dual_ascent,
        "few columns": working_sets(10**9),
        "many columns": working_sets(0),
        "finish": finish,
    }
)
SMOOTH = ("newton", "truncated newton")  # for l1 = 0; dual ascent too, on sparse rows
SPARSE = ("newton", "few columns", "many columns")  # for l1 > 0


def run(
    method: str,
    X,
    y: np.ndarray,
    *,
    loss: str = "log_loss",
    l1: float = 0.0,
    l2: float = 0.0,
    weights: np.ndarray | None = None,
    intercept: bool = True,
    tol: float = 1e-10,
    max_passes: float = 10_000,
    start: tuple[np.ndarray, float] | None = None,
    callback=None,
    compiled: bool = True,
) -> Solution:
    """One method from a start (0), certified."""
    progress = Progress(tol, max_passes, callback)
    task = make_task(X, y, loss, l1, l2, weights, intercept, 1.35, compiled)
    snap = snapshot(task, starting_point(task, start), True, tol)
    progress.record(task, snap, "start")
    if not progress.over:
        snap = METHODS[method](task, snap, progress, np.random.default_rng(0))
    return progress.solution(task, snap)
