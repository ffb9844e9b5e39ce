r"""Stages that the two lemmas are tried on, and stages with one hypothesis broken.

Source: derived here; near-tight starts from docs/proofs/dasvrda.md#the-constants-are-sharp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from convex.solvers.constants import published, sharpened, step_size
from convex.solvers.sampling import probabilities, variance_constant
from convex.theorems.broken import Concave, DoubledProx, Understated, misdrawn, windows
from convex.theorems.draws import every_path
from convex.theorems.instances import Solved, cancer, orthogonal, parity, tiny
from convex.theorems.runs import StageRun, stage_run
from problems.composite import Composite
from theory.theorem import Example

__all__ = ["far_step", "on_first", "stage_controls", "stage_examples", "taken", "twice"]

FAILED, REFUTED = ("HYPOTHESIS_FAILED",), ("REFUTED",)


def taken(
    case: Solved, start: float, snapshot: float, *, gamma: float | None, sharp: bool, length: int, minibatch: int = 1,
    sampling: str = "importance", comparator: str = "optimum", seeds: int | None = None,
) -> StageRun:  # fmt: skip
    """A stage from start · 1 with the snapshot at snapshot · 1 (inside of a box), γ_* unless it is given."""
    problem, ones = case.problem, np.ones(case.problem.shape)
    ell = variance_constant(problem, probabilities(problem, sampling))
    smoothness = problem.smoothness if sharp else None
    if gamma is None:
        constants = (
            sharpened(length, minibatch, ell, problem.smoothness) if sharp else published(length, minibatch, ell)
        )
        gamma = constants.gamma
    xtil, elsewhere = (problem.penalty.prox(s * ones, 1e-3 / problem.mean_smoothness) for s in (snapshot, -0.4))
    points = {"optimum": case.optimum, "snapshot": xtil, "elsewhere": elsewhere}
    return stage_run(
        problem, start * ones, xtil, points[comparator], step=step_size(gamma, length, minibatch, ell, smoothness),
        length=length, minibatch=minibatch, gamma=gamma, sampling=sampling, seeds=seeds,
    )  # fmt: skip


def tight(n: int, length: int, gamma: float, sharp: bool) -> StageRun:
    """Orthogonal coordinates, with the start that makes the most of the last step's variance."""
    case = orthogonal(n)
    problem = case.problem
    run = taken(case, 0.0, 1.0, gamma=gamma, sharp=sharp, length=length)
    last = 1.0 / run.step - problem.smoothness * length / (length + 1)
    w = length / 2 / last
    return taken(case, -w / (1.0 - w), 1.0, gamma=gamma, sharp=sharp, length=length)


def stage_examples(sharp: bool) -> Iterator[Example]:
    """Enumerated stages of every kind, and sampled ones on data; `sharp` takes the sharper step."""
    go = partial(taken, sharp=sharp, gamma=None)
    yield Example("sixty orthogonal coordinates, one step", partial(tight, 60, 1, 3.0, sharp), near_tight=True)
    yield Example("twelve orthogonal coordinates, three steps", partial(tight, 12, 3, 3.0, sharp), near_tight=True)
    for kind in ("squares", "squares+l1", "logistic+ridge", "logistic+box"):
        make = partial(go, length=4, start=1.0, snapshot=-0.5)
        yield Example(f"{kind}, all paths", lambda make=make, kind=kind: make(tiny(kind)))
        yield Example(
            f"{kind}, against the snapshot", lambda make=make, kind=kind: make(tiny(kind), comparator="snapshot")
        )
    yield Example(
        "mini-batches of two, uniform, all paths",
        lambda: go(tiny("logistic+net", 3), 0.5, 2.0, length=3, minibatch=2, sampling="uniform"),
    )
    yield Example(
        "breast cancer, ridge, weights", lambda: go(cancer("ridge"), 0.0, 0.0, length=4, minibatch=8, seeds=100)
    )
    yield Example("breast cancer, box", lambda: go(cancer("narrow"), 0.05, 0.0, length=23, minibatch=24, seeds=100))
    yield Example(
        "odd digits, elastic net, uniform",
        lambda: go(parity("net"), 0.0, 0.0, length=6, minibatch=4, sampling="uniform", seeds=60),
    )


