r"""Random signs cost every algorithm on a box at least :math:`1/\sqrt 2` of the adaptive norm, in expectation.

With gradients :math:`g_{t,i} = \epsilon_{t,i} a_{t,i}`, independent fair signs and prescribed sizes, on :math:`|x_i| \le R`,

.. math:: \mathbb E\, R_T = R \sum_i \mathbb E \Bigl|\sum_t \epsilon_{t,i} a_{t,i}\Bigr|
          \ge \frac R{\sqrt 2} \sum_i \Bigl(\sum_t a_{t,i}^2\Bigr)^{1/2} \qquad \text{for every algorithm},

because :math:`\mathbb E \langle g_t, x_t\rangle = 0` whatever x_t is, and by Khinchine's inequality with the best constant
(equality for two equal sizes; :math:`\sqrt{2/\pi}` instead of :math:`1/\sqrt 2` for many). The verdict is about
:math:`-\mathbb E R_T \le -\dots`, so that it can be enumerated or confirmed from samples.

Source: derived here (docs/proofs/lower_bounds.md#random-signs); the constant: Szarek 1976, the short proof: Latała and
Oleszkiewicz 1994 (both remembered).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np

from problems.domains import Box
from regret.adversaries import FixedSequence
from regret.adversaries.scaled_signs import EverySign, ScaledSigns
from regret.learners import OnlineGradientDescent
from regret.play import play
from regret.theorems import runs
from regret.theorems.assumptions import FEASIBLE
from regret.theorems.game import PLAYED, RECORD, Game, play_game
from structures import Diagonal
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["RandomSignsValue"]


def _signs(game: Game) -> Check:
    fits = type(game.adversary) in (EverySign, ScaledSigns) and game.trace.horizon == game.adversary.length
    return Check(fits, 1.0 if fits else -1.0, f"{game.trace.horizon} steps were played against {game.adversary!r}")


SIGNS = Assumption("fair-signs", r"g_{t,i} = \epsilon_{t,i} a_{t,i} \text{ with independent fair signs}", _signs)


def _box(game: Game) -> Check:
    fits = isinstance(game.trace.domain, Box) and game.trace.comparator is None
    return Check(fits, 1.0 if fits else -1.0, f"the best point in hindsight of {game.trace.domain}")


BOX = Assumption("box", r"\mathcal X = \{|x_i| \le R\}", _box)
INSIDE = Assumption("feasible", FEASIBLE.statement, lambda game: FEASIBLE.check(game.trace))


class RandomSignsValue(Theorem):
    id = "random-signs-value"
    title = "Random signs cost every algorithm on a box a constant share of the adaptive norm"
    kind = Kind.EXPECTATION
    source = Citation("derived", "docs/proofs/lower_bounds.md#random-signs", "derived")
    statement = (
        r"-\mathbb E \sup_{\|u\|_\infty \le R} \sum_{t \le T} \langle g_t, x_t - u\rangle \le -\frac R{\sqrt 2} \sum_i "
        r"\Bigl(\sum_{t \le T} a_{t,i}^2\Bigr)^{1/2} \qquad \text{for every algorithm}"
    )
    proof = "docs/proofs/lower_bounds.md"
    subject = "any algorithm on a box, against fair signs with prescribed sizes, at the last horizon"
    assumptions: ClassVar = (SIGNS, BOX, INSIDE, PLAYED, RECORD)
    axes = ("seed",)

    def measured(self, run: Game) -> np.ndarray:  # (B,)
        return -run.trace.regret_lower[-1]

    def measured_lower(self, run: Game) -> np.ndarray:
        return -run.trace.regret[-1]

    def bound(self, run: Game) -> float:
        columns = np.sqrt(np.sum(run.adversary.magnitudes**2, axis=0))
        return -_radius(run) * float(np.sum(columns)) / math.sqrt(2.0)

    def budget(self, run: Game) -> float:
        """A few square roots and one sum, and the width of the bracket: an enumerated mean is taken from its upper end."""
        return 1e-12 * abs(self.bound(run)) + float(np.max(run.trace.regret[-1] - run.trace.regret_lower[-1]))

    def support(self, run: Game) -> tuple[float, float]:
        """|<g_t, x_t>| and what the best point saves are at most R times the sum of all sizes."""
        most = _radius(run) * float(np.sum(run.adversary.magnitudes)) * (1.0 + 1e-9)
        return -2.0 * most, most

    def exact(self, run: Game) -> float | None:
        """The mean over all choices of signs, when all of them were played."""
        game = run.adversary
        if not isinstance(game, EverySign) or run.trace.batch != game.paths:
            return None
        return math.fsum(self.measured(run)) / game.paths

    def examples(self) -> Iterable[Example]:
        nearly = np.array([[1.0], [1.01]])
        yield Example("two nearly equal steps, all signs", partial(_every, nearly), near_tight=True)
        yield Example("eight steps of growing size, all signs", partial(_every, np.arange(1.0, 9.0)[:, None]))
        yield Example(
            "two coordinates, all signs", partial(_every, np.array([[1.0, 2.0], [3.0, 1.0], [0.5, 1.0], [2.0, 2.0]]))
        )
        yield Example("gradient descent, all signs", _descent)
        yield Example("sixteen steps in four dimensions, sampled", _sampled)

    def controls(self) -> Iterator[Example]:
        yield Example("other signs than announced", _shifted, expect=("HYPOTHESIS_FAILED",), breaks="played")
        yield Example("no gradients at all", _silent, expect=("HYPOTHESIS_FAILED",), breaks="played")
        yield Example(
            "no gradients at all, applied anyway", _silent, expect=("REFUTED",), breaks="played", ignoring=("played",)
        )


def _radius(game: Game) -> float:
    domain = game.trace.domain
    return domain.r if isinstance(domain, Box) else float("nan")


def _every(magnitudes: np.ndarray) -> Game:
    game = EverySign(magnitudes)
    return play_game(runs.tuned(Diagonal(game.shape), Box(1.0)), game, game.length, batch=game.paths)


def _descent() -> Game:
    game = EverySign(np.array([[1.0], [2.0], [1.0], [0.5], [1.0], [3.0]]))
    return play_game(OnlineGradientDescent((1,), lr=0.2, domain=Box(2.0)), game, game.length, batch=game.paths)


def _sampled() -> Game:
    game = ScaledSigns(np.ones((16, 4)))
    return play_game(runs.tuned(Diagonal((4,)), Box(1.0)), game, game.length, batch=2000)


def _shifted() -> Game:
    """Element b is said to play the signs of b, but plays those of b + 8."""
    game = EverySign(np.ones((4, 1)))
    trace = play(runs.tuned(Diagonal((1,)), Box(1.0)), game, 4, batch=8, first=8, keep_history=True)
    return Game(game, replace(trace, first=0))


def _silent() -> Game:
    game = EverySign(np.ones((4, 1)))
    learner = runs.tuned(Diagonal((1,)), Box(1.0))
    return Game(game, play(learner, FixedSequence(np.zeros((4, 1))), 4, batch=game.paths, keep_history=True))
