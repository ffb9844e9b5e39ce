r"""Softmax regression to a certified duality gap: DASVRDA first, then Newton steps.

.. math::
    \min_{W, b} \; \sum_i p_i \Big[\log \sum_k e^{z_{ik}} - z_{i y_i}\Big] + l_1 \|W\|_1 + \tfrac{l_2}{2} \|W\|^2,
    \quad z_i = W x_i + b

`minimise` calls this for ``loss="multinomial"``. Stages come cheap and find which weights are 0; Newton steps end the run, or
the next stages begin where they stop making progress.

Source: murata2017doubly; the finish is derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from convex.engine.options import Options
from convex.engine.softmax_model import written_down
from convex.engine.softmax_newton import SoftmaxNewton
from convex.engine.softmax_quasi_newton import quasi_newton
from convex.engine.softmax_rows import SoftmaxRows
from convex.engine.softmax_run import SoftmaxRun
from convex.engine.softmax_stage import SoftmaxStages
from convex.engine.softmax_task import SoftmaxSnapshot, SoftmaxTask
from convex.engine.softmax_working_set import on_working_sets
from convex.engine.solution import Record, Solution

__all__ = ["minimise_softmax"]

WARM = 12.0  # passes of stages before the first Newton step, and after one that fails
NEAR = 1e-3  # gap over objective from which Newton steps begin at once
PATIENCE = 6  # Newton steps in which the gap has to halve; signs that keep changing are for the stages
FAR = 40  # passes of L-BFGS where Newton steps would be too long
SETTLED = 3  # stages without a change of sign after which the zeros are taken for those of the optimum
MANY = 500  # features from which an L1 penalty makes it worth while to work on few of them


def minimise_softmax(
    X: np.ndarray | sp.csr_matrix | sp.csr_array,  # (n, d), C-contiguous or CSR; float32 or float64
    y: np.ndarray,  # (n,) class numbers 0..K-1, each of them present
    l1: float = 0.0,
    l2: float = 1e-4,
    sample_weight: np.ndarray | None = None,  # (n,) > 0
    fit_intercept: bool = True,
    tol: float = 1e-6,
    max_passes: float = 1000,
    options: Options = Options(),  # noqa: B008 (frozen)
    start: tuple[np.ndarray, np.ndarray] | None = None,  # coef (K, d) and intercept (K,)
    seed: int = 0,
    callback: Callable[[Record], Any] | None = None,  # a true answer stops
) -> Solution:
    """As `minimise`, for K classes: coef (K, d) and intercept (K,), whose sum is 0."""
    task = make_task(X, y, l1, l2, sample_weight, fit_intercept)
    run = SoftmaxRun(task, tol, max_passes, callback)
    now = task.snapshot(starting_point(task, start), run.accuracy(options))
    run.note(now, 1.0, "dasvrda")
    rng = np.random.default_rng(seed)
    if options.working_set and l1 > 0.0 and task.rows.d > MANY:
        on_working_sets(run, now, options, lambda inner, at: solve(inner, at, options, rng))
    else:
        solve(run, now, options, rng)
    return run.solution()


def solve(run: SoftmaxRun, now: SoftmaxSnapshot, options: Options, rng: np.random.Generator) -> None:
    """From a recorded snapshot until the run is over."""
    stages, accuracy = SoftmaxStages(run.task, options, rng), run.accuracy(options)
    newton = SoftmaxNewton(run.task)
    near = options.finish and run.gap <= NEAR * abs(now.objective)
    while not run.over:
        if not near:
            now = accelerated(run, stages, now, accuracy, WARM if options.finish else run.max_passes)
        near = False
        if options.finish and not run.over:
            now, stuck = finished(run, newton, now)
            if stuck:
                break


def make_task(
    X: np.ndarray | sp.csr_matrix | sp.csr_array,
    y: np.ndarray,
    l1: float,
    l2: float,
    sample_weight: np.ndarray | None,
    fit_intercept: bool,
) -> SoftmaxTask:
    """The task that the arguments describe."""
    rows = SoftmaxRows.of(X)
    weights = np.ones(rows.n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    p = weights / weights.sum()
    codes = np.asarray(y).astype(np.int64)
    rows = rows.with_intercept(p) if fit_intercept else rows
    return SoftmaxTask.of(rows, codes, p, int(codes.max()) + 1, float(l1), float(l2))


def starting_point(task: SoftmaxTask, start: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """(size, K)."""
    U = np.zeros((task.rows.size, task.classes))
    if start is not None:
        U[: task.rows.d] = np.asarray(start[0], dtype=np.float64).T
        if task.rows.scale:
            U[task.rows.d] = np.asarray(start[1], dtype=np.float64) / task.rows.scale
    return U


def accelerated(
    run: SoftmaxRun, stages: SoftmaxStages, now: SoftmaxSnapshot, accuracy: float | None, passes: float
) -> SoftmaxSnapshot:
    """Stages worth `passes`, more while signs have to settle; the point with the smallest objective."""
    stages.restart()
    until, best, same, d = run.passes + passes, now, 0, run.task.rows.d
    settle = run.task.l1 > 0.0 and not written_down(run.task)
    while not run.over and (run.passes < until or (settle and same < SETTLED)):
        after = stages.step(now, accuracy)
        run.note(after, stages.passes, "dasvrda")
        same = same + 1 if same_signs(after.U[:d], now.U[:d]) else 0
        if after.objective < best.objective:
            best = after
        dropped = stages.before is None
        now = best if dropped and stages.options.grow_step else after
    return best


def same_signs(A: np.ndarray, B: np.ndarray) -> bool:
    """Whether both have the same zeros and the same signs elsewhere."""
    return bool(np.array_equal(np.sign(A), np.sign(B)))


def finished(run: SoftmaxRun, newton: SoftmaxNewton, now: SoftmaxSnapshot) -> tuple[SoftmaxSnapshot, bool]:
    """Newton steps until the gap is reached or one fails; the last point, and whether nothing can move it."""
    steps, gaps, smooth = 0, [run.gap], not run.task.l1 and not written_down(run.task)
    if smooth and run.gap > NEAR * abs(now.objective):
        now = quasi_newton(run, now, min(FAR, math.ceil(run.left)))
    while not run.over:
        if run.task.l1 and len(gaps) > PATIENCE and not gaps[-1] <= 0.5 * gaps[-1 - PATIENCE]:
            return now, False
        after, passes = newton.step(now, run.left)
        if after is None:
            run.count(passes)
            rounding = 64.0 * np.finfo(np.float64).eps * max(abs(now.objective), 1.0)
            return now, steps == 0 and run.gap <= rounding
        now, steps = after, steps + 1
        run.note(now, passes, "finish")
        gaps.append(run.gap)
        if newton.short and smooth and not run.over:
            now = quasi_newton(run, now, min(FAR, math.ceil(run.left)))
    return now, False
