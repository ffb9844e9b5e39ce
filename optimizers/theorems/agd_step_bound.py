r"""No coordinate of AGD moves farther than SGD with learning rate lr/δ would along the largest gradient.

.. math:: |x_{t+1} - x_t|_\infty \le \eta_t\,\frac{G}{\delta}, \qquad
          |x_{t+1} - x_t|_\infty \le \frac{\eta_t}{1 - \beta_1} \text{ with the clip "auto"} .

Source: derived here (docs/proofs/agd.md#bounds).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.reference.agd import Recursion
from optimizers.theorems.agd_runs import (
    FAITHFUL,
    POSED,
    RESOLVED,
    AGDRun,
    relative_rounding,
    run_rule,
    subnormal_rounding,
)
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["CORRECTED", "AGDStepBound"]


def _corrected(run: AGDRun) -> Check:
    ok = run.rule.corrected
    return Check(
        ok, 1.0 if ok else -1.0, "the step has the factor √(1 - β₂^t)" if ok else "the factor √(1 - β₂^t) is missing"
    )


CORRECTED = Assumption(
    "corrected", r"\hat D_t = \max(\sqrt{v_t/(1 - \beta_2^t)}, \delta) \text{ divides the step}", _corrected
)


class AGDStepBound(Theorem):
    id = "agd-step-bound"
    title = "AGD's longest step"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/agd.md#bounds", "derived")
    statement = (
        r"|x_{t+1} - x_t|_\infty \le \eta_t \min\Bigl(\frac{\max_{r \le t} |g_r|_\infty}{\delta}, c\Bigr), \qquad "
        r"c = \frac1{1 - \beta_{1,t}} \text{ with the default clip, else } \infty"
    )
    proof = "docs/proofs/agd.md"
    subject = "the steps of AGD without weight decay and projection, at every coordinate"
    assumptions: ClassVar = (FAITHFUL, POSED, CORRECTED, RESOLVED)
    axes = ("step", "coordinate")

    def measured(self, run: AGDRun) -> np.ndarray:  # (T, n)
        return np.abs(run.moved)

    def bound(self, run: AGDRun) -> np.ndarray:  # (T, n)
        rates = run.rates
        largest = np.maximum.accumulate(np.max(np.abs(run.g), axis=1, keepdims=True), axis=0)
        clip = np.full_like(rates, np.inf)
        if run.rule.clip == "auto":
            clip = np.array([1.0 / (1.0 - run.rule.momentum(t)) for t in range(1, run.horizon + 1)])[:, None]
        return np.broadcast_to(rates * np.minimum(largest / run.rule.delta, clip), run.moved.shape)

    def budget(self, run: AGDRun) -> np.ndarray:  # (T, n)
        """Rounding of the mean and of the corrections, and of a ratio m/D or a step that is subnormal itself."""
        lost, unit = subnormal_rounding(run), 8.0 * float(np.finfo(float).smallest_subnormal)
        ratio = unit / (1.0 - run.largest_beta1)  # what 1/(1 - Πβ₁) makes of it
        return relative_rounding(run) * self.bound(run) + run.rates * (lost / run.rule.delta + ratio) + unit

    def examples(self) -> Iterator[Example]:
        yield Example("a constant gradient, SGD in the end", lambda: _constant(1e-2, None, 400), near_tight=True)
        yield Example("a constant gradient, just before the clip", lambda: _constant(1e-6, "auto", 22))
        yield Example("noise, δ beyond all differences", _noise)

    def controls(self) -> Iterator[Example]:
        def bare() -> AGDRun:
            return _run(Recursion(delta=0.1, corrected=False), lambda t, x: np.full_like(x, 1.0), 200)

        yield Example(
            "without the corrections, through the door", bare, expect=("HYPOTHESIS_FAILED",), breaks="corrected"
        )
        yield Example(
            "without the corrections, applied anyway", bare, expect=("VIOLATED",), breaks="corrected",
            ignoring=("corrected",),
        )  # fmt: skip


def _run(rule: Recursion, gradient, horizon: int) -> AGDRun:
    return run_rule(rule, np.zeros(2), gradient, horizon)


def _constant(delta: float, clip: str | None, horizon: int) -> AGDRun:
    """Until the differences are forgotten; the first gradient is the largest, because equality is not told from rounding."""
    rule = Recursion(beta1=0.9, beta2=0.9, delta=delta, clip=clip)
    return _run(rule, lambda t, x: np.array([1.0, -0.5]) * (1.01 if t == 1 else 1.0), horizon)


def _noise() -> AGDRun:
    rng = np.random.default_rng(0)
    return _run(Recursion(delta=10.0), lambda t, x: (t > 1) * rng.standard_normal(x.shape), 200)
