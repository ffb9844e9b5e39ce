r"""Regret of AGD with AMSGrad on a box with a constant momentum: O(√T) without any fading, from the run's own numbers.

With :math:`x_{t+1} = \Pi(x_t - \eta_t \odot m_t)`, rates that never increase in any coordinate, and
:math:`\kappa_t = \beta_{1,t}/(1 - \beta_{1,t})` not increasing,

.. math::
    R_T \le \sum_i \frac{D^2}{2\eta_{T,i}}
    + \sum_{t \le T} \bigl(\tfrac12 + \kappa_{t+1}[t < T]\bigr) \sum_i \eta_{t,i} m_{t,i}^2
    + D \sum_i \Bigl( \kappa_T |m_{T,i}| + \sum_{t < T} (\kappa_t - \kappa_{t+1}) |m_{t,i}| \Bigr),

so that :math:`R_T \le \bigl[\frac{n D^2 V}{2\alpha} + \frac{n\alpha G^2(1 + \beta_1)}{(1 - \beta_1)\delta}\bigr]\sqrt T
+ \frac{\beta_1}{1 - \beta_1} n D G`: the published form loses a factor :math:`1 - \beta_1` in the first term, and its third term
grows like :math:`T^{3/2}` when the momentum does not fade.

Source: derived here (docs/proofs/agd.md#regret-sharp); the decomposition of <g, x - u> by the momentum is that of Alacaoglu,
Malitsky, Mertikopoulos and Cevher 2020 (remembered).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from optimizers.theorems.agd_games import ASSUMPTIONS, rounding, rule_of, statistics, width
from optimizers.theorems.agd_learner import AGDLearner
from optimizers.theorems.agd_regret import divergent, game_of, interval, torch_game
from problems.domains import Box
from regret.theorems.linear_regret import LinearRegret
from regret.trace import Trace
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind

__all__ = ["AGDRegretSharp"]


def _history(run: Trace) -> Check:
    known = run.gradients is not None
    return Check(True if known else None, 1.0, "the history was kept" if known else "play with keep_history=True")


HISTORY = Assumption("history", r"g_1, \dots, g_T \text{ are recorded}", _history)


class AGDRegretSharp(LinearRegret):
    id = "agd-regret-sharp"
    title = "Regret of AGD with AMSGrad and constant momentum"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/agd.md#regret-sharp", "derived")
    statement = (
        r"R_T \le \sum_i \frac{D^2}{2\eta_{T,i}} + \sum_{t \le T} \bigl(\tfrac12 + \kappa_{t+1}[t < T]\bigr) \sum_i "
        r"\eta_{t,i} m_{t,i}^2 + D \sum_i \Bigl(\kappa_T |m_{T,i}| + \sum_{t < T} (\kappa_t - \kappa_{t+1}) |m_{t,i}|\Bigr), "
        r"\qquad \kappa_t = \frac{\beta_{1,t}}{1 - \beta_{1,t}}, \; \eta_{t,i} = \frac{\alpha}{\sqrt t\,\hat D_{t,i}}"
    )
    proof = "docs/proofs/agd.md"
    subject = "AGD with AMSGrad and α/√t steps on a box, constant or fading momentum, every horizon"
    assumptions: ClassVar = (*ASSUMPTIONS, HISTORY)

    def bound(self, run: Trace) -> np.ndarray:  # (T, B)
        rule = rule_of(run.learner)
        if rule is None or run.gradients is None:
            return np.full_like(run.regret, np.nan)
        m, eta = statistics(run)
        betas = np.array([rule.momentum(t) for t in range(1, run.horizon + 2)])
        kappa = (betas / (1.0 - betas))[:, None]  # κ_1, ..., κ_{T+1}
        energy, size = np.sum(eta * m * m, axis=-1), np.sum(np.abs(m), axis=-1)
        turned = np.cumsum((0.5 + kappa[1:]) * energy, axis=0) - kappa[1:] * energy
        faded = (kappa[:-1] - kappa[1:]) * size
        last = kappa[:-1] * size + np.cumsum(faded, axis=0) - faded
        return width(run) ** 2 * np.sum(0.5 / eta, axis=-1) + turned + width(run) * last

    def budget(self, run: Trace) -> np.ndarray:  # (T, B)
        return rounding(run) + 1e-14 * self.bound(run)

    def examples(self) -> Iterator[Example]:
        yield Example("one gradient across an interval", _across, near_tight=True)
        yield Example("pushed about on an interval", interval)
        yield Example("the torch optimizer with its default momentum", partial(torch_game, 300, (0.9, 0.999)))
        yield Example("losses on which AGD without AMSGrad diverges", partial(divergent, amsgrad=True))
        yield Example("momentum that fades", partial(_leaning, fading=True))
        yield Example("a bias-corrected momentum", partial(_leaning, debias=True))

    def controls(self) -> Iterator[Example]:
        short = partial(interval, corrected=False, horizon=12)
        yield Example(
            "δ's floor without its correction, through the door",
            short,
            expect=("HYPOTHESIS_FAILED",),
            breaks="corrected",
        )
        without = partial(divergent, amsgrad=False)
        yield Example("without AMSGrad, through the door", without, expect=("HYPOTHESIS_FAILED",), breaks="amsgrad")
        yield Example(
            "without AMSGrad, applied anyway", without, expect=("VIOLATED",), breaks="amsgrad", ignoring=("amsgrad",)
        )


def _across() -> Trace:
    """From one face to the other: with η = D/G the first step arrives, and the bound is met at T = 1 but for a hundredth."""
    learner = AGDLearner((1,), lr=2.0 * 1.01, domain=Box(1.0), beta1=0.0, delta=2.0)
    return _played(learner, np.concatenate([np.full((1, 1, 1), 2.0), np.full((199, 1, 1), 0.2)]), 1.0)


def _played(learner: AGDLearner, rows: np.ndarray, start: float) -> Trace:
    from regret.adversaries import FixedSequence
    from regret.play import play

    return play(learner, FixedSequence(rows), len(rows), x0=np.full((1, 1), start), keep_history=True)


def _leaning(**options) -> Trace:
    """Gradients that prefer one side, of sizes that grow."""
    learner = AGDLearner((2,), lr=1.0, domain=Box(1.0), delta=0.5, **options)
    rng = np.random.default_rng(2)
    sizes = np.linspace(0.1, 1.0, 300)[:, None, None]
    return game_of(learner, sizes * np.where(rng.random((300, 1, 2)) < 0.8, 1.0, -1.0))
