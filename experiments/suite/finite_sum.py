r"""Suboptimality against component gradients: what acceleration and variance reduction buy, under one interface.

Problems: ``experiments.suite._finite_sums``. Methods: DASVRDA as published, restarted when the objective rises, the same with
the sharper constants, proximal SVRG, SAGA, Katyusha, accelerated proximal SVRG, and accelerated proximal gradient with restart.
All start at zero with mini-batches of :math:`b = \lfloor\sqrt n\rfloor`. Each runs with the step of its theory and with multiples
of it (64 times longer ones for accelerated proximal SVRG, whose theory asks for a far larger mini-batch); a run that leaves the
finite numbers is stored as infinite. A full gradient counts n, the difference of two mini-batch gradients 2b (b where a table
keeps one side of it).

Source: Murata and Suzuki 2017 (the comparison, remembered); problems and grid are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convex.solvers import DASVRDA, SAGA, SVRG, AcceleratedGradient, AccProxSVRG, Katyusha, Solver
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._finite_sums import PENALTIES, optimum, problem
from problems.composite import Composite

__all__ = ["METHODS", "FiniteSum", "Method"]


@dataclass(frozen=True)
class Method:
    """A solver for a mini-batch, and how its step is multiplied."""

    make: Callable[[int], Solver]  # b -> solver
    scaled: Callable[[Any, Composite, float], Solver]  # solver, problem, multiple -> the solver with a longer step
    unit: float = 1.0  # of the multiples above 1


def _stepped(solver: Any, problem: Composite, multiple: float) -> Solver:
    """A solver whose field `step` overrides the step of its theory."""
    theory = solver.constants(problem).step if isinstance(solver, DASVRDA) else solver.step_for(problem)
    return replace(solver, step=multiple * theory)


def _smoothed(solver: Any, problem: Composite, multiple: float) -> Solver:
    """Katyusha takes an assumed smoothness, the reciprocal of a step."""
    return replace(solver, smoothness=solver.smoothness_for(problem) / multiple)


METHODS: dict[str, Method] = {
    "DASVRDA": Method(lambda b: DASVRDA(b, restart="function"), _stepped),
    "DASVRDA, sharper": Method(lambda b: DASVRDA(b, restart="function", sharp=True), _stepped),
    "SVRG": Method(lambda b: SVRG(b), _stepped),
    "SAGA": Method(lambda b: SAGA(b), _stepped),
    "Katyusha": Method(lambda b: Katyusha(b), _smoothed),
    "AccProxSVRG": Method(lambda b: AccProxSVRG(b), _stepped, unit=64.0),
    "APG": Method(lambda b: AcceleratedGradient(restart="function"), _stepped),
}

SIZES: dict[str, dict[str, Any]] = {
    "ci": {"passes": 12, "seeds": 2, "multiples": (1.0, 8.0), "data": ("breast_cancer",)},
    "laptop": {"passes": 100, "seeds": 3, "multiples": (1.0, 4.0, 16.0, 64.0), "data": ("breast_cancer", "digits")},
    "paper": {
        "passes": 300, "seeds": 10, "multiples": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0),
        "data": ("breast_cancer", "digits"),
    },
}  # fmt: skip


class FiniteSum(Experiment):
    """Seven solvers on two data sets with two penalties."""

    id = "finite_sum"
    title = "Finite sums: suboptimality against gradient evaluations"
    claim = (
        "With mini-batches of the square root of n and the step of its theory, DASVRDA with the sharper constants is lowest "
        "after 100 passes on every problem."
    )

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(
                data=data, penalty=penalty, method=name, passes=size["passes"], seeds=size["seeds"],
                multiples=size["multiples"],
            )
            for data in size["data"]
            for penalty in PENALTIES
            for name in METHODS
        ]  # fmt: skip

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        params = spec.params
        objective, best = problem(params["data"], params["penalty"]), optimum(params["data"], params["penalty"])
        method, n = METHODS[params["method"]], objective.samples
        solver = method.make(int(n**0.5))
        multiples = [multiple if multiple == 1 else method.unit * multiple for multiple in params["multiples"]]
        counts: np.ndarray | None = None
        curves: list[np.ndarray | None] = []
        for done, multiple in enumerate(multiples):
            progress(done, len(multiples))
            try:
                path = method.scaled(solver, objective, multiple).run(
                    objective, np.zeros(objective.shape), evaluations=params["passes"] * n, batch=params["seeds"]
                )
            except FloatingPointError:  # this step is too long
                curves.append(None)
                continue
            counts = path.evaluations
            curves.append(np.maximum(path.values - best.lower, 0.0))
        if counts is None:
            raise RuntimeError(f"{params['method']} diverged at every multiple of its step, also at that of its theory")
        shape = (len(counts), params["seeds"])
        above = np.stack([np.full(shape, np.inf) if curve is None else curve for curve in curves])
        return Result(
            {"evaluations": counts, "suboptimality": above, "multiples": np.asarray(multiples)},
            {"samples": n, "gap_of_optimum": best.gap, "minibatch": int(n**0.5)},
        )
