r"""How much of the regret bound is real: the hard sequence against the usual suspects, in four matched geometries.

Each geometry is a structure on the ball of its own norm, with :math:`\eta = D/\sqrt 2`; the ratio is

.. math:: \max_{u \in \mathcal X} \sum_{s \le t} \langle g_s, x_s - u\rangle \Big/ \sqrt 2\, D \operatorname{Tr} H_t .

The hard sequence is another one for every horizon, so it is played to the end of each; the others (random signs, Hadamard rows
with random signs, the sign of the iterate) are played once, and measured on the way. No algorithm whatsoever keeps this ratio
below :math:`1/\sqrt 2` on gradients of unknown size (docs/proofs/lower_bounds.md#unknown-magnitudes).

Source: derived here (docs/proofs/hard-sequence.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import theory
from experiments.device import array_on, start_on
from experiments.seeds import seed_for
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from problems.domains import Box, Domain, L2Ball, SpectralBall
from regret import (
    AdaptiveRegularization,
    Adversary,
    FixedSequence,
    GreedySign,
    Hadamard,
    HardSequence,
    RandomSigns,
    play,
)
from regret.adversaries.base import generators
from structures import Diagonal, Full, LeftKronecker, Scalar, Structure

__all__ = ["GEOMETRIES", "SEQUENCES", "Geometry", "Tightness"]


@dataclass(frozen=True)
class Geometry:
    """A structure on the ball of its own norm, and a direction on which the hard sequence stays on a line."""

    structure: Structure
    domain: Domain
    pattern: np.ndarray


GEOMETRIES = {
    "Scalar": Geometry(Scalar((8,)), L2Ball(1.0), np.eye(8)[0]),
    "Diagonal": Geometry(Diagonal((8,)), Box(1.0), np.ones(8)),
    "Full": Geometry(Full((8,)), L2Ball(1.0), np.eye(8)[0]),
    "LeftKronecker": Geometry(LeftKronecker((2, 4)), SpectralBall(1.0), np.eye(2, 4)),
}

# Horizons of the hard sequence; horizon and seeds of the others.
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"hard": (100, 300, 1000, 3000), "others": 1000, "seeds": 4},
    "laptop": {"hard": (100, 300, 1000, 3000, 10_000, 100_000), "others": 3000, "seeds": 8},
    "paper": {"hard": (100, 300, 1000, 3000, 10_000, 30_000, 100_000, 1_000_000), "others": 100_000, "seeds": 8},
}
POINTS = 60  # horizons of a stored curve, evenly spaced in the logarithm


def _hadamard(shape: tuple[int, ...], horizon: int, seeds: int, seed: int) -> Adversary:
    """Signed Hadamard rows, reshaped to the parameter."""
    game = Hadamard(int(np.prod(shape)))
    rows = np.stack([game.sampler(rng)(horizon) for rng in generators(seeds, seed)], axis=1)
    return FixedSequence(rows.reshape(horizon, seeds, *shape))


SEQUENCES: dict[str, Callable[[tuple[int, ...], int, int, int], Adversary]] = {
    "signs": lambda shape, horizon, seeds, seed: RandomSigns(shape),
    "hadamard": _hadamard,
    "greedy": lambda shape, horizon, seeds, seed: GreedySign(shape),
}


class Tightness(Experiment):
    """Four geometries, the hard sequence at several horizons, and three sequences that are often tried instead."""

    id = "tightness"
    title = "The bound is tight, and the usual sequences do not show it"
    claim = (
        "One explicit sequence drives the regret of AdaGrad-Norm, AdaGrad, full-matrix AdaGrad and one-sided Shampoo to their "
        "common bound, while random, Hadamard and greedy signs stay at half of it or less."
    )

    devices = ("cpu", "cuda")

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        hard = [
            self.spec(geometry=name, sequence="hard", horizon=horizon, seeds=1, seed=0)
            for horizon in sorted(size["hard"], reverse=True)  # long runs first
            for name in GEOMETRIES
        ]
        others = [
            self.spec(geometry=name, sequence=sequence, horizon=size["others"], seeds=_seeds(sequence, size), seed=0)
            for name in GEOMETRIES
            for sequence in SEQUENCES
        ]
        return hard + others

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        geometry, horizon = GEOMETRIES[spec.params["geometry"]], spec.params["horizon"]
        structure, domain = geometry.structure, geometry.domain.on(geometry.structure.shape)
        learner = AdaptiveRegularization(structure, lr=domain.diameter(structure) / 2**0.5, domain=domain)
        seed = seed_for(spec.params["seed"], "adversary")
        start = {"x0": start_on(spec.device, domain, structure.shape)}
        if spec.params["sequence"] == "hard":
            adversary = HardSequence(geometry.pattern, horizon)
            start = {name: array_on(spec.device, getattr(adversary, name)) for name in ("x0", "comparator")}
        else:
            adversary = SEQUENCES[spec.params["sequence"]](structure.shape, horizon, spec.params["seeds"], seed)
        trace = play(learner, adversary, horizon, batch=spec.params["seeds"], seed=seed, progress=False, **start)
        progress(horizon, horizon)
        theorem = theory.get("structured-regret")
        grid = np.unique(np.round(np.geomspace(1, horizon, POINTS)).astype(int)) - 1
        ratio = trace.regret[grid] / theorem.bound(trace)[grid]
        return Result(
            {"horizon": grid + 1, "ratio": ratio},
            {"ratio": float(np.max(ratio[-1])), "diameter": domain.diameter(structure)},
            [theory.verify(theorem, trace)],
        )


def _seeds(sequence: str, size: dict[str, Any]) -> int:
    return 1 if sequence == "greedy" else size["seeds"]
