r"""Acceleration of structured AdaGrad: 1/T² against 1/T with exact gradients, and the projected form, where the theorem is false.

.. math::
    \text{plain: } \frac1T \sum_{t\le T} f(x_t) - f_* \le \frac{C^2\Lambda_{\mathcal H}}{2T} + \dots, \qquad
    \text{accelerated: } f(\bar x_T) - f_* \le \frac{2\Lambda_{\mathcal H} D^2 \|S_T\|_{\rm op} + \dots}{(T+1)^2}

on a quadratic of many scales that lies in no small structure, and the linear function x₂ on the unit disc from e₁ with
projections, η = D = 1: there the bound of the unprojected theorem falls like 1/T² and the gap does not.

Source: docs/proofs/stochastic.md#accelerated; the counterexample is derived there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import theory
from convex.theorems.stochastic.broken import Slope
from convex.theorems.stochastic.cases import accelerated, adagrad
from convex.theorems.stochastic.runs import StochasticRun, exactly
from experiments.spec import Experiment, Progress, Result, RunSpec, expecting, quiet
from experiments.suite._stochastic import STRUCTURES
from problems.domains import L2Ball
from problems.operators import DenseOperator
from problems.smooth import NoNoise, SmoothQuadratic
from structures import Scalar

__all__ = ["Acceleration"]

SIDE = 6
KINDS = ("Scalar", "Diagonal", "LeftKronecker", "Full")
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"horizon": 60, "kinds": ("Scalar", "LeftKronecker")},
    "laptop": {"horizon": 1000, "kinds": KINDS},
    "paper": {"horizon": 10_000, "kinds": KINDS},
}
EPS = 1e-6
HALF_ROOT = 2.0**-0.5


def many_scales(m: int = SIDE, n: int = SIDE, seed: int = 0) -> SmoothQuadratic:
    """Eigenvalues 1, 1/4, ..., 1/d² in a random basis, from which 0 is far away in every direction alike."""
    rng, d = np.random.default_rng(seed), m * n
    U = np.linalg.qr(rng.standard_normal((d, d)))[0]
    values = np.arange(1.0, d + 1.0) ** -2.0
    return SmoothQuadratic(DenseOperator((U * values) @ U.T, (m, n)), (U @ np.ones(d)).reshape(m, n), NoNoise())


class Acceleration(Experiment):
    """Plain and accelerated runs of each structure, and the projected control."""

    id = "acceleration"
    title = "Acceleration: 1/T² against 1/T"
    claim = (
        "The accelerated method stays below a bound of order 1/T² in every structure; with projections the same bound "
        "is violated."
    )

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        games = [
            self.spec(kind=kind, structure=structure, horizon=size["horizon"])
            for structure in size["kinds"]
            for kind in ("plain", "accelerated")
        ]
        return [*games, self.spec(kind="projected", structure="Scalar", horizon=min(size["horizon"], 200))]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        p = spec.params
        if p["kind"] == "projected":
            return _projected(p["horizon"])
        problem = many_scales()
        K, x0 = STRUCTURES[p["structure"]](problem.shape), np.zeros(problem.shape)
        D = float(K.norm(x0 - np.asarray(problem.solution)))
        if p["kind"] == "plain":
            return _plain(exactly(adagrad(K, D * HALF_ROOT, EPS), problem, x0, p["horizon"]))
        run = exactly(accelerated(K, D, EPS), problem, x0, p["horizon"])
        return _accelerated(run, [theory.verify(theory.get("accelerated"), run)])


def _plain(run: StochasticRun) -> Result:
    """The mean over the iterates, with the bound at every horizon up to the last, whose D is the largest."""
    theorem = theory.get("stochastic-smooth-sharp")
    steps = np.arange(1.0, run.horizon + 1.0)
    values = run.problem.value(run.points)[:, 0] - run.problem.minimum.lower
    bound = float(theorem.bound(run)) * run.horizon / steps  # no noise: all of it is of order 1/T
    arrays = {"gap": np.cumsum(values) / steps, "last": values, "bound": bound}
    return Result(arrays, {}, [theory.verify(theorem, run)])


def _accelerated(run: StochasticRun, verdicts: list[Any]) -> Result:
    theorem = theory.get("accelerated")
    gap = np.asarray(theorem.measured(run))[:, 0]
    return Result({"gap": gap, "last": gap, "bound": np.asarray(theorem.bound(run))[:, 0]}, {}, verdicts)


def _projected(horizon: int) -> Result:
    """The theorem applied to the projected method, through the door and by force."""
    problem = Slope(np.array([0.0, 1.0]), claimed=(0.0, -1.0))
    run = exactly(accelerated(Scalar((2,)), 1.0, 1e-12, L2Ball(1.0)), problem, np.array([1.0, 0.0]), horizon)
    theorem = theory.get("accelerated")
    refused = expecting(theory.verify(theorem, run), "HYPOTHESIS_FAILED")
    forced = expecting(theory.verify(theorem, run, ignoring=("unconstrained", "minimiser")), "VIOLATED")
    return _accelerated(run, [refused, forced])
