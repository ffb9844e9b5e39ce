r"""Online gradient descent: the baseline that every preconditioner is compared with.

.. math::
    \sum_{s \le t} \langle g_s, x_s - u\rangle \;\le\; \frac{D_t^2}{2\eta_t} + \sum_{s \le t} \frac{\eta_s}{2} \|g_s\|_2^2
        + \text{(gaps)}, \qquad D_t = \max_{s \le t} \|x_s - u\|_2,\quad \eta_t \text{ not increasing.}

Proof: :math:`\langle g_s, x_s - u\rangle \le \frac{1}{2\eta_s}(\|x_s - u\|^2 - \|x_{s+1} - u\|^2) + \frac{\eta_s}{2}\|g_s\|^2`,
and summation by parts with :math:`1/\eta_s` increasing.

Source: Zinkevich 2003, Theorem 1; the anytime form with gaps is derived here (docs/proofs/baselines.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from math import prod
from typing import ClassVar, Literal

import numpy as np

from regret.learners import OnlineGradientDescent
from regret.theorems.assumptions import COMPARATOR, FAITHFUL, FEASIBLE, FINITE, PROJECTED
from regret.theorems.budget import euclidean_distance, euclidean_size
from regret.theorems.constants import distance, rates, unit_roundoff
from regret.theorems.linear_regret import LinearRegret
from regret.trace import Trace
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind

__all__ = ["GradientDescentRegret"]


def _is_gradient_descent(run: Trace) -> Check:
    known = type(run.learner) is OnlineGradientDescent
    return Check(known, 1.0 if known else -1.0, f"the learner is {type(run.learner).__qualname__}")


GRADIENT_DESCENT = Assumption(
    "gradient-descent", r"x_{t+1} = \Pi_{\mathcal X}(x_t - \eta_t g_t),\ \eta_{t+1} \le \eta_t", _is_gradient_descent
)


class GradientDescentRegret(LinearRegret):
    id = "online-gradient-descent"
    title = "Regret of online gradient descent"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/baselines.md#online-gradient-descent", "derived")
    statement = (
        r"\sum_{s \le t} \langle g_s, x_s - u\rangle \le \frac{D_t^2}{2\eta_t} + \sum_{s \le t} \frac{\eta_s}{2} \|g_s\|_2^2 "
        r"+ \sum_{s \le t} \frac{\delta_s}{\eta_s}, \qquad D_t = \max_{s \le t} \|x_s - u\|_2"
    )
    proof = "docs/proofs/baselines.md"
    subject = "online gradient descent with a constant or an inverse-root step, every horizon"
    assumptions: ClassVar = (
        FAITHFUL, GRADIENT_DESCENT, FEASIBLE, COMPARATOR, PROJECTED, FINITE,
    )  # fmt: skip

    def bound(self, run: Trace) -> np.ndarray:
        eta, slowdown = rates(run), run.trace_root / prod(run.learner.shape)  # η_t = η / slowdown_t
        return np.square(distance(run)) * slowdown / (2.0 * eta) + 0.5 * eta * run.q_sum + run.gap_sum / eta

    def budget(self, run: Trace) -> np.ndarray:
        """The rounding of a step, ``8 d u (‖g‖ + ‖x‖/η_t)`` against the distance, and of the bound's own sums."""
        d, u, reach = prod(run.learner.shape), unit_roundoff(run), euclidean_distance(run)
        moved = run.trace_root / d * np.maximum(euclidean_size(run), reach) / rates(run)
        steps = 8.0 * d * u * (run.scalars["gradient_norm"] + moved) * reach
        return np.cumsum(steps, axis=0) + 8.0 * (d + 4) * u * np.abs(self.bound(run))

    def examples(self) -> Iterable[Example]:
        return _examples()

    def controls(self) -> Iterable[Example]:
        return _controls()


def _steady(
    lr: float = 0.0101, schedule: Literal["constant", "inverse_sqrt"] = "constant", horizon: int = 200
) -> Trace:
    """One gradient over and over, from the far side of the ball: lr = 2/T just arrives, and meets D²/2η + ηT/2."""
    from problems.domains import L2Ball
    from regret.adversaries import FixedSequence
    from regret.play import play

    learner = OnlineGradientDescent((2,), lr=lr, domain=L2Ball(1.0), schedule=schedule)
    gradients = np.tile([1.0, 0.0], (horizon, 1))
    return play(learner, FixedSequence(gradients), horizon, x0=np.array([[1.0, 0.0]]))


def _examples() -> Iterator[Example]:
    from problems.domains import Box, L2Ball
    from regret.theorems import runs

    yield Example("one gradient across the ball", _steady, near_tight=True)
    yield Example("one gradient, shrinking steps", partial(_steady, 1.0, "inverse_sqrt"))
    for name, domain in (("AdaGrad-Norm", L2Ball(1.0)), ("AdaGrad", Box(1.0))):
        learner = OnlineGradientDescent((4,), lr=0.1, domain=domain)
        yield Example(f"coin flips on a {type(domain).__name__}", partial(runs.signs, name, 200, learner=learner))


def _controls() -> Iterator[Example]:
    from regret.theorems import runs

    yield Example(
        "an adaptive learner",
        partial(runs.signs, "AdaGrad", 50),
        expect=("HYPOTHESIS_FAILED",),
        breaks="gradient-descent",
    )
    yield from runs.misuse("a comparator outside of the domain", _far, "comparator")


def _far() -> Trace:
    """A distance claimed to be that of the domain, though the comparator is ten times as far."""
    from dataclasses import replace

    from problems.domains import L2Ball
    from regret.adversaries import FixedSequence
    from regret.play import play

    learner = OnlineGradientDescent((1,), lr=0.1, domain=L2Ball(1.0))
    run = play(learner, FixedSequence(-np.ones((400, 1))), 400, comparator=np.array([10.0]))
    assert run.distance is not None
    return replace(run, distance=np.minimum(run.distance, 2.0))
