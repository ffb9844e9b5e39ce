r"""Runs that the regret theorems are tried on: hard sequences, natural ones, and games with one hypothesis broken.

Source: derived here; the hard sequences are proved hard in docs/proofs/hard-sequence.md and docs/proofs/regret.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from problems.domains import Box, Domain, L2Ball, Product, Simplex, SpectralBall
from regret.adversaries import FixedSequence, HardSequence, LinearRandom, RandomSigns, Sparse
from regret.adversaries.staircase import Staircase
from regret.learners import AdaptiveRegularization, GramFullMatrix, Learner
from regret.play import play
from regret.theorems.broken import EuclideanProjection, NoProjection, ShrinkingStatistic
from regret.trace import Trace
from structures import (
    BlockDiagonal,
    Circulant,
    Diagonal,
    DirectSum,
    Full,
    Layerwise,
    LeftKronecker,
    RightKronecker,
    Scalar,
)
from structures.base import Structure
from structures.not_structured import MonotoneCone
from theory.theorem import Example

__all__ = [
    "MATCHED",
    "damped",
    "hard",
    "misuse",
    "mixed_layers",
    "regret_controls",
    "regret_examples",
    "signs",
    "staircase",
    "tampered",
    "tampered_identity",
    "tuned",
    "unconstrained",
]

# Structure, matched domain, and a pattern along which the hard sequence stays on a line.
MATCHED: dict[str, tuple[Structure, Domain, np.ndarray]] = {
    "AdaGrad-Norm": (Scalar((4,)), L2Ball(1.0), np.eye(4)[0]),
    "AdaGrad": (Diagonal((4,)), Box(1.0), np.ones(4)),
    "full-matrix AdaGrad": (Full((4,)), L2Ball(1.0), np.eye(4)[0]),
    "one-sided Shampoo": (LeftKronecker((2, 3)), SpectralBall(1.0), np.eye(2, 3)),
    "two layers": (
        Layerwise([(2,), (2,)]), Product([(L2Ball(1.0), (2,)), (L2Ball(1.0), (2,))]), np.array([1.0, 0.0, 0.6, 0.8]),
    ),
}  # fmt: skip


def tuned(structure: Structure, domain: Domain, factor: float = 1.0, **options: Any) -> AdaptiveRegularization:
    """The learner with η = factor · D/√2 on a domain of diameter D."""
    lr = factor * domain.on(structure.shape).diameter(structure) / 2**0.5
    return AdaptiveRegularization(structure, lr=lr, domain=domain, **options)


def hard(name: str, horizon: int, factor: float = 1.0, **options: Any) -> Trace:
    """The hard sequence in one of the matched geometries, with η = factor · D/√2."""
    structure, domain, pattern = MATCHED[name]
    game = HardSequence(pattern, horizon, radius=1.0, rate=factor * 2**0.5)
    return play(tuned(structure, domain, factor), game, horizon, x0=game.x0, **options)


def signs(name: str, horizon: int, batch: int = 2, learner: Learner | None = None, **options: Any) -> Trace:
    """Coin flips in one of the matched geometries."""
    structure, domain, _ = MATCHED[name]
    return play(learner or tuned(structure, domain), RandomSigns(structure.shape), horizon, batch=batch, **options)


def damped(name: str) -> Trace:
    """Coin flips in one of the matched geometries with ε = 0.04 beside squared gradients of one."""
    structure, domain, _ = MATCHED[name]
    return signs(name, 150, learner=tuned(structure, domain, eps=0.04), keep_history=True)


def mixed_layers(horizon: int) -> Trace:
    """A layer of each kind on its own ball, with diameters that differ."""
    layers = [
        (Scalar((2,)), L2Ball(0.5)), (Diagonal((2,)), Box(0.3)), (Full((2,)), L2Ball(0.5)),
        (LeftKronecker((2, 2)), SpectralBall(1.0)), (RightKronecker((2, 3)), SpectralBall(0.2)),
    ]  # fmt: skip
    domain = Product([(ball, layer.shape) for layer, ball in layers])
    learner = tuned(DirectSum([layer for layer, _ in layers]), domain)
    return play(learner, RandomSigns(learner.shape), horizon, keep_history=True)


def misuse(name: str, make: Any, breaks: str, *also: str) -> Iterator[Example]:
    """Two controls: the broken hypothesis is noticed, and the bound fails when it is ignored (with the ones in `also`)."""
    yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
    yield Example(f"{name}, applied anyway", make, expect=("VIOLATED",), breaks=breaks, ignoring=(breaks, *also))


def regret_examples() -> Iterator[Example]:
    """Games on which the cumulative theorems must hold."""
    yield Example("hard sequence, AdaGrad-Norm", partial(hard, "AdaGrad-Norm", 1000), near_tight=True)
    yield Example("hard sequence, one-sided Shampoo", partial(hard, "one-sided Shampoo", 300, keep_history=True))
    yield Example("staircase with one step", partial(staircase, 1), near_tight=True)
    yield Example("coin flips on a box", partial(signs, "AdaGrad", 300))
    yield Example("singular statistic", _singular)
    yield Example("sparse gradients, circulant preconditioner on a simplex", _simplex)
    yield Example("two layers on a product of a spectral ball and a box", _layers)
    yield Example("unconstrained, damped, three learning rates", partial(unconstrained, "LeftKronecker", eps=0.01))
    yield Example("full matrix in Gram form", _gram)


def regret_controls() -> Iterator[Example]:
    """Games with one hypothesis of the cumulative theorems broken."""
    yield from misuse("decreasing diagonals", partial(staircase, 3), "well-structured")
    yield from misuse("an exponential average of the gradients", _forgetful, "cumulative")
    yield from misuse("a statistic that shrinks", _shrinking, "adaptive-regularization", "cumulative")
    yield from misuse("a Euclidean projection", _euclidean, "adaptive-regularization")
    yield from misuse("no projection", _outside, "feasible", "adaptive-regularization")
    yield from misuse("a comparator outside of the domain", _far_comparator, "comparator")
    yield Example("a tampered regret", partial(tampered, regret=3.0), expect=("HYPOTHESIS_FAILED",), breaks="faithful")
    yield Example(
        "a tampered trace of H", partial(tampered, trace_root=0.5), expect=("HYPOTHESIS_FAILED",), breaks="faithful"
    )


def tampered(**factors: float) -> Trace:
    """A good run with some of its series multiplied by a number (bounds of the bracket together)."""
    run = hard("AdaGrad-Norm", 60, keep_history=True)
    changed = {name: factor * getattr(run, name) for name, factor in factors.items()}
    if "regret" in changed:
        changed["regret_lower"] = factors["regret"] * run.regret_lower
    return replace(run, **changed)


@cache
def staircase(dim: int) -> Trace:
    game = Staircase(dim, rate=0.3, growth=0.05, drift=0.03)
    learner = AdaptiveRegularization(MonotoneCone((dim,)), lr=game.rate, eps=game.eps)
    return play(learner, game, game.length, comparator=game.comparator)


def _singular() -> Trace:
    """No gradient at first, then gradients in a plane: full matrix, ε = 0."""
    rng = np.random.default_rng(1)
    plane = rng.integers(-2, 3, (150, 2, 2)) @ np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
    plane[:3] = 0.0
    return play(tuned(Full((4,)), L2Ball(1.0)), FixedSequence(plane), 150)


def _simplex() -> Trace:
    learner = AdaptiveRegularization(Circulant((4,)), lr=0.7, eps=1e-3, domain=Simplex())
    return play(learner, Sparse((4,), density=0.3), 120, batch=2)


def _layers() -> Trace:
    domain = Product([(SpectralBall(1.0), (2, 2)), (Box(0.5), (3,))])
    return play(tuned(BlockDiagonal([(2, 2), (3,)]), domain), RandomSigns((7,)), 120)


def unconstrained(kind: str, eps: float = 0.01, rank: int = 2, **options: Any) -> Trace:
    """Gaussian gradients of a 2×3 parameter with a drift, three learning rates, in the whole space; `rank` 1 or 2."""
    structure = {"Full": Full, "LeftKronecker": LeftKronecker, "Diagonal": Diagonal}[kind]((2, 3))
    play_with = {name: options.pop(name) for name in ("keep_history",) if name in options}
    learner = AdaptiveRegularization(structure, lr=(0.1, 1.0, 10.0), eps=eps, **options)
    scale = (1.0,) * 3 + (0.5 * (rank - 1),) * 3
    game = LinearRandom((2, 3), scale=scale, mean=tuple(0.3 * s for s in scale))
    return play(learner, game, 150, batch=3, comparator=np.full((2, 3), -1.0), **play_with)


def tampered_identity(**factors: float) -> Trace:
    """An unconstrained run with some of its series multiplied by a number."""
    run = unconstrained("LeftKronecker")
    return replace(run, **{name: factor * getattr(run, name) for name, factor in factors.items()})


def _gram() -> Trace:
    learner = GramFullMatrix((30,), lr=2**0.5, eps=0.01, domain=L2Ball(1.0), horizon=60)
    return play(learner, LinearRandom((30,), scale=tuple(np.logspace(0, -3, 30))), 60)


def _drift_and_jump(horizon: int) -> FixedSequence:
    """+2.5, -1, -1 and again: an average that forgets takes the large gradient for a small one."""
    return FixedSequence(np.resize([2.5, -1.0, -1.0], horizon)[:, None])


def _forgetful() -> Trace:
    learner = tuned(Diagonal((1,)), Box(1.0), accumulate="ema", beta=0.5)
    return play(learner, _drift_and_jump(150), 150)


def _shrinking() -> Trace:
    learner = ShrinkingStatistic(Diagonal((1,)), lr=2**0.5, domain=Box(1.0))
    return play(learner, _drift_and_jump(150), 150)


def _outside() -> Trace:
    learner = NoProjection(Diagonal((1,)), lr=2**0.5, domain=Box(1.0))
    return play(learner, FixedSequence(np.repeat([-1.0, 1.0], 100)[:, None]), 200)


def _far_comparator() -> Trace:
    return play(tuned(Diagonal((1,)), Box(1.0)), FixedSequence(-np.ones((200, 1))), 200, comparator=np.array([10.0]))


@cache
def _euclidean() -> Trace:
    """Small gradients of a flat direction push the iterate along the sphere, which the norm of H_t would not allow."""
    learner = EuclideanProjection(Diagonal((2,)), lr=2**0.5, domain=L2Ball(1.0))
    state, gradients, outward = learner.init(np.zeros((1, 2))), [], True
    for t in range(1000):
        steep, _ = state["x"][0]
        outward = steep < (0.5 if outward else 0.2)
        h = np.sqrt(state["statistic"][0])
        gradient = np.diag([1.0, 1e-4])[t] if t < 2 else -0.05 * h * ([1.0, 0.0] if outward else [0.0, 1.0])
        gradients.append(gradient)
        state = learner.step(state, gradient[None])
    return play(learner, FixedSequence(np.asarray(gradients)), len(gradients))
