r"""Two-sided Shampoo without the rank of the gradients in its bound.

With :math:`A = L^{1/4}`, :math:`B = R^{1/4}`, :math:`D_F = \max_s \|X_s - U\|_F`, :math:`D_{op} = \max_s \|X_s - U\|_{op}`,

.. math::
    \sum_{s \le t} \langle G_s, X_s - U\rangle \;\le\;
        \frac{1}{2\eta} \min\bigl\{ D_F^2 \operatorname{Tr} A_t \operatorname{Tr} B_t,\
        D_{op}^2 (\operatorname{Tr} A_t \|B_t\| + \|A_t\| \operatorname{Tr} B_t) \bigr\}
        + \eta \bigl( (\operatorname{Tr} L_t^{1/2} - m\sqrt\varepsilon)
        (\operatorname{Tr} R_t^{1/2} - n\sqrt\varepsilon) \bigr)^{1/2} .

The published bound has the factor :math:`\sqrt{2r}` with r the rank of the gradients.

Source: derived here (docs/proofs/baselines.md#two-sided-shampoo); Gupta, Koren, Singer 2018, for the bound with the rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from math import prod
from typing import ClassVar

import numpy as np

from regret.learners import TwoSidedShampoo
from regret.theorems.assumptions import FAITHFUL, FINITE, FIXED_COMPARATOR, UNCONSTRAINED
from regret.theorems.budget import euclidean_distance, euclidean_size
from regret.theorems.constants import rates, unit_roundoff
from regret.theorems.linear_regret import LinearRegret
from regret.trace import Trace
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind

__all__ = ["RankFreeShampoo"]


def _is_shampoo(run: Trace) -> Check:
    known = type(run.learner) is TwoSidedShampoo
    return Check(known, 1.0 if known else -1.0, f"the learner is {type(run.learner).__qualname__}")


class RankFreeShampoo(LinearRegret):
    id = "rank-free-shampoo"
    title = "Regret of two-sided Shampoo, for gradients of any rank"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/baselines.md#two-sided-shampoo", "derived")
    statement = (
        r"\sum_{s \le t} \langle G_s, X_s - U\rangle \le "
        r"\frac1{2\eta} \min\bigl\{ D_F^2 \operatorname{Tr} A_t \operatorname{Tr} B_t, "
        r"D_{op}^2 ( \operatorname{Tr} A_t \|B_t\| + \|A_t\| \operatorname{Tr} B_t ) \bigr\} + \eta \sqrt{ "
        r"(\operatorname{Tr} L_t^{1/2} - m\sqrt\varepsilon)(\operatorname{Tr} R_t^{1/2} - n\sqrt\varepsilon) }, "
        r"\quad A = L^{1/4},\ B = R^{1/4}"
    )
    proof = "docs/proofs/baselines.md"
    subject = "unconstrained two-sided Shampoo against a fixed comparator, every horizon"
    assumptions: ClassVar = (
        FAITHFUL,
        Assumption("shampoo", r"X_{t+1} = X_t - \eta L_t^{-1/4} G_t R_t^{-1/4}", _is_shampoo),
        UNCONSTRAINED, FIXED_COMPARATOR, FINITE,
    )  # fmt: skip

    def bound(self, run: Trace) -> np.ndarray:
        s, eta, (m, n) = run.scalars, rates(run), run.learner.shape
        assert run.distances is not None
        frobenius = np.square(run.distances["euclidean"]) * run.trace_root
        mixed = s["trace_left"] * s["top_right"] + s["top_left"] * s["trace_right"]
        operator = np.square(run.distances["operator"]) * mixed
        left = np.maximum(s["trace_left_root"] - m * run.eps**0.5, 0.0)
        right = np.maximum(s["trace_right_root"] - n * run.eps**0.5, 0.0)
        return np.minimum(frobenius, operator) / (2.0 * eta) + eta * np.sqrt(left * right)

    def budget(self, run: Trace) -> np.ndarray:
        """The rounding of the steps, and what the measured moving norms exceed their bound by because roots are rounded.

        A fourth root turns a rounding error u of L into u^{1/4}, so that A_t ⪰ A_{t-1} holds to that precision only.
        """
        d, u, k = prod(run.learner.shape), unit_roundoff(run), max(run.learner.shape)
        reach, bound = euclidean_distance(run), self.bound(run)
        size = run.scalars["top_left"] * run.scalars["top_right"]
        pull = (k * u) ** -0.5 * run.scalars["gradient_norm"]  # two fourth roots of condition 1/(k u) at worst
        steps = 8.0 * d * u * (pull + size * np.maximum(euclidean_size(run), reach) / rates(run)) * reach
        steps = steps + run.scalars["dropped"] * reach
        smallest = np.finfo(np.float64 if u < 1e-12 else np.float32).smallest_subnormal
        lost = float(k * smallest) ** 0.25  # of A and B, where squares underflow
        tops = run.scalars["top_left"] + run.scalars["top_right"] + lost
        order = 2.0 * d * ((16.0 * k * u) ** 0.25 * size + lost * tops) * np.square(reach) / rates(run)
        assert run.energy_before is not None
        assert run.energy_after is not None
        moved = (
            np.cumsum(run.energy_before - run.energy_after, axis=0) / (2.0 * rates(run)) + 0.5 * rates(run) * run.q_sum
        )
        excess = np.minimum(np.maximum(moved - bound, 0.0), np.cumsum(order, axis=0))
        return np.cumsum(steps, axis=0) + excess + 8.0 * (d + 4) * u * np.abs(bound)

    def examples(self) -> Iterable[Example]:
        return _examples()

    def controls(self) -> Iterable[Example]:
        return _controls()


def _game(rates_: tuple[float, ...] = (0.1, 1.0, 10.0), eps: float = 0.01, rank: int = 2) -> Trace:
    """Gaussian 3×4 gradients of a given rank, with a drift, against a fixed comparator."""
    from regret.adversaries import FixedSequence
    from regret.play import play

    rng = np.random.default_rng(rank)
    gradients = rng.standard_normal((150, 3, rank)) @ rng.standard_normal((150, rank, 4)) + 0.3
    learner = TwoSidedShampoo((3, 4), lr=rates_, eps=eps)
    return play(learner, FixedSequence(gradients), 150, batch=len(rates_), comparator=np.full((3, 4), -1.0))


def _flips() -> Trace:
    """A number that grows by the root of its past at every flip: two fourth roots are one square root, as in AdaGrad."""
    from regret.adversaries import HardSequence
    from regret.play import play

    horizon = 300
    game = HardSequence(np.ones((1, 1)), horizon, radius=1.0, rate=2**0.5)
    learner = TwoSidedShampoo((1, 1), lr=2**0.5)
    return play(learner, game, horizon, x0=game.x0, comparator=np.ones((1, 1)))


def _examples() -> Iterator[Example]:
    yield Example("gradients of rank two, three rates", _game)
    yield Example("full rank, hardly damped", partial(_game, eps=1e-8, rank=3))
    yield Example("no damping, rank one", partial(_game, eps=0.0, rank=1))
    yield Example("one number that flips", _flips, near_tight=True)


def _controls() -> Iterator[Example]:
    from regret.theorems import runs

    yield Example(
        "one side only", partial(runs.unconstrained, "LeftKronecker"), expect=("HYPOTHESIS_FAILED",), breaks="shampoo"
    )
    yield from runs.misuse("a distance that is too small", _close, "faithful")


def _close() -> Trace:
    """A run whose distances are reported a thousand times too small."""
    from dataclasses import replace

    run = _game(rates_=(0.01,))
    assert run.distances is not None
    series = {name: 0.001 * values for name, values in run.distances.items()}
    inner = {**run.scalars, "q": 2.0 * run.scalars["q"]}  # and a q that no longer adds up, which is noticed
    return replace(run, distances=series, scalars=inner)
