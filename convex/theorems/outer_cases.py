r"""Runs that the four theorems on the outer loop are tried on, and runs with one hypothesis broken.

Source: derived here; the near-tight start from docs/proofs/dasvrda.md#the-constants-are-sharp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from convex.solvers import DASVRDA
from convex.solvers.constants import published, sharpened, step_size
from convex.solvers.sampling import probabilities, variance_constant
from convex.theorems.bounds import distance_factor, stage_rho
from convex.theorems.broken import DoubledProx, Understated
from convex.theorems.instances import Solved, cancer, orthogonal, parity, slope, tiny
from convex.theorems.runs import OuterRun, of_solver, outer_run
from convex.theorems.stage_cases import twice
from problems.composite import Composite
from theory.theorem import Example

__all__ = ["far_step", "growing_controls", "growing_examples", "outer_controls", "outer_examples", "walked"]

FAILED = ("HYPOTHESIS_FAILED",)


def walked(
    case: Solved, start: float, *, sharp: bool, length: int, stages: int, restarts: int = 1, minibatch: int = 1,
    z0: float | None = None, sampling: str = "importance", mu: float | None = None, stretch: float = 1.0,
) -> OuterRun:  # fmt: skip
    """Every path from start · 1, with the constants of the algorithm and `stretch` times its step."""
    problem, ones = case.problem, np.ones(case.problem.shape)
    ell = variance_constant(problem, probabilities(problem, sampling))
    found = sharpened(length, minibatch, ell, problem.smoothness) if sharp else published(length, minibatch, ell)
    x0 = problem.penalty.prox(start * ones, 1e-3 / problem.mean_smoothness)
    return outer_run(
        problem, x0, case.optimum, step=stretch * found.step, c=found.c, gamma=found.gamma, length=length, stages=stages,
        restarts=restarts, minibatch=minibatch, sampling=sampling, mu=mu, z0=None if z0 is None else z0 * ones,
    )  # fmt: skip


def downhill(sharp: bool, length: int = 60, gamma: float = 1000.0, mu: bool = False) -> OuterRun:
    """One long stage with a small step on the slope whose end is worst for it; with `mu` the growth that the slope has."""
    share = 2.0 / 3.0 if sharp else (5**0.5 - 1.0) / 2.0  # of the way that the stage goes
    smoothness = slope(1.0).problem.smoothness
    step = step_size(gamma, length, 1, smoothness, smoothness)
    width = 1.0 / (2.0 * distance_factor(step, length) * share)
    case = slope(width)
    rho = stage_rho(step, length, 1, smoothness, smoothness) if sharp else 1.0 / gamma
    return outer_run(
        case.problem, np.array([-20.0 - width]), case.optimum, step=step, c=1.0 - rho, gamma=gamma, length=length, stages=1,
        mu=2.0 * (1.0 - 1e-8) / width if mu else 0.0,
    )  # fmt: skip


def outer_examples(sharp: bool) -> Iterator[Example]:
    """One outer loop: enumerated runs of every kind, and runs of the solver on data."""
    go = partial(walked, sharp=sharp)
    yield Example("one long stage down a slope", partial(downhill, sharp), near_tight=True)
    for kind in ("squares", "squares+l1", "logistic+ridge", "logistic+box"):
        yield Example(f"{kind}, all paths", lambda kind=kind: go(tiny(kind), 1.0, length=3, stages=3))
    yield Example("squares+net, z_0 elsewhere", lambda: go(tiny("squares+net"), 1.0, length=2, stages=4, z0=-2.0))
    yield Example(
        "logistic+l1, mini-batches, uniform, all paths",
        lambda: go(tiny("logistic+l1", 3), 2.0, length=2, minibatch=2, stages=2, sampling="uniform"),
    )
    yield Example(
        "breast cancer, box", lambda: _solved(cancer("narrow"), sharp, stages=2, minibatch=24, seeds=150, length=6)
    )
    yield Example("breast cancer, l1, weights", lambda: _solved(cancer("l1"), sharp, stages=4, minibatch=24, seeds=8))
    yield Example(
        "odd digits, elastic net, uniform",
        lambda: _solved(parity("net"), sharp, stages=2, minibatch=42, seeds=4, sampling="uniform"),
    )


def growing_examples(sharp: bool) -> Iterator[Example]:
    """Restarted loops on strongly convex problems."""
    go = partial(walked, sharp=sharp)
    yield Example("one long stage down a slope", partial(downhill, sharp, mu=True), near_tight=True)
    for kind in ("squares+ridge", "squares+net", "logistic+ridge"):
        yield Example(f"{kind}, all paths", lambda kind=kind: go(tiny(kind), 1.0, length=2, stages=3, restarts=2))
    yield Example(
        "logistic+net, mini-batches, uniform, all paths",
        lambda: go(tiny("logistic+net", 3), 2.0, length=1, minibatch=2, stages=2, restarts=2, sampling="uniform"),
    )
    yield Example(
        "breast cancer, ridge, weights",
        lambda: _solved(cancer("ridge"), sharp, stages=6, restarts=2, minibatch=24, seeds=6),
    )


def _solved(
    case: Solved, sharp: bool, *, stages: int, seeds: int, minibatch: int, restarts: int = 1, sampling: str = "importance",
    seed: int = 0, length: int | None = None,
) -> OuterRun:  # fmt: skip
    """A run of the solver itself, from 0."""
    solver = DASVRDA(
        minibatch=minibatch, length=length, restart=stages if restarts > 1 else None, sharp=sharp, sampling=sampling
    )
    start = np.zeros(case.problem.shape)
    return of_solver(
        solver, case.problem, start, case.optimum, stages=stages, restarts=restarts, seeds=seeds, seed=seed
    )


def outer_controls(sharp: bool) -> Iterator[Example]:
    """Loops with one hypothesis broken: seen at the door, and false where it is ignored."""
    go = partial(walked, sharp=sharp)
    understated = Solved(Composite(Understated(np.eye(2), np.zeros(2))), np.zeros(2))
    yield from twice("constants a hundred times too small", lambda: go(understated, 1.0, length=3, stages=3), "smooth")
    yield from twice("a small c", partial(_small_c, sharp), "outer-weights", *([] if sharp else ["gamma"]))
    yield from twice("an end that was moved", lambda: _moved(go(orthogonal(2), 1.0, length=2, stages=2)), "played")
    yield Example("other indices than the seed draws", partial(_reseeded, sharp), expect=FAILED, breaks="iid-sampling")
    yield Example(
        "a comparator that is not optimal", lambda: go(tiny("squares")._replace(optimum=np.ones(2)), 1.0, length=2, stages=2),
        expect=FAILED, breaks="minimiser",
    )  # fmt: skip
    wrong = Solved(Composite(tiny("squares").problem.loss, DoubledProx(5.0)), np.zeros(2))
    yield Example(
        "a proximal point of another step", lambda: go(wrong, 1.0, length=2, stages=1), expect=FAILED, breaks="penalty"
    )


def growing_controls(sharp: bool) -> Iterator[Example]:
    """The same for restarted loops, whose contraction also needs μ and z_0 = x_0."""
    go = partial(walked, sharp=sharp)
    yield from twice(
        "a strong convexity that is not there",
        lambda: go(orthogonal(2), 1.0, length=1, stages=5, restarts=2, mu=1e9), "quadratic-growth",
    )  # fmt: skip
    understated = Solved(Composite(Understated(np.eye(2), np.zeros(2))), np.zeros(2))
    yield from twice(
        "constants a hundred times too small", lambda: go(understated, 1.0, length=3, stages=3, mu=0.5), "smooth"
    )
    yield from twice(
        "another z_0", lambda: go(orthogonal(1), 0.1, length=2, stages=1, z0=30.0, mu=1.0), "started-at-rest"
    )
    yield from twice(
        "an end that was moved", lambda: _moved(go(orthogonal(2), 1.0, length=2, stages=2, mu=0.5)), "played"
    )
    yield Example("a small c", partial(_small_c, sharp, mu=1e-3), expect=FAILED, breaks="outer-weights")


def _small_c(sharp: bool, mu: float = 0.0) -> OuterRun:
    """γ = 1.02 makes θ_1 = 3c/2 smaller than one, and the outer momentum negative."""
    gamma, length = 1.02, 1
    problem = Composite(orthogonal(2).problem.loss)
    smoothness = problem.smoothness if sharp else None
    step = step_size(gamma, length, 1, problem.mean_smoothness, smoothness)
    return outer_run(
        problem, np.array([1.0, 0.0]), np.zeros(2), step=step, c=1.0 - 1.0 / gamma, gamma=gamma, length=length, stages=10,
        mu=mu,
    )  # fmt: skip


def _moved(run: OuterRun) -> OuterRun:
    return replace(run, snapshots=40.0 * run.snapshots)


def _reseeded(sharp: bool) -> OuterRun:
    """Seed 1 drew what seed 0 is said to have drawn."""
    run = _solved(tiny("logistic+ridge", 6), sharp, stages=2, minibatch=2, seeds=5, seed=1)
    return replace(run, draws=replace(run.draws, seed=0))


def far_step(sharp: bool) -> OuterRun:
    """Two hundred times the step, γ and c as declared."""
    return walked(orthogonal(2), 1.0, sharp=sharp, length=2, stages=4, mu=0.5, stretch=200.0)
