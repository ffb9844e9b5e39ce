r"""What the regret theorems assume, checked on a trace.

Nothing is taken on a run's word where its numbers can tell: the structure is tested on random elements, the step is known
from the learner's exact class, sums are added up again, and with ``keep_history`` every step is taken once more.

Source: derived here, docs/proofs/regret.md#what-is-checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from problems.domains.audit import domain_check
from regret.learners.adaptive import AdaptiveRegularization
from regret.learners.gram import GramFullMatrix
from regret.theorems.constants import damping_trace, diameter, feasibility_tolerance, rates, unit_roundoff
from regret.theorems.replay import faithful_check
from regret.trace import Trace
from structures.jordan import jordan_check
from theory.theorem import Assumption, Check

__all__ = [
    "ADAPTIVE",
    "COMPARATOR",
    "CUMULATIVE",
    "FAITHFUL",
    "FEASIBLE",
    "FINITE",
    "FIXED_COMPARATOR",
    "FORGETTING",
    "PROJECTED",
    "TUNED",
    "UNCONSTRAINED",
    "WELL_STRUCTURED",
    "is_instance",
]


def _well_structured(run: Trace) -> Check:
    if run.structure is None:
        return Check(False, -1.0, f"{type(run.learner).__name__} has no structure")
    return jordan_check(run.structure)


WELL_STRUCTURED = Assumption(
    "well-structured",
    r"\mathcal H = J \cap S_+^d \text{ with } J \ni I \text{ linear and closed under squaring, and } P_{\mathcal H} = E^{1/2}",
    _well_structured,
)


def _adaptive(run: Trace) -> Check:
    # A subclass may step in any way it likes, so only the classes themselves are known.
    known = type(run.learner) in (AdaptiveRegularization, GramFullMatrix)
    lr, eps = run.lr, run.eps
    reason = f"the learner is {type(run.learner).__module__}.{type(run.learner).__qualname__}, lr={lr}, eps={eps}"
    return Check(known and bool(np.all(np.asarray(lr) > 0)) and eps >= 0, 1.0 if known else -1.0, reason)


ADAPTIVE = Assumption(
    "adaptive-regularization",
    r"x_{t+1} = \Pi_{\mathcal X}^{H_t}(x_t - \eta H_t^{-1} g_t), \quad H_t = P_{\mathcal H}(M_t), \quad "
    r"\eta > 0,\ \varepsilon \ge 0 \text{ fixed}",
    _adaptive,
)


def _cumulative(run: Trace) -> Check:
    if run.accumulate != "cumulative":
        return Check(False, -1.0, f"the statistic is {run.accumulate!r} with beta={run.beta}: H_t may shrink")
    roots, start = run.trace_root, 0.0 if run.structure is None else damping_trace(run)
    size = np.where(roots > 0, roots, 1.0)
    allowed = unit_roundoff(run) ** 0.5 * prod(run.learner.shape)
    drop = float(np.max((np.concatenate([np.full_like(roots[:1], start), roots[:-1]]) - roots) / size))
    norm = roots if run.adaptive_norm is None else run.adaptive_norm
    apart = float(np.max(np.maximum(roots - start - norm, norm - roots) / size))
    worst = float(np.max([drop, apart]))  # a NaN stays one
    return Check(
        worst <= allowed, allowed - worst,
        f"sums of all gradients; relative to Tr H, its largest drop is {max(drop, 0.0):.2g}, and |||g||| leaves "
        f"[Tr H - d√ε, Tr H] by {max(apart, 0.0):.2g}",
    )  # fmt: skip


CUMULATIVE = Assumption(
    "cumulative",
    r"M_t = M_{t-1} + g_t g_t^\top,\ M_0 = \varepsilon I, \text{ so } \operatorname{Tr} H_t \text{ grows and } "
    r"\operatorname{Tr} H_t - d\sqrt\varepsilon \le |||g_{1:t}||| \le \operatorname{Tr} H_t",
    _cumulative,
)


def _forgetting(run: Trace) -> Check:
    known = run.accumulate in ("weighted", "ema") and 0 < run.beta < 1 and run.discounted_regret is not None
    return Check(known, min(run.beta, 1 - run.beta), f"the statistic is {run.accumulate!r} with beta={run.beta}")


FORGETTING = Assumption(
    "forgetting",
    r"\bar M_t = \beta \bar M_{t-1} + w\, g_t g_t^\top,\ H_t = P_{\mathcal H}(\bar M_t + \varepsilon I),\ "
    r"w \in \{1, 1 - \beta\},\ 0 < \beta < 1",
    _forgetting,
)


def _feasible(run: Trace) -> Check:
    if run.domain is None:
        return Check(True, math.inf, "unconstrained")
    audit = domain_check(run.domain, run.learner.shape, run.structure)
    if not audit.ok:
        return audit
    allowed = feasibility_tolerance(run)
    found = float(np.max(run.infeasibility))
    return Check(
        found <= allowed,
        allowed - found,
        f"iterates leave the domain by at most {found:.3g}; {allowed:.1g} is rounding",
    )


FEASIBLE = Assumption("feasible", r"x_1, \dots, x_{T+1} \in \mathcal X", _feasible)


def _comparator(run: Trace) -> Check:
    if run.domain is None and run.comparator is None:
        return Check(False, -1.0, "neither a domain nor a comparator")
    if run.comparator is None:
        bound = diameter(run)
        return Check(
            math.isfinite(bound), 1.0, f"the best point of the domain in hindsight; D = {bound:.6g} is its diameter"
        )
    if run.domain is None or run.comparator_infeasibility is None:
        return Check(True, math.inf, "fixed in advance, in the whole space")
    allowed, found = feasibility_tolerance(run), float(np.max(run.comparator_infeasibility))
    return Check(
        found <= allowed,
        allowed - found,
        f"the comparator lies {found:.3g} outside of the domain; {allowed:.1g} is rounding",
    )


COMPARATOR = Assumption("comparator", r"u \in \mathcal X", _comparator)


def _finite(run: Trace) -> Check:
    for name in ("gradient_norm", "inner", "q", "gap"):
        series = run.scalars.get(name)
        if series is not None and not np.all(np.isfinite(series)):
            return Check(False, -1.0, f"{name} is not finite at {np.argwhere(~np.isfinite(series))[0].tolist()}")
    return Check(True, math.inf, "gradients, inner products and gaps are finite")


FINITE = Assumption("finite", r"\|g_t\| < \infty", _finite)


def _projected(run: Trace) -> Check:
    gaps = run.scalars["gap"]
    if not np.all(np.isfinite(gaps)) or np.min(gaps) < 0:
        return Check(False, -1.0, "a projection gap is negative or not finite")
    return Check(
        True, math.inf, f"Frank-Wolfe gaps add up to at most {np.max(run.gap_sum):.3g}, which is part of the bound"
    )


PROJECTED = Assumption(
    "projected",
    r"\langle H_t(x_{t+1} - y_t), u - x_{t+1}\rangle \ge -\delta_t \text{ for all } u \in \mathcal X,\ "
    r"\delta_t < \infty \text{ the Frank-Wolfe gap}",
    _projected,
)


def _unconstrained(run: Trace) -> Check:
    return Check(run.domain is None, 1.0 if run.domain is None else -1.0, f"the domain is {run.domain}")


UNCONSTRAINED = Assumption("unconstrained", r"\mathcal X = \mathbb R^d", _unconstrained)


def _fixed_comparator(run: Trace) -> Check:
    known = run.comparator is not None and run.energy_before is not None and run.energy_after is not None
    return Check(
        known, 1.0 if known else -1.0, "the comparator is fixed in advance" if known else "the comparator is not fixed"
    )


FIXED_COMPARATOR = Assumption("fixed-comparator", r"u \text{ is the same at every horizon}", _fixed_comparator)


def _tuned(run: Trace) -> Check:
    # Without the rounding that feasibility allows: in float32 that is more than 1e-9.
    best, eta = (diameter(run) - feasibility_tolerance(run)) / 2**0.5, rates(run)
    if run.domain is None and run.distance is not None:
        best = float(np.max(run.distance)) / 2**0.5
    off = float(np.max(np.abs(eta / best - 1.0))) if best > 0 else math.inf
    return Check(off <= 1e-9, 1e-9 - off, f"η is D/√2 up to a relative {off:.3g} (1e-9 changes the bound by 1e-18)")


TUNED = Assumption("tuned", r"\eta = D/\sqrt 2", _tuned)


def is_instance(name: str, statement: str, test: Callable[[Any], bool]) -> Assumption:
    """The assumption that the structure is of a certain kind."""

    def check(run: Trace) -> Check:
        fits = run.structure is not None and test(run.structure)
        return Check(fits, 1.0 if fits else -1.0, f"the structure is {run.structure}")

    return Assumption(name, statement, check)


FAITHFUL = Assumption(
    "faithful", r"\text{the numbers of the trace are those of one game of its learner}", faithful_check
)
