r"""Against orthogonal play every algorithm has the same regret, exactly: nothing can be learned.

On the spectral ball of radius R with :math:`n \ge 3m`, hence on the Euclidean ball in three or more dimensions (m = 1),

.. math:: \sup_{\|U\|_{\mathrm{op}} \le R} \sum_{s \le t} \langle G_s, X_s - U\rangle
          = R \operatorname{Tr}\Bigl(\sum_{s \le t} G_s G_s^\top\Bigr)^{1/2} \qquad \text{at every horizon},

with row lengths and magnitudes prescribed in advance. A bound with a constant below 1 in front of the right side is therefore
false for every algorithm; adaptive regularization has :math:`2\sqrt 2`.

Source: derived here (docs/proofs/lower_bounds.md#orthogonal-play); for vectors Abernethy et al. 2008 (remembered).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from problems.domains import Box, Domain, L2Ball, SpectralBall
from regret.adversaries import RandomSigns
from regret.adversaries.orthogonal_play import OrthogonalPlay
from regret.learners import OnlineGradientDescent
from regret.theorems import runs
from regret.theorems.constants import unit_roundoff
from regret.theorems.game import PLAYED, RECORD, Game, play_game
from regret.theorems.gradient_statistics import nuclear
from structures import Diagonal, Full, LeftKronecker
from structures.base import Structure
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["OrthogonalValue"]


def _ball(game: Game) -> Check:
    run = game.trace
    shape = run.learner.shape
    fits = isinstance(run.domain, SpectralBall) or (isinstance(run.domain, L2Ball) and len(shape) == 1)
    return Check(fits and run.comparator is None, 1.0 if fits else -1.0, f"the best point in hindsight of {run.domain}")


BALL = Assumption("ball", r"\mathcal X = \{\|X\|_{\mathrm{op}} \le R\} \text{ or } \{\|x\|_2 \le R\}", _ball)


def _orthogonal(game: Game) -> Check:
    fits = type(game.adversary) is OrthogonalPlay
    return Check(fits, 1.0 if fits else -1.0, f"the adversary is {game.adversary!r}")


ORTHOGONAL = Assumption("orthogonal-play", r"G_t X_t^\top = 0,\ G_t S_{t-1}^\top = 0", _orthogonal)


class OrthogonalValue(Theorem):
    id = "orthogonal-play-value"
    title = "The regret of every algorithm against orthogonal play"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/lower_bounds.md#orthogonal-play", "derived")
    statement = (
        r"\sup_{\|U\|_{\mathrm{op}} \le R} \sum_{s \le t} \langle G_s, X_s - U\rangle = R \operatorname{Tr}\Bigl("
        r"\sum_{s \le t} G_s G_s^\top\Bigr)^{1/2} \qquad \text{for every algorithm and every } t \le T"
    )
    proof = "docs/proofs/lower_bounds.md"
    subject = "any algorithm on a spectral or Euclidean ball, against orthogonal play, every horizon"
    assumptions: ClassVar = (ORTHOGONAL, BALL, PLAYED, RECORD)

    def measured(self, run: Game) -> np.ndarray:
        return run.trace.regret

    def measured_lower(self, run: Game) -> np.ndarray:
        return run.trace.regret_lower

    def bound(self, run: Game) -> np.ndarray:
        return _radius(run) * nuclear(np.swapaxes(_matrices(run), -1, -2))

    def budget(self, run: Game) -> np.ndarray:
        """Inner products that should vanish are rounded; they enter the nuclear norm divided by the shortest row."""
        G = _matrices(run)
        lengths = np.linalg.norm(G, axis=-1)
        shortest = np.min(np.where(lengths > 0, lengths, np.inf), axis=-1)
        spread = np.max(lengths, axis=-1) / np.where(np.isfinite(shortest), shortest, 1.0)
        total = np.cumsum(spread * np.linalg.norm(G, axis=(-2, -1)), axis=0)
        rounding = 64.0 * unit_roundoff(run.trace) * sum(G.shape[-2:]) * _radius(run) * G.shape[-2] ** 0.5
        return rounding * total + (run.trace.regret - run.trace.regret_lower)

    def examples(self) -> Iterable[Example]:
        yield Example("full-matrix AdaGrad on a ball", partial(_play, Full((3,)), L2Ball(2.0)), near_tight=True)
        yield Example(
            "one-sided Shampoo, two rows of different length",
            partial(_play, LeftKronecker((2, 6)), SpectralBall(1.0), (1.0, 0.2)),
        )
        yield Example("gradient descent", _descent)

    def controls(self) -> Iterator[Example]:
        yield from runs.misuse("coin flips", _impostor, "played")
        yield from runs.misuse("a box", partial(_play, Diagonal((4,)), Box(1.0)), "ball")


def _radius(game: Game) -> float:
    return float("nan") if game.trace.domain is None else game.trace.domain.size


def _matrices(game: Game) -> np.ndarray:  # (T, B, m, n)
    gradients = game.trace.gradients
    if gradients is None:
        raise ValueError("the value is a function of the recorded gradients: play with keep_history=True.")
    return gradients if gradients.ndim == 4 else gradients[:, :, None, :]


def _play(structure: Structure, domain: Domain, rows: float | tuple[float, ...] = 1.0) -> Game:
    game = OrthogonalPlay(structure.shape, rows, magnitudes=(1.0, 3.0, 0.1))
    return play_game(runs.tuned(structure, domain), game, 120)


def _descent() -> Game:
    return play_game(OnlineGradientDescent((3,), lr=0.3, domain=L2Ball(1.0)), OrthogonalPlay((3,)), 120)


def _impostor() -> Game:
    domain = L2Ball(1.0)
    return Game(OrthogonalPlay((3,)), play_game(runs.tuned(Full((3,)), domain), RandomSigns((3,)), 60).trace)
