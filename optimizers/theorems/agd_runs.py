r"""Records of AGD that the theorems speak about: a rule, the gradients that it met, and everything that it computed.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from optimizers.reference.agd import Recursion, steps
from optimizers.theorems.resolution import SHARE, resolved
from theory.theorem import Assumption, Check

__all__ = [
    "FAITHFUL",
    "POSED",
    "RESOLVED",
    "AGDRun",
    "bounded_by",
    "relative_rounding",
    "repelled",
    "run_rule",
    "seesaw",
    "subnormal_rounding",
]


@dataclass(frozen=True, eq=False)
class AGDRun:
    """T steps of a rule on n numbers, each array (T, n) in float64."""

    rule: Recursion
    x: np.ndarray = field(repr=False)  # before each step
    g: np.ndarray = field(repr=False)  # as it enters m: with the decay that is coupled to it
    m: np.ndarray = field(repr=False)
    s: np.ndarray = field(repr=False)
    v: np.ndarray = field(repr=False)  # as the denominator takes it
    D: np.ndarray = field(repr=False)
    moved: np.ndarray = field(repr=False)
    after: np.ndarray = field(repr=False)

    @property
    def horizon(self) -> int:
        """T."""
        return len(self.g)

    @property
    def t(self) -> np.ndarray:  # (T, 1)
        """1, 2, ..., T."""
        return np.arange(1.0, self.horizon + 1.0)[:, None]

    @property
    def rates(self) -> np.ndarray:  # (T, 1)
        """α_t."""
        return np.array([self.rule.rate(t) for t in range(1, self.horizon + 1)])[:, None]

    @property
    def largest_beta1(self) -> float:
        """The largest β_{1,t}."""
        return max(self.rule.momentum(t) for t in range(1, self.horizon + 1))

    @property
    def vhat(self) -> np.ndarray:  # (T, n)
        """v_t / (1 - β₂^t)."""
        return self.v / (1.0 - self.rule.beta2**self.t)


def run_rule(
    rule: Recursion, x0: np.ndarray, gradient: Callable[[int, np.ndarray], np.ndarray], horizon: int
) -> AGDRun:
    """The record of `horizon` steps from x0 (n,). Raises ValueError for |β₂| > 1, whose powers are beyond all numbers."""
    if abs(rule.beta2) > 1.0:
        raise ValueError(f"β₂ is a weight in [0, 1), got {rule.beta2}.")
    records = list(steps(rule, x0, gradient, horizon))
    names = ("x", "g", "m", "s", "v", "D", "moved", "after")
    return AGDRun(rule, **{name: np.stack([getattr(record, name) for record in records]) for name in names})


def _posed(run: AGDRun) -> Check:
    rule, least_rate = run.rule, float(np.min(run.rates))
    least_beta1 = min(rule.momentum(t) for t in range(1, run.horizon + 1))
    betas = min(least_beta1, rule.beta2) >= 0.0 and max(run.largest_beta1, rule.beta2) < 1.0
    ok = betas and rule.delta > 0.0 and 0.0 <= least_rate < np.inf
    words = f"β₁ from {least_beta1:.6g} to {run.largest_beta1:.6g}, β₂ = {rule.beta2:.6g}"
    return Check(ok, 1.0 if ok else -1.0, f"{words}, δ = {rule.delta:.3g}, least learning rate {least_rate:.3g}")


POSED = Assumption("posed", r"\eta_t \ge 0, \; 0 \le \beta_{1,t}, \beta_2 < 1, \; \delta > 0", _posed)


def _faithful(run: AGDRun) -> Check:
    if not _posed(run).ok:
        return Check(None, np.nan, "the parameters are not those of AGD")
    names = ("x", "m", "s", "v", "D", "moved", "after")
    broken = [name for name in ("g", *names) if not np.all(np.isfinite(getattr(run, name)))]
    if broken:  # squares that overflow stop the steps, and a run that stands still would satisfy every bound
        return Check(None, np.nan, f"the run broke down: {broken} are not finite")
    # A decay that is coupled to the gradients is in the recorded ones already.
    rule = replace(run.rule, decay="decoupled", weight_decay=0.0) if run.rule.decay == "coupled" else run.rule
    again = run_rule(rule, run.x[0], lambda t, _: run.g[t - 1], run.horizon)
    off = [name for name in names if not np.array_equal(getattr(run, name), getattr(again, name))]
    return Check(
        not off, -float(len(off)), f"steps taken once more from the recorded gradients differ in {off or 'nothing'}"
    )


FAITHFUL = Assumption("faithful", r"\text{the record is that of the recursion}", _faithful)


def relative_rounding(run: AGDRun) -> np.ndarray:  # (T, 1)
    """What a mean of t gradients loses, and corrections that lose 1/(1 - β) units each in the first steps."""
    lost = run.t + 32.0 + 1.0 / (1.0 - run.largest_beta1) + 1.0 / (1.0 - run.rule.beta2)
    return 8.0 * float(np.finfo(float).eps) * lost


def subnormal_rounding(run: AGDRun) -> np.ndarray:  # (T, 1)
    """What a mean loses where its terms are subnormal: t units that 1/(1 - β₁^t) magnifies; nothing if all of them are 0."""
    unit = float(np.finfo(float).smallest_subnormal) if bounded_by(run) > 0.0 else 0.0
    return 8.0 * unit * run.t / (1.0 - run.largest_beta1)


def _resolved(run: AGDRun) -> Check:
    """With a budget as large as what is compared any formula would pass; a subnormal δ has no six digits itself."""
    if not _posed(run).ok:
        return Check(None, np.nan, "the parameters are not those of AGD")
    lost = subnormal_rounding(run) if bounded_by(run) > 0.0 else 0.0
    floor = float(np.finfo(float).smallest_normal) / run.rule.delta
    return resolved(relative_rounding(run) + lost / (bounded_by(run) or 1.0) + SHARE * floor, 1.0)


RESOLVED = Assumption("resolved", r"\text{rounding leaves six digits}", _resolved)


def bounded_by(run: AGDRun) -> float:
    """G, the largest |g| of the run."""
    return float(np.max(np.abs(run.g)))


def repelled(t: int, x: np.ndarray) -> np.ndarray:
    """-1 on the left of the origin, +1 else: pushes to the left face from the right, and back from the face itself."""
    return np.where(x <= -0.5, -1.0, 1.0)


def seesaw(t: int, x: np.ndarray) -> np.ndarray:
    """3, -1, -1, 3, ...: the losses 3x, -x, -x, whose sum prefers the left."""
    return np.full_like(x, 3.0 if t % 3 == 1 else -1.0)
