r"""No algorithm that does not know the size of the gradients has a constant below 2, against a domain that is symmetric.

Against the late spike with T steps and magnitude M, for *every* learner,

.. math:: \max_{t \le T} \frac{R_t}{\sigma(W)\,\bigl(\sum_{s \le t} \|g_s\|^2/\|W\|^2\bigr)^{1/2}}
          \ge \frac{2\sqrt T}{\sqrt T + 1} \cdot \frac{M - T + 1}{\sqrt{M^2 + T - 1}} \xrightarrow{M, T \to \infty} 2 .

In the matched geometries :math:`\sigma(W)\,(\sum \|g\|^2/\|W\|^2)^{1/2} = \sup_{\mathcal X} \|u\|_{\mathcal H} \cdot
|||g|||_{\mathcal H}`, so the constant :math:`2\sqrt 2` of adaptive regularization (:math:`\sqrt 2\,D` with
:math:`D = 2 \sup \|u\|_{\mathcal H}`) is within a factor √2 of the best one.

Source: derived here (docs/proofs/lower_bounds.md#unknown-magnitudes).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from math import sqrt
from typing import ClassVar

import numpy as np

from problems.domains import Simplex
from regret.adversaries import RandomSigns
from regret.adversaries.late_spike import LateSpike
from regret.learners import OnlineGradientDescent
from regret.theorems import runs
from regret.theorems.constants import unit_roundoff
from regret.theorems.game import PLAYED, RECORD, Game, play_game
from structures import Diagonal
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["ScaleFreeMinimax"]


SYMMETRY = 2.0**-45  # relative: by as much a wrong reach moves threshold and ratio, for which the budget has room


def _symmetric(game: Game) -> Check:
    domain, pattern = game.trace.domain, getattr(game.adversary, "pattern", None)
    if domain is None or pattern is None:
        return Check(False, -1.0, "the game has no domain, or its adversary no pattern")
    ahead, behind = float(domain.support(pattern)), float(domain.support(-pattern))
    off = max(abs(ahead - game.adversary.reach), abs(behind - game.adversary.reach)) / game.adversary.reach
    return Check(
        off <= SYMMETRY,
        SYMMETRY - off,
        f"σ(W) = {ahead:.6g} and σ(-W) = {behind:.6g}; the adversary says {game.adversary.reach:.6g}",
    )


SYMMETRIC = Assumption(
    "symmetric", r"\sigma(W) = \sigma(-W), \quad \sigma(W) = \max_{u \in \mathcal X} \langle W, u\rangle", _symmetric
)


def _whole(game: Game) -> Check:
    spike = game.adversary
    fits = type(spike) is LateSpike and game.trace.horizon == spike.horizon
    return Check(fits, 1.0 if fits else -1.0, f"{game.trace.horizon} steps were played against {spike!r}")


WHOLE = Assumption("whole-game", r"\text{all } T \text{ steps of a late spike were played}", _whole)


class ScaleFreeMinimax(Theorem):
    id = "scale-free-minimax"
    title = "The best constant for gradients of unknown size is 2"
    kind = Kind.LOWER_BOUND
    source = Citation("derived", "docs/proofs/lower_bounds.md#unknown-magnitudes", "derived")
    statement = (
        r"\max_{t \le T} \frac{\sup_{u \in \mathcal X} \sum_{s \le t} \langle g_s, x_s - u\rangle}{\sigma(W) "
        r"\bigl(\sum_{s \le t} \|g_s\|^2/\|W\|^2\bigr)^{1/2}} \ge \frac{2 \sqrt T}{\sqrt T + 1} \cdot "
        r"\frac{M - T + 1}{\sqrt{M^2 + T - 1}} \qquad \text{for every algorithm}"
    )
    proof = "docs/proofs/lower_bounds.md"
    subject = "any deterministic algorithm on a symmetric domain, against the late spike"
    assumptions: ClassVar = (WHOLE, SYMMETRIC, PLAYED, RECORD)
    axes = ("seed",)

    def measured(self, run: Game) -> np.ndarray:  # (B,)
        return _largest(run, run.trace.regret)

    def measured_lower(self, run: Game) -> np.ndarray:
        return _largest(run, run.trace.regret_lower)

    def bound(self, run: Game) -> float:
        T, M = run.adversary.horizon, run.adversary.magnitude
        return 2.0 * sqrt(T) / (sqrt(T) + 1.0) * (M - T + 1.0) / sqrt(M * M + T - 1.0)

    def budget(self, run: Game) -> float:
        """The threshold is compared with a rounded position, T times; the ratios are a few operations."""
        return 4.0 * SYMMETRY + 8.0 * unit_roundoff(run.trace) * (
            np.size(run.adversary.pattern) + run.adversary.horizon
        )

    def examples(self) -> Iterable[Example]:
        for name in ("AdaGrad-Norm", "AdaGrad", "full-matrix AdaGrad", "one-sided Shampoo"):
            yield Example(name, partial(_spike, name), near_tight=name == "AdaGrad")
        yield Example("gradient descent with a small constant step", _descent)

    def controls(self) -> Iterator[Example]:
        yield from runs.misuse("coin flips instead of the spike", _impostor, "played")
        yield Example("a simplex, which is not symmetric", _simplex, expect=("HYPOTHESIS_FAILED",), breaks="symmetric")
        yield from runs.misuse("a game that was stopped early", _stopped, "whole-game")


def _largest(game: Game, regret: np.ndarray) -> np.ndarray:  # (T, B) -> (B,)
    """The largest ratio over the horizons at which a gradient has come."""
    sizes = np.sqrt(np.cumsum(game.trace.scalars["gradient_norm"] ** 2, axis=0)) / np.linalg.norm(
        game.adversary.pattern
    )
    scale = game.adversary.reach * sizes
    return np.max(np.where(scale > 0, regret, 0.0) / np.where(scale > 0, scale, 1.0), axis=0)


def _game(name: str, horizon: int = 100) -> LateSpike:
    structure, domain, pattern = runs.MATCHED[name]
    reach = float(domain.on(structure.shape).support(pattern))
    return LateSpike(pattern, horizon, magnitude=1e4 * horizon, reach=reach)


def _spike(name: str) -> Game:
    structure, domain, _ = runs.MATCHED[name]
    return play_game(runs.tuned(structure, domain), _game(name), 100)


def _descent() -> Game:
    _, domain, pattern = runs.MATCHED["AdaGrad"]
    return play_game(OnlineGradientDescent(pattern.shape, lr=1e-3, domain=domain), _game("AdaGrad"), 100)


def _impostor() -> Game:
    structure, domain, _ = runs.MATCHED["AdaGrad"]
    return Game(_game("AdaGrad"), play_game(runs.tuned(structure, domain), RandomSigns((4,)), 100).trace)


def _simplex() -> Game:
    spike = LateSpike(np.ones(4), 50, magnitude=1e4)
    return play_game(runs.tuned(Diagonal((4,)), Simplex()), spike, 50)


def _stopped() -> Game:
    """The learner is on its way to the far side, and the spike never comes."""
    structure, domain, _ = runs.MATCHED["AdaGrad"]
    return play_game(runs.tuned(structure, domain), _game("AdaGrad"), 1)
