r"""Where the regret theorem ends: a convex cone, closed under products, on which the bound fails by a factor that grows with d.

The learner with :math:`\mathcal H = \{\operatorname{diag}(h) : h_1 \ge \dots \ge h_d \ge 0\}` climbs the staircase (see
``regret.adversaries.staircase``); the same gradients are then given to plain AdaGrad, whose set is the linear span. With D = 1
the ratio of regret to bound tends, as the steps become small, to

.. math:: \Bigl(\frac{1}{2\eta} \cdot \frac{d + 1}{2} + \eta\Bigr) \Big/ \Bigl(\frac1{2\eta} + \eta\Bigr) .

Stored on a grid of horizons: the regret, the bound, and the moving norms :math:`\|x_1 - u\|_{H_1}^2 + \sum_{s=2}^t \|x_s -
u\|_{H_s - H_{s-1}}^2` with what they should be bounded by, :math:`D_t^2 \operatorname{Tr} H_t`.

Source: derived here (docs/proofs/regret.md#closure-under-negative-scalars).
"""

from __future__ import annotations

from typing import Any

import numpy as np

import theory
from experiments.spec import Experiment, Progress, Result, RunSpec, expecting, quiet
from regret import AdaptiveRegularization, Trace, play
from regret.adversaries.staircase import Staircase
from structures import Diagonal
from structures.not_structured import MonotoneCone

__all__ = ["Cone", "limit"]

RATE = 0.3
EPS = 1e-10
POINTS = 1500  # of a stored curve: more than a figure shows
SETS = {"MonotoneCone": MonotoneCone, "Diagonal": Diagonal}

# Dimensions and the size of a step, κ = δ. The published ratios are those of 0.01.
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"dims": (1, 2, 4), "step": 0.04},
    "laptop": {"dims": (1, 2, 4, 8), "step": 0.01},
    "paper": {"dims": (1, 2, 4, 8, 16), "step": 0.003},
}


class Cone(Experiment):
    """The staircase in growing dimension, on the cone and on all diagonals."""

    id = "cone"
    title = "Closure under negative scalars is essential"
    claim = (
        "On the cone of decreasing diagonals the regret exceeds the bound of the theorem by a factor that grows like d/2, "
        "while the same gradients respect it on all diagonals."
    )

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(set=name, dim=dim, step=size["step"], rate=RATE, eps=EPS)
            for dim in sorted(size["dims"], reverse=True)  # long runs first
            for name in SETS
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        name, dim, step = spec.params["set"], spec.params["dim"], spec.params["step"]
        game = Staircase(dim, spec.params["rate"], growth=step, drift=step, eps=spec.params["eps"])
        learner = AdaptiveRegularization(SETS[name]((dim,)), lr=game.rate, eps=game.eps)
        trace = play(learner, game, game.length, comparator=game.comparator, progress=False)
        progress(game.length, game.length)
        bound = theory.get("structured-regret").bound(trace)[:, 0]
        grid = _grid(trace.horizon)
        return Result(
            {
                "horizon": grid + 1,
                "regret": trace.regret[grid, 0],
                "bound": bound[grid],
                "moving": _moving(trace)[grid],
                "moving_bound": (trace.distance**2 * trace.trace_root)[grid, 0],
            },
            {
                "steps": trace.horizon,
                "ratio": float(trace.regret[-1, 0] / bound[-1]),
                "moving_ratio": float(_moving(trace)[-1] / (trace.distance**2 * trace.trace_root)[-1, 0]),
                "diameter": float(trace.distance[-1, 0]),
                "limit": limit(dim, game.rate) if name == "MonotoneCone" else None,
            },
            _verdicts(trace, name, dim),
        )


def _grid(horizon: int) -> np.ndarray:
    """Indices of the stored horizons: an even stride, so that a curve does not jump between the two halves of a pair."""
    stride = 2 * max(1, horizon // (2 * POINTS))
    return np.unique(np.append(np.arange(0, horizon, stride), horizon - 1))


def limit(dim: int, rate: float) -> float:
    """The ratio that small steps approach, with D = 1."""
    return ((dim + 1) / (4.0 * rate) + rate) / (1.0 / (2.0 * rate) + rate)


def _moving(trace: Trace) -> np.ndarray:  # (T,)
    """The moving norms at every horizon: the telescoped energies, and the last one that telescoping takes away."""
    return np.cumsum(trace.energy_before - trace.energy_after, axis=0)[:, 0] + trace.energy_after[:, 0]


def _verdicts(trace: Trace, name: str, dim: int) -> list[Any]:
    """The identity holds for every set; the theorem only for structures, and the cone is one in one dimension."""
    theorem, identity = theory.get("structured-regret"), theory.verify(theory.get("regret-identity"), trace)
    if name == "Diagonal" or dim == 1:
        return [theory.verify(theorem, trace), identity]
    refused = expecting(theory.verify(theorem, trace), "HYPOTHESIS_FAILED")
    misused = theory.verify(theorem, trace, ignoring=("well-structured",))
    return [refused, expecting(misused, "VIOLATED"), identity]
