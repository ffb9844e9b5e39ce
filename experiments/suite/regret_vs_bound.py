r"""Regret against its bound at every horizon, for every structure, on two real data streams.

One run is one structure on one data set and one domain, several seeds on the batch axis. The domain is the structure's own
ball, or the Euclidean ball common to all (see ``_data_games``); the step is the one that the bound asks for,

.. math::
    \eta = D_{\mathcal H}/\sqrt2, \qquad
    R_T \le \sqrt2\, D_{\mathcal H}\, |||g_{1:T}|||_{\mathcal H} + \tfrac{1}{\sqrt2} D_{\mathcal H}\, d\sqrt\varepsilon .

Stored for every horizon and seed: the regret of the linearised losses against the best point of the domain (the upper end of
its bracket), the bound as the theorem computes it, :math:`|||g_{1:t}|||_{\mathcal H}`, and the excess loss
:math:`\sum_{s \le t} f_s(x_s) - f_s(\bar x)` against the reference point, which compares learners on different domains.

Full-matrix AdaGrad on the digits has 640² = 409600 entries in its preconditioner; it runs in its Gram form, whose state is
T·d numbers, for as many steps as the others.

Source: Xie et al. 2025 (arXiv 2503.10537) for the bound and the trade-off; the experiment is ours.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

import theory
from experiments.device import start_on
from experiments.seeds import seed_for
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._data_games import DATASETS, Reshaped, own_ball, reference, stream, structures_for
from problems.domains import Domain, L2Ball
from regret import AdaptiveRegularization, GramFullMatrix, Learner, Trace, play
from structures import Full, Structure

__all__ = ["RegretVsBound"]

THEOREMS = ("structured-regret-norm", "structured-regret")  # the first one is drawn
EPS = 1e-6  # inside the root: d √ε is 0.64 on the digits, beside |||g|||_H of several hundred
LARGEST_DENSE = 128  # above this many parameters the full matrix runs in its Gram form

# Steps on each data set, and seeds. The full matrix on the digits decides: its Gram form costs T⁴ in all.
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"digits": 24, "breast_cancer": 60, "seeds": 2},
    "laptop": {"digits": 256, "breast_cancer": 569, "seeds": 3},
    "paper": {"digits": 1797, "breast_cancer": 5690, "seeds": 10},
}
SLOW_FIRST = ("BlockDiagonal", "RightKronecker", "Full", "Conjugated", "LeftKronecker")


class RegretVsBound(Experiment):
    """Every structure on its own ball and on the common one."""

    id = "regret_vs_bound"
    title = "Regret against its bound, on data"
    claim = (
        "At every horizon and for every seed the regret of adaptive regularization stays below its bound, "
        "for every structure, on real data."
    )

    devices = ("cpu", "cuda")

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(
                dataset=dataset, structure=name, domain=domain, horizon=size[dataset], seeds=size["seeds"], seed=0
            )
            for dataset in DATASETS
            for name in sorted(structures_for(dataset), key=_slow_first)
            for domain in _domains(structures_for(dataset)[name])
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        dataset, horizon = spec.params["dataset"], spec.params["horizon"]
        structure = structures_for(dataset)[spec.params["structure"]]
        domain = _domain(dataset, structure, spec.params["domain"])
        learner = _learner(structure, domain.on(structure.shape), horizon)
        game = Reshaped(stream(dataset), structure.shape)
        x0 = start_on(spec.device, domain, structure.shape)
        seed = seed_for(spec.params["seed"], "adversary")
        trace = play(learner, game, horizon, batch=spec.params["seeds"], seed=seed, x0=x0, progress=False)
        progress(horizon, horizon)
        theorems = [theory.get(name) for name in THEOREMS]
        return Result(
            {
                "regret": trace.regret,
                "bound": theorems[0].bound(trace),
                "adaptive_norm": trace.adaptive_norm,
                "excess": _excess(trace, dataset, spec),
            },
            _summary(trace, structure, reference(dataset).reshape(structure.shape)),
            [theory.verify(theorem, trace) for theorem in theorems],
        )


def _domains(structure: Structure) -> tuple[str, ...]:
    """Where a structure plays: on the common ball, and on its own unless that is the same or has no projection."""
    own = own_ball(structure, 1.0)
    return ("common",) if own is None or isinstance(own, L2Ball) else ("own", "common")


def _domain(dataset: str, structure: Structure, domain: str) -> Domain:
    """The structure's own ball, or the common one; both have the reference point on their boundary."""
    point = reference(dataset)
    own = own_ball(structure, float(structure.norm(point.reshape(structure.shape)))) if domain == "own" else None
    return L2Ball(float(np.linalg.norm(point))) if own is None else own


def _learner(structure: Structure, domain: Domain, horizon: int) -> Learner:
    """Adaptive regularization with the step that its bound is tuned for."""
    lr = domain.diameter(structure) / 2**0.5
    if isinstance(structure, Full) and structure.dim > LARGEST_DENSE:
        return GramFullMatrix(structure.shape, lr=lr, eps=EPS, domain=domain, horizon=horizon)
    return AdaptiveRegularization(structure, lr=lr, eps=EPS, domain=domain)


def _excess(trace: Trace, dataset: str, spec: RunSpec) -> np.ndarray:  # (T, B)
    """The losses that were paid minus those of the reference point on the same samples, summed up to every horizon."""
    seeds = spec.params["seeds"]
    points = np.broadcast_to(reference(dataset), (seeds, *reference(dataset).shape))
    replay = stream(dataset).start(seeds, spec.params["seed"], points)
    owed = np.stack([replay.loss(t, points) for t in range(trace.horizon)])
    return np.cumsum(trace.losses - owed, axis=0)


def _summary(trace: Trace, structure: Structure, point: np.ndarray) -> dict[str, Any]:
    domain, norm = trace.domain, float(structure.norm(point))
    return {
        "diameter": domain.diameter(structure),  # D_H, certified
        "reference_norm": norm,
        "own_ball": type(own_ball(structure, norm)) is type(domain),  # whether the domain is the ball of the structure
        "lr": trace.lr,
        "eps": trace.eps,
        "parameters": prod(structure.shape),
        "rank": structure.rank,
        "form": type(trace.learner).__name__,
        "domain": type(domain).__name__,
    }


def _slow_first(name: str) -> tuple[int, str]:
    """Long runs are planned first, so that the last worker does not wait for one of them."""
    return (SLOW_FIRST.index(name) if name in SLOW_FIRST else len(SLOW_FIRST), name)
