r"""What the regret theorems of AGD assume, checked on a trace, and the games that they are tried on.

A trace is accepted from `AGDLearner`, and from `TorchLearner` with ``optimizers.AGD``: the recursion is then that of the torch
optimizer, and every step of it is taken once more.

Source: derived here (docs/proofs/agd.md#regret).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from optimizers.learner import TorchLearner
from optimizers.reference.agd import Recursion, steps
from optimizers.theorems.agd_learner import AGDLearner
from problems.domains import Box
from regret.learners.base import Learner
from regret.theorems.assumptions import COMPARATOR, FAITHFUL, FEASIBLE, FINITE
from regret.theorems.constants import feasibility_tolerance, rates, unit_roundoff
from regret.trace import Trace
from theory.theorem import Assumption, Check

__all__ = ["ASSUMPTIONS", "Rule", "game", "largest_gradient", "rounding", "rule_of", "statistics", "width"]


@dataclass(frozen=True)
class Rule:
    """The recursion of a learner; `other` says what it does beside it."""

    beta1: float
    fading: bool
    beta2: float
    delta: float
    amsgrad: bool
    debias: bool
    corrected: bool
    other: str = ""

    def momentum(self, t: int) -> float:
        """β_{1,t}."""
        return self.beta1 / t if self.fading else self.beta1


def rule_of(learner: Learner) -> Rule | None:
    """The recursion of a learner with learning rate lr/√t, or None when it is not AGD's."""
    if type(learner) is AGDLearner:
        return Rule(
            learner.beta1,
            learner.fading,
            learner.beta2,
            learner.delta,
            learner.amsgrad,
            learner.debias,
            learner.corrected,
        )
    if type(learner) is not TorchLearner or learner.optimizer != "optimizers.agd:AGD":
        return None
    from optimizers.agd import AGD

    options = {name: p.default for name, p in inspect.signature(AGD).parameters.items()} | dict(learner.options)
    allowed = {"clip": None, "weight_decay": 0.0, "maximize": False}
    other = [f"{name}={options[name]!r}" for name, value in allowed.items() if options[name] != value]
    other += [] if learner.schedule == "inverse_sqrt" else [f"schedule={learner.schedule!r}"]
    other += ["delta='auto'"] if options["delta"] == "auto" else []
    (beta1, beta2), delta = options["betas"], math.nan if options["delta"] == "auto" else options["delta"]
    return Rule(beta1, False, beta2, delta, options["amsgrad"], True, True, ", ".join(other))


def _is_agd(run: Trace) -> Check:
    rule = rule_of(run.learner)
    ok = rule is not None and not rule.other
    return Check(
        ok,
        1.0 if ok else -1.0,
        f"the learner is {run.learner!r}" + (f", with {rule.other}" if rule and rule.other else ""),
    )


def _option(name: str) -> Callable[[Trace], Check]:
    def check(run: Trace) -> Check:
        rule = rule_of(run.learner)
        ok = rule is not None and getattr(rule, name)
        return Check(bool(ok), 1.0 if ok else -1.0, f"{name}: {bool(ok)}")

    return check


def _box(run: Trace) -> Check:
    ok = type(run.domain) is Box
    return Check(ok, 1.0 if ok else -1.0, f"the domain is {run.domain}")


RULE = Assumption(
    "agd",
    r"x_{t+1} = \Pi\bigl(x_t - \tfrac{\alpha}{\sqrt t} m_t/\hat D_t\bigr), \; \beta_{1,t+1} \le \beta_{1,t} < 1",
    _is_agd,
)
AMSGRAD = Assumption("amsgrad", r"v_t^{\max} \text{ never decreases}", _option("amsgrad"))
CORRECTED = Assumption(
    "corrected", r"\hat D_t = \max\bigl(\sqrt{v_t^{\max}/(1 - \beta_2^t)}, \delta\bigr)", _option("corrected")
)
BOX = Assumption("box", r"\mathcal X = [-r, r]^n, \; D = 2r", _box)

ASSUMPTIONS = (FAITHFUL, RULE, AMSGRAD, CORRECTED, BOX, FEASIBLE, COMPARATOR, FINITE)


def width(run: Trace) -> float:
    """D, the length of the box's sides; infinite for another domain."""
    return 2.0 * run.domain.r + feasibility_tolerance(run) if isinstance(run.domain, Box) else math.inf


def largest_gradient(run: Trace) -> np.ndarray:  # (T, B)
    """max over s ≤ t of |g_s|_∞, or of its upper bound ‖g_s‖₂ when no history was kept."""
    sizes = run.scalars["gradient_norm"]
    if run.gradients is not None:
        sizes = np.max(np.abs(run.gradients.reshape(run.horizon, run.batch, -1)), axis=-1)
    return np.maximum.accumulate(sizes, axis=0)


def statistics(run: Trace) -> tuple[np.ndarray, np.ndarray]:  # (T, B, d) twice
    """m_t and the rates η_{t,i} = α / (√t D̂_{t,i}) with which they move, from the recorded gradients alone."""
    rule = rule_of(run.learner)
    assert rule is not None and run.gradients is not None
    g = run.gradients.reshape(run.horizon, run.batch, -1).astype(np.float64)
    recursion = Recursion(beta1=rule.momentum, beta2=rule.beta2, delta=rule.delta, amsgrad=rule.amsgrad)
    m, eta, product = np.empty_like(g), np.empty_like(g), 1.0
    for step in steps(recursion, np.zeros_like(g[0]), lambda t, _: g[t - 1], run.horizon):
        product *= rule.momentum(step.t)
        D = step.D / np.sqrt(1.0 - rule.beta2**step.t) if rule.corrected else step.D
        m[step.t - 1] = step.m
        eta[step.t - 1] = rates(run)[:, None] / (step.t**0.5 * D * (1.0 - product if rule.debias else 1.0))
    return m, eta


def rounding(run: Trace) -> np.ndarray:  # (T, B)
    """How far the computed steps may miss the inequality of exact ones: an iterate's rounding, against D over its rate."""
    rule, d, G = rule_of(run.learner), prod(run.learner.shape), largest_gradient(run)
    t, D = np.arange(1.0, run.horizon + 1.0)[:, None], width(run)
    V = np.maximum(2.0 * G, rule.delta if rule else math.nan)
    return 16.0 * unit_roundoff(run) * np.cumsum(d * D * (D * np.sqrt(t) * V / rates(run) + G), axis=0)


def game(learner: Learner, gradient: Callable[[int, np.ndarray], np.ndarray], horizon: int, x0: np.ndarray) -> Trace:
    """A game against ``gradient(t, x)``, t = 1, 2, ..., with its history; the losses are the linear ones."""
    from regret.adversaries import FixedSequence
    from regret.play import play

    x, rows, state = x0, [], learner.init(x0)
    for t in range(1, horizon + 1):
        rows.append(gradient(t, x))
        state = learner.step(state, rows[-1])
        x = state["x"]
    return play(learner, FixedSequence(np.stack(rows)), horizon, x0=x0, keep_history=True)
