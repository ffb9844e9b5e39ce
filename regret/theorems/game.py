r"""A game with its adversary: what a lower bound speaks about, because it is the adversary that it praises.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from regret.adversaries.base import Adversary
from regret.learners.base import Learner
from regret.play import play
from regret.theorems.replay import faithful_check
from regret.trace import Trace
from structures.arrays import to_numpy
from theory.theorem import Assumption, Check

__all__ = ["PLAYED", "RECORD", "Game", "play_game"]


@dataclass(frozen=True, eq=False)
class Game:
    """A trace with its history, and who is said to have played it."""

    adversary: Any  # an Adversary; a control may name one that did not play
    trace: Trace


def play_game(learner: Learner, adversary: Adversary, horizon: int, batch: int = 1, seed: int = 0) -> Game:
    """Play to the end against the best point of the domain in hindsight, and keep everything."""
    return Game(adversary, play(learner, adversary, horizon, batch=batch, seed=seed, keep_history=True))


def _played(game: Game) -> Check:
    run = game.trace
    if run.gradients is None or run.iterates is None:
        return Check(None, 0.0, "the history was not kept: play with keep_history=True")
    length = game.adversary.length
    if game.adversary.shape not in (None, run.learner.shape) or (length is not None and length < run.horizon):
        return Check(False, -1.0, f"{game.adversary!r} cannot play {run.horizon} steps of shape {run.learner.shape}")
    stream = game.adversary.start(run.batch, run.seed, run.iterates[0], run.first)
    for t in range(run.horizon):
        expected = to_numpy(stream.gradient(t, run.iterates[t]))
        if not np.allclose(expected, run.gradients[t], rtol=1e-6, atol=1e-9 * np.max(np.abs(expected))):
            return Check(False, -1.0, f"step {t}: the adversary's answer to the recorded iterate is another gradient")
    return Check(True, float("inf"), "every gradient is the adversary's answer to the recorded iterate")


PLAYED = Assumption("played", r"g_t \text{ is the adversary's answer to } x_t", _played)
RECORD = Assumption(
    "faithful", r"\text{the numbers of the trace are those of one game}", lambda game: faithful_check(game.trace)
)
