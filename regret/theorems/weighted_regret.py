r"""The regret theorem of learners that forget: weighted sums and exponential averages of the gradients.

With weight w = 1 (weighted) or w = 1 - β (EMA), :math:`\bar M_t = \beta \bar M_{t-1} + w\,g_t g_t^\top` and
:math:`H_t = P_{\mathcal H}(\bar M_t + \varepsilon I)`,

.. math::
    \sum_{s \le t} \beta^{(t-s)/2} \langle g_s, x_s - u\rangle \le \frac{D_t^2}{2\eta} \operatorname{Tr} H_t
        + \frac\eta w \bigl(\operatorname{Tr} H_t - \beta^{t/2} d\sqrt\varepsilon\bigr)
        + \frac1\eta \sum_{s \le t} \beta^{(t-s)/2} \delta_s .

It is the cumulative theorem for the gradients :math:`\beta^{-s/2} g_s`. The left side is a discounted regret; nothing follows
for the plain one, and indeed the cumulative theorem fails for these learners.

Source: derived here (docs/proofs/regret.md#theorem-r-w); arXiv 2511.20584, Algorithm 1 (the learner).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial
from typing import ClassVar

import numpy as np

from problems.domains import Box, L2Ball
from regret.adversaries import FixedSequence, HardSequence, RandomSigns
from regret.learners import AdaptiveRegularization
from regret.play import play
from regret.rounding import discounted_cumsum
from regret.theorems import runs
from regret.theorems.assumptions import (
    ADAPTIVE,
    COMPARATOR,
    FAITHFUL,
    FEASIBLE,
    FINITE,
    FORGETTING,
    PROJECTED,
    WELL_STRUCTURED,
)
from regret.theorems.budget import rounding_budget
from regret.theorems.constants import damping_trace, distance, rates
from regret.trace import Trace
from structures import Diagonal, Full
from structures.not_structured import MonotoneCone
from theory.citation import Citation
from theory.theorem import Example, Kind, Theorem

__all__ = ["WeightedRegret"]


class WeightedRegret(Theorem):
    id = "weighted-regret"
    title = "Discounted regret of adaptive regularization that forgets"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/regret.md#theorem-r-w", "derived")
    statement = (
        r"\sum_{s \le t} \beta^{(t-s)/2} \langle g_s, x_s - u\rangle \le \frac{D_t^2}{2\eta} \operatorname{Tr} H_t + "
        r"\frac\eta w \bigl(\operatorname{Tr} H_t - \beta^{t/2} d\sqrt\varepsilon\bigr) + "
        r"\frac1\eta \sum_{s \le t} \beta^{(t-s)/2} \delta_s \qquad \text{for every } t \le T,\ u \in \mathcal X"
    )
    proof = "docs/proofs/regret.md"
    subject = "adaptive regularization with weighted or exponentially averaged statistics, every horizon"
    assumptions: ClassVar = (
        FAITHFUL, ADAPTIVE, FORGETTING, WELL_STRUCTURED, FEASIBLE, COMPARATOR, PROJECTED, FINITE,
    )  # fmt: skip

    def measured(self, run: Trace) -> np.ndarray:
        return _discounted(run.discounted_regret)

    def measured_lower(self, run: Trace) -> np.ndarray:
        return _discounted(run.discounted_regret_lower)

    def bound(self, run: Trace) -> np.ndarray:
        eta, weight = rates(run), 1.0 - run.beta if run.accumulate == "ema" else 1.0
        left = run.beta ** (0.5 * np.arange(1, run.horizon + 1)[:, None])
        grown = eta / weight * (run.trace_root - left * damping_trace(run))
        return np.square(distance(run)) / (2.0 * eta) * run.trace_root + grown + run.discounted("gap") / eta

    def budget(self, run: Trace) -> np.ndarray:
        return rounding_budget(run, self.bound(run))

    def trivial(self, run: Trace) -> np.ndarray | None:
        """The discounted sum of the widths of the domain."""
        if run.width_sum is None:
            return None
        widths = np.diff(run.width_sum, axis=0, prepend=0.0)
        return discounted_cumsum(widths, run.beta**0.5)

    def examples(self) -> Iterable[Example]:
        return _examples()

    def controls(self) -> Iterable[Example]:
        return _controls()


def _discounted(series: np.ndarray | None) -> np.ndarray:
    if series is None:
        raise ValueError("the learner does not forget: its run has no discounted regret. Use 'structured-regret'.")
    return series


def _examples() -> Iterator[Example]:
    yield Example("hard sequence, barely forgotten", partial(_hard, 0.99999, 600), near_tight=True)
    yield Example("coin flips, weighted sums", partial(_signs, "weighted"))
    yield Example("coin flips, exponential average", partial(_signs, "ema"))
    yield Example(
        "one-sided Shampoo in the whole space",
        partial(runs.unconstrained, "LeftKronecker", accumulate="weighted", beta=0.9),
    )
    yield Example("a damped average of a turning direction", _turning)


def _controls() -> Iterator[Example]:
    yield Example(
        "sums that do not forget",
        partial(runs.signs, "AdaGrad", 30),
        expect=("HYPOTHESIS_FAILED",),
        breaks="forgetting",
    )
    yield from runs.misuse("decreasing diagonals, barely forgotten", _cone, "well-structured")
    yield from runs.misuse("a comparator outside of the domain", _far, "comparator")


def _hard(beta: float, horizon: int) -> Trace:
    structure, domain, pattern = runs.MATCHED["AdaGrad"]
    game = HardSequence(pattern, horizon)
    return play(runs.tuned(structure, domain, accumulate="weighted", beta=beta), game, horizon, x0=game.x0)


def _signs(accumulate: str) -> Trace:
    learner = runs.tuned(Diagonal((4,)), Box(1.0), accumulate=accumulate, beta=0.98)
    if accumulate == "ema":  # the step of the average is 1/√(1 - β) times that of the sum
        learner = AdaptiveRegularization(Diagonal((4,)), lr=0.2, domain=Box(1.0), accumulate="ema", beta=0.98)
    return play(learner, RandomSigns((4,)), 200, batch=2)


def _turning() -> Trace:
    angles = np.arange(120) / 20.0
    gradients = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    learner = AdaptiveRegularization(Full((2,)), lr=0.2, eps=1e-3, domain=L2Ball(1.0), accumulate="ema", beta=0.95)
    return play(learner, FixedSequence(gradients), 120)


@cache
def _cone() -> Trace:
    dim, beta = 3, 1.0 - 1e-7
    game = runs.Staircase(dim, rate=0.3, growth=0.05, drift=0.03)
    learner = AdaptiveRegularization(MonotoneCone((dim,)), lr=0.3, eps=game.eps, accumulate="weighted", beta=beta)
    return play(learner, game, game.length, comparator=game.comparator)


def _far() -> Trace:
    learner = runs.tuned(Diagonal((1,)), Box(1.0), accumulate="weighted", beta=0.999)
    return play(learner, FixedSequence(-np.ones((200, 1))), 200, comparator=np.array([10.0]))
