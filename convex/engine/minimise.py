r"""The solver: DASVRDA with adaptive restart on one machine, ended by a certified duality gap.

.. math:: \min_{w, b} \; \sum_i p_i \varphi(x_i \cdot w + b; y_i) + l_1 |w|_1 + \tfrac{l_2}{2} |w|^2

Source: murata2017doubly; what is added to it, one switch each, is in `options.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from convex.engine.accelerate import accelerate
from convex.engine.compiled import HAS_NUMBA
from convex.engine.finish import finish
from convex.engine.losses import CODES
from convex.engine.options import Options
from convex.engine.progress import Progress
from convex.engine.rows import Rows
from convex.engine.sampling import LONG, arranged
from convex.engine.snapshot import snapshot
from convex.engine.solution import Record, Solution
from convex.engine.spectrum import longest_direction
from convex.engine.switch import Switch
from convex.engine.task import Snapshot, Task
from convex.engine.unpenalised import flattened_passes, unpenalised

__all__ = ["minimise"]

FAST = Options()
TURN = 300  # passes of second-order steps before stages are tried
RESCUE = 20  # stages before second-order steps are tried again; both twice as many each time


@np.errstate(over="ignore", invalid="ignore")  # a trial step may overflow: P is inf or nan there, and it is refused
def minimise(
    X: np.ndarray | sp.csr_matrix | sp.csr_array,  # (n, d), C-contiguous or CSR; float32 or float64
    y: np.ndarray,  # (n,) float64: ±1 for the losses of classification, 0..K-1 for "multinomial"
    loss: str = "log_loss",
    l1: float = 0.0,
    l2: float = 1e-4,
    sample_weight: np.ndarray | None = None,  # (n,) > 0
    fit_intercept: bool = True,
    epsilon: float = 1.35,  # δ of the Huber loss
    tol: float = 1e-6,
    max_passes: float = 1000,
    options: Options = FAST,
    start: tuple[np.ndarray, Any] | None = None,  # (coef, intercept)
    seed: int = 0,
    callback: Callable[[Record], Any] | None = None,  # a true answer stops
) -> Solution:
    """Minimise until the certified duality gap is at most `tol`, or `max_passes` are spent.

    A pass is n gradients of one row; the stage or step at work when they are spent is ended, up to four more. The same
    seed gives the same bits on the same machine.

    Raises:
        ValueError: an unknown loss. (Data are not checked: estimators do that.)

    """
    if loss == "multinomial":
        from convex.engine.softmax import minimise_softmax

        return minimise_softmax(
            X, y, l1, l2, sample_weight, fit_intercept, tol, max_passes, options, start, seed, callback
        )
    progress = Progress(tol, max_passes, callback)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))  # the stream of the first run of a reference solver
    task = make_task(X, y, loss, l1, l2, sample_weight, fit_intercept, epsilon)
    if unpenalised(task):
        progress.put_aside(flattened_passes(task))
    if task.rows.stays:  # one reading of the data makes a pass, and the certificate takes another when it is time
        options = replace(options, exact_intercept=False)
    now = snapshot(task, starting_point(task, start), options.exact_intercept, tol)
    progress.passes += 1.0
    progress.record(task, now, "start")
    if options.finish and (options.working_set or not long_lasso(task)):
        switch = Switch(task, tol)
        if not (progress.ended or switch.at_once or start is not None):
            now = stages(task, now, options, rng, progress, switch.leave)
        turn = 1
        while not progress.ended and progress.fell():
            progress.another(TURN * turn)
            now = lower(now, finish(task, now, progress, rng))
            progress.another()
            if not progress.ended:  # second-order steps stall or creep: stages find the way out, or nothing does
                now = lower(now, stages(task, now, options, rng, progress, after(RESCUE * turn)))
                turn *= 2
    if not progress.ended:
        progress.another()
        now = stages(task, now, options, rng, progress)
    return progress.solution(task, now)


def lower(before: Snapshot, after: Snapshot) -> Snapshot:
    """The better one of two."""
    return after if after.objective <= before.objective else before


def after(count: int) -> Callable[[Snapshot], bool]:
    """A condition that holds from the call number count + 1 on."""
    calls = iter(range(count + 1))
    return lambda _: next(calls, count) >= count


def long_lasso(task: Task) -> bool:
    """Whether working sets are what a finish would use."""
    return task.l1 > 0.0 and task.rows.d >= LONG


def stages(
    task: Task,
    now: Snapshot,
    options: Options,
    rng: np.random.Generator,
    progress: Progress,
    leave: Callable[[Snapshot], bool] = lambda _: False,
) -> Snapshot:
    """DASVRDA from a recorded snapshot, its rows in the order that the stages want; back in the user's order."""
    there, plan, order = arranged(task, options, rng)
    if order is None:
        return accelerate(there, plan, now, options, rng, progress, leave)
    after = accelerate(there, plan, replace(now, z=now.z[order], s=now.s[order]), options, rng, progress, leave)
    if progress.certified is not None:
        progress.certified = unsorted(progress.certified, order)
    return unsorted(after, order)


def unsorted(snap: Snapshot, order: np.ndarray) -> Snapshot:
    """The snapshot, whose rows stand in the given order, in the user's order."""
    z, s = np.empty_like(snap.z), np.empty_like(snap.s)
    z[order], s[order] = snap.z, snap.s
    return replace(snap, z=z, s=s)


def make_task(
    X: np.ndarray | sp.csr_matrix | sp.csr_array,
    y: np.ndarray,
    loss: str,
    l1: float,
    l2: float,
    sample_weight: np.ndarray | None,
    fit_intercept: bool,
    epsilon: float,
    compiled: bool = HAS_NUMBA,
) -> Task:
    """The task that the arguments of `minimise` describe."""
    if loss not in CODES:
        raise ValueError(f"loss is one of {', '.join(CODES)} or multinomial, not {loss!r}")
    rows = Rows.of(X, compiled)
    if sample_weight is None:
        p = np.full(rows.n, 1.0 / rows.n)
    else:
        p = np.asarray(sample_weight, dtype=np.float64) / np.sum(sample_weight, dtype=np.float64)
    scale = math.sqrt(longest_direction(rows, p)) or 1.0 if fit_intercept else 0.0
    y = np.ascontiguousarray(y, dtype=np.float64)
    return Task(rows, y, p, CODES[loss], float(epsilon), float(l1), float(l2), scale)


def starting_point(task: Task, start: tuple[np.ndarray, float] | None) -> np.ndarray:
    """(d + 1,) the vector of weights to begin at."""
    w = np.zeros(task.rows.d + 1)
    if start is not None:
        w[:-1] = np.asarray(start[0], dtype=np.float64).reshape(-1)
        w[-1] = float(start[1]) / task.scale if task.scale else 0.0
    return w
