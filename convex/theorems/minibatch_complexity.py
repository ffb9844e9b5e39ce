r"""Mini-batches up to the square root of n cost next to no component gradients.

.. math::
    N(b) &\le \max\Bigl(3n,\; 6 n \sqrt{\frac{\Delta}\epsilon}
    + 8\sqrt2\,\sqrt{4n + b^2}\,\sqrt{\frac{\bar L D^2}\epsilon}\Bigr), \\
    \Delta &= P(x_0) - P_*,\; D = \|z_0 - x_*\|,\; 1 \le b \le n ,

for the number N(b) of component gradients after which the published bound of DASVRDA-ns is at most ε, with γ_* and
:math:`m = \lfloor n/b\rfloor`. Up to :math:`b = \sqrt n` the right side is at most :math:`\sqrt5/2` times that of b = 1, and
there are b times fewer steps.

Source: derived here (docs/proofs/dasvrda.md#mini-batches); the order of the bound is remembered from Murata and Suzuki 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt, sqrt
from typing import ClassVar

import numpy as np

from convex.theorems.plans import Plan
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["MinibatchComplexity"]


def _posed(plan: Plan) -> Check:
    ok = plan.target > 0 and plan.smoothness > 0 and plan.gap >= 0 and all(1 <= b <= plan.samples for b in plan.batches)
    return Check(
        ok, plan.target, f"{len(plan.batches)} mini-batches of at most {max(plan.batches)} out of {plan.samples}"
    )


POSED = Assumption("posed", r"1 \le b \le n, \; \epsilon, \bar L > 0, \; \Delta \ge 0", _posed)


def _one_pass(plan: Plan) -> Check:
    return Check(plan.length is None, 0.0 if plan.length is None else -1.0, f"length {plan.length or 'n/b'}")


ONE_PASS = Assumption("one-pass", r"m = \lfloor n/b \rfloor", _one_pass)


def _best_gamma(plan: Plan) -> Check:
    return Check(plan.gamma is None, 0.0 if plan.gamma is None else -1.0, f"gamma {plan.gamma or 'optimal'}")


BEST_GAMMA = Assumption("best-gamma", r"\gamma = \gamma_*", _best_gamma)


class MinibatchComplexity(Theorem):
    id = "dasvrda-minibatch"
    title = "Mini-batches up to the square root of n cost next to no component gradients"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/dasvrda.md#mini-batches", "derived")
    statement = (
        r"N(b) \le \max\Bigl(3n, \; 6n\sqrt{\Delta/\epsilon} + 8\sqrt2\,\sqrt{4n + b^2}\,\sqrt{\bar L D^2/\epsilon}\Bigr), "
        r"\qquad m = \lfloor n/b\rfloor, \; \gamma = \gamma_*"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "the number of component gradients that the guarantee of DASVRDA-ns asks for, mini-batch by mini-batch"
    assumptions: ClassVar = (POSED, ONE_PASS, BEST_GAMMA)
    axes = ("mini-batch",)

    def measured(self, run: Plan) -> np.ndarray:  # (k,)
        return run.evaluations()

    def bound(self, run: Plan) -> np.ndarray:  # (k,)
        n, b = run.samples, np.array(run.batches, dtype=float)
        momentum = 8.0 * sqrt(2.0) * np.sqrt(4.0 * n + b * b) * sqrt(run.smoothness / run.target) * run.distance
        return np.maximum(3.0 * n, 6.0 * n * sqrt(run.gap / run.target) + momentum)

    def budget(self, run: Plan) -> np.ndarray:
        """N and 3n are integers; the rest of the right side is a few roundings."""
        bound = self.bound(run)
        return np.where(bound > 3.0 * run.samples, 1e-13 * bound, 0.0)

    def examples(self) -> Iterator[Example]:
        yield Example("a distance alone, a million samples", lambda: _plan(10**6, 0.0, 1.0, 1e-9), near_tight=True)
        yield Example("a gap alone", lambda: _plan(10_000, 1.0, 0.0, 1e-8))
        yield Example("a few samples", lambda: Plan(7, 2.0, 0.3, 4.0, 1e-4, tuple(range(1, 8))))
        yield Example("both, up to the whole sum", lambda: _plan(4096, 1.0, 30.0, 1e-5))

    def controls(self) -> Iterator[Example]:
        for name, options, breaks in (
            ("stages of one step", {"length": 1}, "one-pass"),
            ("stages of thirty passes", {"length": 300_000}, "one-pass"),
            ("a gamma beside one", {"gamma": 1.05}, "best-gamma"),
        ):
            yield Example(
                f"{name}, through the door", lambda options=options: _plan(10_000, 0.0, 1.0, 1e-6, **options),
                expect=("HYPOTHESIS_FAILED",), breaks=breaks,
            )  # fmt: skip
            yield Example(
                f"{name}, applied anyway", lambda options=options: _plan(10_000, 0.0, 1.0, 1e-6, **options),
                expect=("VIOLATED",), breaks=breaks, ignoring=(breaks,),
            )  # fmt: skip
        yield Example(
            "a mini-batch larger than the data", lambda: Plan(9, 1.0, 1.0, 1.0, 0.1, (10,), length=1),
            expect=("HYPOTHESIS_FAILED",), breaks="posed",
        )  # fmt: skip


def _plan(n: int, gap: float, distance: float, target: float, **options) -> Plan:
    batches = sorted({1, 2, isqrt(isqrt(n)), isqrt(n), 4 * isqrt(n), n // 3, n // 2 + 1, n})
    return Plan(n, 1.0, gap, distance, target, tuple(batches), **options)
