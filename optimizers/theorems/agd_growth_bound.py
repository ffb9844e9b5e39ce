r"""How fast AGD's steps can grow at all: the worst gradients let the update grow like the square root of a geometric series.

.. math:: \frac{|\hat m_t|}{\sqrt{\hat v_t}} \le \frac{1}{1 - \beta_2}\sqrt{(1 - \beta_2^t)(\beta_2^{1-t} - \beta_2)},
          \qquad \text{equality for } s_r \propto \beta_2^{r - t},\ \text{always at } t = 1.

The mean is the sum of the differences, :math:`\hat m_t = \sum_{r \le t} s_r`, and the inequality is that of Cauchy and Schwarz.
No gradients make the step longer, so that a clip above this bound is none; the constant gradient, which grows at the same
rate for large t, comes within a factor :math:`\sqrt{1 - \beta_2}` of it.

Source: derived here (docs/proofs/agd.md#constant-gradients).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.reference.agd import Recursion
from optimizers.theorems.agd_identity import CONSTANT
from optimizers.theorems.agd_runs import FAITHFUL, POSED, AGDRun, run_rule, subnormal_rounding
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["AGDGrowthBound"]


def _ema(run: AGDRun) -> Check:
    ok = not run.rule.amsgrad and bool(np.any(run.g != 0.0)) and run.horizon > 1 and run.rule.beta2 > 0.0
    words = (
        f"AMSGrad {run.rule.amsgrad}, {run.horizon} steps, β₂ = {run.rule.beta2}, |g| up to {np.max(np.abs(run.g)):.3g}"
    )
    return Check(ok, 1.0 if ok else -1.0, words)


EMA = Assumption(
    "moving-average", r"v_t = \beta_2 v_{t-1} + (1 - \beta_2) s_t^2, \; g \ne 0, \; \beta_2 > 0, \; T \ge 2", _ema
)


class AGDGrowthBound(Theorem):
    id = "agd-growth-bound"
    title = "How fast AGD's steps can grow"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/agd.md#constant-gradients", "derived")
    statement = (
        r"t \ge 2: \quad |\hat m_t| \le \frac{1}{1 - \beta_2}\sqrt{(1 - \beta_2^t)(\beta_2^{1-t} - \beta_2)}"
        r"\;\sqrt{\hat v_t}"
    )
    proof = "docs/proofs/agd.md"
    subject = "the momentum of AGD beside the mean square of its changes, at every step and coordinate"
    assumptions: ClassVar = (FAITHFUL, POSED, CONSTANT, EMA)
    axes = ("step after the first", "coordinate")

    def measured(self, run: AGDRun) -> np.ndarray:  # (T - 1, n)
        return (np.abs(run.m) / (1.0 - run.rule.momentum(1) ** run.t))[1:]

    def bound(self, run: AGDRun) -> np.ndarray:  # (T - 1, n)
        return self._growth(run) * np.sqrt(run.vhat[1:])

    def _growth(self, run: AGDRun) -> np.ndarray:  # (T - 1, 1)
        beta2, t = run.rule.beta2, run.t[1:]
        with np.errstate(over="ignore"):  # a bound beyond all numbers decides nothing
            return np.sqrt((1.0 - beta2**t) * (beta2 ** (1.0 - t) - beta2)) / (1.0 - beta2)

    def budget(self, run: AGDRun) -> np.ndarray:  # (T - 1, n)
        """Relative roundings of both sides, and those of a difference, u times the largest gradient, grown like the rest."""
        u, beta2 = float(np.finfo(float).eps), run.rule.beta2
        lost = run.t + 16.0 + 1.0 / (1.0 - run.rule.momentum(1)) + 1.0 / (1.0 - beta2)
        largest = np.maximum.accumulate(np.abs(run.g), axis=0)
        lowest = self._growth(run) * np.sqrt(
            run.t[1:] * float(np.finfo(float).tiny) / (1.0 - beta2)
        )  # squares that vanish
        return 8.0 * u * lost[1:] * (self.bound(run) + (largest * run.t)[1:]) + lowest + subnormal_rounding(run)[1:]

    def examples(self) -> Iterator[Example]:
        yield Example("the worst gradients", _worst, near_tight=True)
        rng = np.random.default_rng(0)
        yield Example("noise around a mean", lambda: _run(0.9, 0.99, lambda t, x: 0.5 + rng.standard_normal(3), 200))
        yield Example("a gradient that grows", lambda: _run(0.0, 0.9, lambda t, x: np.full(3, 1.05**t), 200))

    def controls(self) -> Iterator[Example]:
        def peaked() -> AGDRun:
            """Most of what v sees is forgotten, while the mean keeps it: β₂ stands for one that forgets faster."""
            from dataclasses import replace

            run = _worst()
            return replace(run, rule=replace(run.rule, beta2=0.95))

        yield Example("another β₂, through the door", peaked, expect=("HYPOTHESIS_FAILED",), breaks="faithful")
        yield Example(
            "another β₂, applied anyway", peaked, expect=("VIOLATED",), breaks="faithful", ignoring=("faithful",)
        )


def _run(beta1: float, beta2: float, gradient, horizon: int) -> AGDRun:
    return run_rule(Recursion(beta1=beta1, beta2=beta2), np.zeros(3), gradient, horizon)


def _worst(horizon: int = 40) -> AGDRun:
    """Without momentum the mean is the gradient: g_t = Σ s_r; a start of one and a half keeps equality away."""
    ages = np.arange(horizon - 1.0, -1.0, -1.0)
    rows = np.cumsum(0.9**-ages * np.where(ages == horizon - 1.0, 1.5, 1.0))
    return _run(0.0, 0.9, lambda t, x: np.array([1.0, -2.0, 0.1]) * rows[t - 1], horizon)