def stage_controls(sharp: bool) -> Iterator[Example]:
    """Stages with one hypothesis broken: seen at the door, and false where it is ignored."""
    go = partial(taken, sharp=sharp, gamma=3.0)
    yield from twice("constants a hundred times too small", lambda: go(_understated(), 3.0, 1.0, length=2), "smooth")
    yield from twice("consecutive rows that repeat", partial(_windows, sharp), "iid-sampling")
    yield from twice(
        "uniform draws, weighted for importance", partial(on_first, sharp, "importance", "uniform"), "iid-sampling"
    )
    yield from twice(
        "importance draws that are not weighted",
        partial(on_first, sharp, "uniform", "importance", 0.1),
        "iid-sampling",
        "step",
    )
    yield from twice("a concave loss", lambda: _concave(sharp), "convex", "smooth")
    yield from twice("an end that was moved", lambda: _moved(go(orthogonal(3), 1.0, 1.0, length=2)), "played")
    wrong = Solved(Composite(tiny("squares").problem.loss, DoubledProx(5.0)), np.zeros(2))
    yield Example(
        "a proximal point of another step", lambda: go(wrong, 1.0, 0.5, length=2, comparator="snapshot"),
        expect=FAILED, breaks="penalty",
    )  # fmt: skip


def twice(name: str, make: Any, breaks: str, *also: str) -> Iterator[Example]:
    """The broken hypothesis is noticed, and the bound fails when it is ignored (with the ones in `also`)."""
    yield Example(f"{name}, through the door", make, expect=FAILED, breaks=breaks)
    yield Example(f"{name}, applied anyway", make, expect=REFUTED, breaks=breaks, ignoring=(breaks, *also))


def far_step() -> StageRun:
    """γ as declared, and another step."""
    run = tight(20, 1, 0.75, sharp=False)
    return stage_run(run.problem, run.ytil, run.xtil, run.comparator, step=8.0 * run.step, length=1, gamma=0.75)


def _understated() -> Solved:
    return Solved(Composite(Understated(np.eye(2), np.zeros(2))), np.zeros(2))


def _windows(sharp: bool) -> StageRun:
    """Each of 20 coordinates in eight consecutive samples, and mini-batches of eight consecutive samples."""
    case, b = orthogonal(20, repeats=8), 8
    draws = windows(160, b, every=b)
    problem, ones = case.problem, np.ones(20)
    step = step_size(3.0, 1, b, problem.mean_smoothness, problem.smoothness if sharp else None)
    return stage_run(
        problem, -0.5 * ones, ones, case.optimum, step=step, length=1, minibatch=b, gamma=3.0, draws=draws
    )  # fmt: skip


def on_first(sharp: bool, sampling: str, drawn: str, start: float = -4.0) -> StageRun:
    """A step along the first coordinate, η as for importance sampling; weighted for one distribution, drawn from another."""
    case, e = orthogonal(8, first=100.0), np.eye(8)[0]  # the first coordinate is a hundred times as curved
    problem = case.problem
    draws = misdrawn(every_path(probabilities(problem, sampling), 1, 1), probabilities(problem, drawn))
    step = step_size(3.0, 1, 1, problem.mean_smoothness, problem.smoothness if sharp else None)
    return stage_run(
        problem, start * e, e, case.optimum, step=step, length=1, gamma=3.0, sampling=sampling, draws=draws
    )  # fmt: skip


def _concave(sharp: bool) -> StageRun:
    case = Solved(Composite(Concave(np.eye(1), np.zeros(1))), np.zeros(1))
    return taken(case, 1.0, 0.0, gamma=3.0, sharp=sharp, length=2, comparator="snapshot")


def _moved(run: StageRun) -> StageRun:
    return replace(run, z=run.z * 1.5)
