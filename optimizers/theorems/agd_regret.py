r"""Regret of AGD with AMSGrad on a box, α/√t steps and a momentum that may fade.

With n coordinates in a box of side D, :math:`|g_t|_\infty \le G`, :math:`V = \max(2G, \delta)` and
:math:`\beta_{1,t} \le \beta_1` not increasing,

.. math::
    R_T \le \Bigl[\frac{n D^2 V}{2\alpha(1 - \beta_1)} + \frac{n \alpha G^2 (1 + \beta_1)}{(1 - \beta_1)\delta}\Bigr]\sqrt T
    + \frac{n D^2 V}{2\alpha(1 - \beta_1)} \sum_{t \le T} \beta_{1,t} \sqrt t .

The denominator must be :math:`\hat D_t = \max(\sqrt{v_t^{\max}/(1 - \beta_2^t)}, \delta)`: with
:math:`\max(\sqrt{v_t^{\max}}, \delta\sqrt{1 - \beta_2^t})` alone the first steps are too long, and a game of twenty steps on an
interval breaks the bound. Without AMSGrad a sequence of Reddi, Kale and Kumar's kind makes the regret grow linearly.

Source: derived here (docs/proofs/agd.md#regret), in the form of Yue et al. 2023 (their constants are not those here).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import ClassVar

import numpy as np

from optimizers.theorems.agd_games import ASSUMPTIONS, game, largest_gradient, rounding, rule_of, width
from optimizers.theorems.agd_learner import AGDLearner
from optimizers.theorems.agd_runs import repelled, seesaw
from problems.domains import Box
from regret.theorems.constants import rates
from regret.theorems.linear_regret import LinearRegret
from regret.trace import Trace
from theory.citation import Citation
from theory.theorem import Example, Kind

__all__ = ["AGDRegret", "divergent", "interval", "torch_game"]


class AGDRegret(LinearRegret):
    id = "agd-regret"
    title = "Regret of AGD with AMSGrad"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/agd.md#regret", "derived")
    statement = (
        r"R_T \le \Bigl[\frac{n D^2 V}{2\alpha(1 - \beta_1)} + \frac{n\alpha G^2(1 + \beta_1)}{(1 - \beta_1)\delta}\Bigr]\sqrt T "
        r"+ \frac{n D^2 V}{2\alpha(1 - \beta_1)} \sum_{t \le T} \beta_{1,t}\sqrt t, \qquad V = \max(2G, \delta)"
    )
    proof = "docs/proofs/agd.md"
    subject = "AGD with AMSGrad and α/√t steps on a box, every horizon"
    assumptions: ClassVar = ASSUMPTIONS

    def bound(self, run: Trace) -> np.ndarray:  # (T, B)
        rule = rule_of(run.learner)
        if rule is None:
            return np.full_like(run.regret, np.nan)
        t = np.arange(1.0, run.horizon + 1.0)[:, None]
        n, D, G, alpha = prod(run.learner.shape), width(run), largest_gradient(run), rates(run)
        V = np.maximum(2.0 * G, rule.delta)
        distance = n * D**2 * V / (2.0 * alpha * (1.0 - rule.beta1))
        steps = n * alpha * G**2 * (1.0 + rule.beta1) / ((1.0 - rule.beta1) * rule.delta)
        fading = np.cumsum([rule.momentum(s) * s**0.5 for s in range(1, run.horizon + 1)])[:, None]
        return (distance + steps) * np.sqrt(t) + distance * fading

    def budget(self, run: Trace) -> np.ndarray:  # (T, B)
        return rounding(run) + 1e-14 * self.bound(run)

    def examples(self) -> Iterator[Example]:
        yield Example("pushed about on an interval", interval, near_tight=True)
        yield Example("coin flips, momentum that fades", partial(_flips, 300, fading=True, beta1=0.5))
        yield Example("the torch optimizer, without momentum", partial(torch_game, 150, (0.0, 0.999)))
        yield Example("losses on which AGD without AMSGrad diverges", partial(divergent, amsgrad=True))

    def controls(self) -> Iterator[Example]:
        short = partial(interval, corrected=False)
        yield Example(
            "δ's floor without its correction, through the door",
            short,
            expect=("HYPOTHESIS_FAILED",),
            breaks="corrected",
        )
        yield Example(
            "δ's floor without its correction, applied anyway", short, expect=("VIOLATED",), breaks="corrected",
            ignoring=("corrected",),
        )  # fmt: skip
        without = partial(divergent, amsgrad=False)
        yield Example("without AMSGrad, through the door", without, expect=("HYPOTHESIS_FAILED",), breaks="amsgrad")
        yield Example(
            "without AMSGrad, applied anyway", without, expect=("VIOLATED",), breaks="amsgrad", ignoring=("amsgrad",)
        )
        yield Example(
            "the default clip",
            partial(torch_game, 20, (0.0, 0.999), clip="auto"),
            expect=("HYPOTHESIS_FAILED",),
            breaks="agd",
        )


def interval(corrected: bool = True, horizon: int = 20, **options) -> Trace:
    """One number in [-1/2, 1/2] with δ = 2, G = 1 and α = δ/√2: pushed right on the left face, left elsewhere."""
    settings = {"beta1": 0.0, "delta": 2.0, **options}
    learner = AGDLearner((1,), lr=2.0 * 0.5**0.5, domain=Box(0.5), corrected=corrected, **settings)
    return game(learner, repelled, horizon, np.array([[-0.5]]))


def divergent(amsgrad: bool, horizon: int = 2000) -> Trace:
    """The losses 3x, -x, -x on [-1, 1], whose best point is -1: AGD that forgets ends at +1."""
    learner = AGDLearner((1,), lr=1.15, domain=Box(1.0), beta1=0.0, beta2=0.1, delta=1.0, amsgrad=amsgrad)
    return game(learner, seesaw, horizon, np.array([[0.0]]))


def _flips(horizon: int, **options) -> Trace:
    from regret.adversaries import RandomSigns
    from regret.play import play

    learner = AGDLearner((3,), lr=(0.5, 2.0), domain=Box(1.0), delta=1.0, **options)
    return play(learner, RandomSigns((3,)), horizon, batch=2, keep_history=True)


def torch_game(horizon: int, betas: tuple[float, float], **options) -> Trace:
    """The torch optimizer against coin flips that prefer one side, so that regret is positive."""
    from optimizers.agd import AGD
    from optimizers.learner import TorchLearner

    settings = {"betas": betas, "delta": 1.0, "amsgrad": True, "clip": None, **options}
    learner = TorchLearner((2,), AGD, 1.0, settings, Box(1.0), "inverse_sqrt")
    rng = np.random.default_rng(5)
    rows = np.where(rng.random((horizon, 1, 2)) < 0.7, 1.0, -1.0)
    return game_of(learner, rows)


def game_of(learner, rows: np.ndarray) -> Trace:  # (T, B, *shape)
    """A game against fixed gradients, with its history."""
    from regret.adversaries import FixedSequence
    from regret.play import play

    return play(learner, FixedSequence(rows), len(rows), keep_history=True)
