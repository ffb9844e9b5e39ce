r"""While δ exceeds every root mean square of the differences, AGD is SGD with momentum and learning rate lr/δ, exactly.

.. math:: \sqrt{\hat v_t} \le \delta \ \forall t \implies x_{t+1} = x_t - \frac{\eta_t}{\delta}\,\hat m_t .

:math:`\delta \ge 2G` is enough. A coordinate that satisfies it at step t takes such a step at step t (the switch).

Source: derived here (docs/proofs/agd.md#switch); the switch is Yue et al. 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np

from optimizers.reference.agd import Recursion
from optimizers.theorems.agd_identity import CONSTANT
from optimizers.theorems.agd_runs import (
    FAITHFUL,
    POSED,
    RESOLVED,
    AGDRun,
    relative_rounding,
    run_rule,
    subnormal_rounding,
)
from optimizers.theorems.agd_step_bound import CORRECTED
from optimizers.theorems.resolution import resolved
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["AGDSGDLimit"]


def _smooth(run: AGDRun) -> Check:
    room = run.rule.delta - float(np.sqrt(np.max(run.vhat)))
    return Check(room >= 0.0, room, f"δ exceeds the largest √v̂ by {room:.3g}")


def _bare(run: AGDRun) -> Check:
    rule = run.rule
    ok = rule.clip is None and rule.weight_decay == 0.0 and rule.project is None and rule.debias
    return Check(
        ok,
        1.0 if ok else -1.0,
        "neither clip nor weight decay nor projection" if ok else "clip, decay, projection, or no bias correction of m",
    )


SMOOTH = Assumption("sgd-mode", r"\sqrt{\hat v_t} \le \delta", _smooth)
BARE = Assumption("bare", r"\text{no clip, no weight decay, no projection, } \hat m_t \text{ in the step}", _bare)


def _moving(run: AGDRun) -> Check:
    """Far from the origin an iterate has no digits left for its steps, and any steps would pass."""
    if not POSED.check(run).ok:
        return Check(None, np.nan, "the parameters are not those of AGD")
    budget = np.max(_rounding(run)) if np.any(run.g) else 0.0
    return resolved(budget, np.max(np.sum(np.abs(run.moved), axis=0)))


MOVING = Assumption(
    "moving", r"\text{rounding leaves six digits of the path, } \textstyle\sum |x_{t+1} - x_t|", _moving
)


class AGDSGDLimit(Theorem):
    id = "agd-sgd-limit"
    title = "AGD with a large δ is SGD with momentum"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/agd.md#switch", "derived")
    statement = (
        r"\sqrt{\hat v_t} \le \delta \ \forall t \implies x_{T+1} = x_1 - \sum_{t \le T} \frac{\eta_t}{\delta}\,\hat m_t, \qquad "
        r"\hat m_t = \frac{\sum_{r \le t} \beta_1^{t-r} g_r}{\sum_{r \le t} \beta_1^{t-r}}"
    )
    proof = "docs/proofs/agd.md"
    subject = "the iterates of AGD while every coordinate is in SGD's mode"
    assumptions: ClassVar = (FAITHFUL, POSED, CONSTANT, CORRECTED, BARE, SMOOTH, RESOLVED, MOVING)
    axes = ("step", "coordinate")

    def measured(self, run: AGDRun) -> np.ndarray:  # (T, n)
        return run.after

    def bound(self, run: AGDRun) -> np.ndarray:  # (T, n)
        """Heavy-ball sums, divided by the sum of their weights."""
        beta, x = run.rule.momentum(1), run.x[0]
        total, weight, rows = np.zeros_like(x), 0.0, []
        for t, g in enumerate(run.g, start=1):
            total, weight = beta * total + g, beta * weight + 1.0
            x = x - run.rule.rate(t) / run.rule.delta * total / weight
            rows.append(x)
        return np.stack(rows)

    def budget(self, run: AGDRun) -> np.ndarray:  # (T, n)
        return _rounding(run)

    def examples(self) -> Iterator[Example]:
        yield Example("a quadratic with noise, δ twice the largest gradient", lambda: _quadratic(60.0))
        yield Example("the same without momentum", lambda: _quadratic(60.0, beta1=0.0))
        yield Example("a schedule", lambda: _quadratic(60.0, lr=lambda t: 0.5 / t**0.5))

    def controls(self) -> Iterator[Example]:
        yield Example(
            "a small δ, through the door", lambda: _quadratic(0.1), expect=("HYPOTHESIS_FAILED",), breaks="sgd-mode"
        )
        yield Example(
            "a small δ, applied anyway", lambda: _quadratic(0.1), expect=("VIOLATED",), breaks="sgd-mode",
            ignoring=("sgd-mode",),
        )  # fmt: skip
        yield Example(
            "weight decay, applied anyway", lambda: _quadratic(60.0, weight_decay=0.1), expect=("VIOLATED",), breaks="bare",
            ignoring=("bare",),
        )  # fmt: skip
        yield Example(
            "without the corrections, applied anyway", lambda: _quadratic(60.0, corrected=False), expect=("VIOLATED",),
            breaks="corrected", ignoring=("corrected",),
        )  # fmt: skip


def _rounding(run: AGDRun) -> np.ndarray:  # (T, n)
    path = np.abs(run.x[:1]) + np.cumsum(np.abs(run.moved), axis=0)
    largest = np.cumsum(np.maximum.accumulate(np.abs(run.g), axis=0), axis=0) / run.rule.delta
    rate, unit = float(np.max(run.rates)), 8.0 * float(np.finfo(float).smallest_subnormal)
    lost = np.cumsum(rate * (subnormal_rounding(run) / run.rule.delta + unit) + unit, axis=0)
    return relative_rounding(run) * (path + rate * largest) + (lost if np.any(run.g) else 0.0)


def _quadratic(delta: float, lr: float | Callable[[int], float] = 0.5, **options) -> AGDRun:
    rng = np.random.default_rng(3)
    curvature = np.array([1.0, 10.0, 0.1])
    rule = Recursion(lr=lr, delta=delta, **{"beta2": 0.99, **options})
    return run_rule(rule, np.array([2.0, -1.0, 5.0]), lambda t, x: curvature * x + rng.standard_normal(3), 150)
