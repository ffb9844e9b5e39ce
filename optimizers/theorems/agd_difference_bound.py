r"""What AGD squares is at most twice the largest gradient.

.. math:: |g_t|_\infty \le G \ \forall t \implies |s_t|_\infty \le 2 \gamma_t G \le 2G, \qquad
          \gamma_t = \frac{1 - \beta_1}{1 - \beta_1^t},

hence :math:`\hat v_t \le (2G)^2` and :math:`\delta \le D_t/\sqrt{1 - \beta_2^t} \le \max(2G, \delta)`, AMSGrad or not.

Source: derived here (docs/proofs/agd.md#bounds).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from optimizers.reference.agd import Recursion
from optimizers.theorems.agd_identity import CONSTANT
from optimizers.theorems.agd_runs import FAITHFUL, POSED, AGDRun, run_rule, subnormal_rounding
from theory.citation import Citation
from theory.theorem import Example, Kind, Theorem

__all__ = ["AGDDifferenceBound"]


class AGDDifferenceBound(Theorem):
    id = "agd-difference-bound"
    title = "AGD's differences are at most twice the largest gradient"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/agd.md#bounds", "derived")
    statement = (
        r"|s_t|_\infty \le 2\,\frac{1 - \beta_1}{1 - \beta_1^t} \max_{r \le t} |g_r|_\infty \le "
        r"2 \max_{r \le t} |g_r|_\infty"
    )
    proof = "docs/proofs/agd.md"
    subject = "the differences that AGD squares, at every step and coordinate"
    assumptions: ClassVar = (FAITHFUL, POSED, CONSTANT)
    axes = ("step", "coordinate")

    def measured(self, run: AGDRun) -> np.ndarray:  # (T, n)
        return np.abs(run.s)

    def bound(self, run: AGDRun) -> np.ndarray:  # (T, n)
        beta = run.rule.momentum(1)
        largest = np.maximum.accumulate(np.max(np.abs(run.g), axis=1, keepdims=True), axis=0)
        return np.broadcast_to(2.0 * (1.0 - beta) / (1.0 - beta**run.t) * largest, run.s.shape)

    def budget(self, run: AGDRun) -> np.ndarray:  # (T, n)
        lost = run.t + 8.0 + 1.0 / (1.0 - run.rule.momentum(1))
        return 8.0 * float(np.finfo(float).eps) * lost * self.bound(run) + subnormal_rounding(run)

    def examples(self) -> Iterator[Example]:
        yield Example("a gradient that turns round", lambda: _turning(0.0), near_tight=True)
        yield Example("a gradient that turns round, with momentum", lambda: _turning(0.9))
        rng = np.random.default_rng(0)
        yield Example("noise", lambda: _run(0.9, lambda t, x: rng.standard_normal(x.shape)))
        yield Example("a gradient that grows", lambda: _run(0.5, lambda t, x: np.full_like(x, -(1.1**t))))

    def controls(self) -> Iterator[Example]:
        def doubled() -> AGDRun:
            return replace(_turning(0.0), s=2.0 * _turning(0.0).s)

        yield Example(
            "differences twice as large, through the door", doubled, expect=("HYPOTHESIS_FAILED",), breaks="faithful"
        )
        yield Example(
            "differences twice as large, applied anyway", doubled, expect=("VIOLATED",), breaks="faithful",
            ignoring=("faithful",),
        )  # fmt: skip
        yield Example(
            "momentum that fades, through the door", _fading, expect=("HYPOTHESIS_FAILED",), breaks="constant-beta1"
        )
        yield Example(
            "momentum that fades, applied anyway", _fading, expect=("VIOLATED",), breaks="constant-beta1",
            ignoring=("constant-beta1",),
        )  # fmt: skip


def _run(beta1, gradient, n: int = 2, horizon: int = 60) -> AGDRun:
    return run_rule(Recursion(lr=0.01, beta1=beta1), np.zeros(n), gradient, horizon)


def _turning(beta1: float) -> AGDRun:
    """One sign for half of the time, then the other, a little smaller: equality could not be told from rounding."""
    return _run(beta1, lambda t, x: np.full_like(x, 1.0 if t <= 30 else -0.95))


def _fading() -> AGDRun:
    """Momentum that vanishes when the gradient turns: the mean jumps from +1 to -1, ten times as far as β₁ = 0.9 allows."""
    return _run(lambda t: 0.9 if t <= 30 else 0.0, lambda t, x: np.full_like(x, 1.0 if t <= 30 else -1.0))
