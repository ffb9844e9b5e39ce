r"""Judging a theorem that speaks about a distribution, from one sample per seed.

In expectation, in this order: an enumerated expectation makes the check deterministic; a betting bound below \(b\)
confirms; an e-process against \(E X \le b\) refutes when it reaches \(1/\alpha\); otherwise nothing was refuted. With high
probability: Clopper-Pearson limits on the failure frequency against \(\delta\).

Source: Waudby-Smith & Ramdas (2024) (remembered); Clopper & Pearson (1934).
"""

from __future__ import annotations

import math
from typing import Any

from theory.finding import FAILING, Finding, VerdictKind
from theory.readings import Readings
from theory.statistics import betting_upper_bound, clopper_pearson, e_process
from theory.theorem import Kind, Theorem


def judge(theorem: Theorem, run: Any, readings: Readings, alpha: float) -> Finding:
    """The verdict of a theorem in expectation or with high probability. NaN or inf in a sample is INCONCLUSIVE."""
    if readings.measured.ndim != 1:
        raise ValueError(
            f"{theorem.id}: measured() is (n_seeds,) for a {theorem.kind} theorem, not {readings.measured.shape}"
        )
    broken = readings.broken()
    if broken is not None:
        evidence = {"reason": f"{broken[0]} at {broken[1]}", "index": broken[1]}
        return Finding(VerdictKind.INCONCLUSIVE, math.nan, evidence)
    if theorem.kind is Kind.HIGH_PROBABILITY:
        finding = _frequency(readings, _delta(theorem, run), alpha)
    else:
        finding = _expectation(theorem, run, readings, alpha)
    if finding.kind in FAILING or not readings.vacuous(theorem.kind):
        return finding
    reason = "does not fail, but the bound does not beat the trivial one"
    evidence = {**finding.evidence, "reason": reason, "otherwise": str(finding.kind)}
    return Finding(VerdictKind.VACUOUS, finding.ratio, evidence)


def _expectation(theorem: Theorem, run: Any, r: Readings, alpha: float) -> Finding:
    bound, budget = _constant(theorem, "bound", r.bound), float(r.budget.max())
    exact = theorem.exact(run)
    if exact is not None:
        return _enumerated(float(exact), bound, budget)
    evidence: dict[str, Any] = {
        "ratio_of": "mean of the samples / bound",
        "seeds": int(r.measured.size),
        "mean": float(r.measured.mean()),
        "bound": bound,
        "budget": budget,
        "alpha": alpha,
    }
    ratio = _quotient(evidence["mean"], bound)
    support = theorem.support(run)
    if support is None:
        evidence |= {"reason": "no range is declared, so no valid test exists", "e": 1.0}
        return Finding(VerdictKind.NOT_REFUTED, ratio, evidence)
    low, high = (float(end) for end in support)
    evidence["support"] = [low, high]
    if (r.lower < low - budget).any() or (r.measured > high + budget).any():
        evidence |= {
            "reason": "support does not hold: a sample lies outside of the declared range",
            "assumption": "support",
        }
        return Finding(VerdictKind.HYPOTHESIS_FAILED, ratio, evidence)
    return _confirmed(r, bound, budget, alpha, ratio, evidence) or _tested(r, bound, budget, alpha, ratio, evidence)


def _enumerated(exact: float, bound: float, budget: float) -> Finding:
    """The deterministic check of an expectation that was enumerated over all paths. NaN or inf is INCONCLUSIVE."""
    evidence: dict[str, Any] = {
        "ratio_of": "enumerated expectation / bound",
        "expectation": exact,
        "bound": bound,
        "budget": budget,
        "excess": exact - bound,
        "alpha": 0.0,
        "method": "enumeration of all paths",
    }
    if not math.isfinite(exact):
        return Finding(
            VerdictKind.INCONCLUSIVE, math.nan, {"reason": "the enumerated expectation is not finite", **evidence}
        )
    if bound - exact >= budget or exact == bound == 0:
        kind, reason = VerdictKind.CONFIRMED, "the enumerated expectation is below the bound (alpha 0)"
    elif exact - bound > budget:
        kind, reason = VerdictKind.REFUTED, "the enumerated expectation exceeds the bound (alpha 0)"
    else:
        kind, reason = VerdictKind.INCONCLUSIVE, "the enumerated expectation is within rounding of the bound"
    return Finding(kind, _quotient(exact, bound), {"reason": reason, **evidence})


def _confirmed(
    r: Readings, bound: float, budget: float, alpha: float, ratio: float, evidence: dict[str, Any]
) -> Finding | None:
    """CONFIRMED when the betting bound on the mean lies below the theorem's bound; needs a range with two finite ends."""
    low, high = evidence["support"]
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    limit = betting_upper_bound(r.measured.clip(low, high), low, high, alpha) + budget
    evidence |= {"upper_limit": limit, "method": "betting upper bound on the mean, anytime valid"}
    if limit > bound:
        return None
    reason = f"E measured <= {limit:.4g} <= {bound:.4g} at error probability {alpha:g}"
    return Finding(VerdictKind.CONFIRMED, ratio, {"reason": reason, **evidence})


def _tested(r: Readings, bound: float, budget: float, alpha: float, ratio: float, evidence: dict[str, Any]) -> Finding:
    """REFUTED when the e-process against ``E measured <= bound + budget`` ever reaches 1/alpha, else NOT_REFUTED."""
    low, null = evidence["support"][0], bound + budget
    e, final = _evidence_against(r.lower.clip(low, None), null, low)
    evidence |= {"e": e, "e_final": final}
    if e >= 1 / alpha:
        reason = f"e-value {e:.3g} >= {1 / alpha:.4g} against E measured <= {bound:.4g}"
        return Finding(VerdictKind.REFUTED, ratio, {"reason": reason, **evidence})
    reason = f"e-value {e:.3g} stays below {1 / alpha:.4g}, which proves nothing"
    return Finding(VerdictKind.NOT_REFUTED, ratio, {"reason": reason, **evidence})


def _evidence_against(samples: Any, null: float, low: float) -> tuple[float, float]:
    """The largest and the last e-value against ``E sample <= null``, given that every sample is at least `low`."""
    if not math.isfinite(low):
        return 1.0, 1.0
    if (
        null <= low
    ):  # the mean is at least low: below it the claim is false outright, at it any larger sample refutes it
        refuted = null < low or bool((samples > low).any())
        return (math.inf, math.inf) if refuted else (1.0, 1.0)
    path = e_process(samples, null, low)
    return max(1.0, float(path.max())), float(path[-1])


def _frequency(r: Readings, delta: float, alpha: float) -> Finding:
    """Failures that are certain count against the theorem; for confirming, undecided samples count as failures too."""
    certain = int((r.lower - r.bound > r.budget).sum())
    held = (r.bound - r.measured >= r.budget) | ((r.measured == 0) & (r.bound == 0))
    possible, seeds = int((~held).sum()), int(r.measured.size)
    low, high = clopper_pearson(certain, seeds, alpha)[0], clopper_pearson(possible, seeds, alpha)[1]
    evidence = {
        "ratio_of": "failure frequency / delta",
        "seeds": seeds,
        "failures": certain,
        "possible_failures": possible,
        "delta": delta,
        "lower_limit": low,
        "upper_limit": high,
        "alpha": alpha,
        "method": "one-sided Clopper-Pearson limits",
    }
    if high <= delta:
        kind, reason = (
            VerdictKind.CONFIRMED,
            f"failure probability <= {high:.3g} <= delta at error probability {alpha:g}",
        )
    elif low > delta:
        kind, reason = VerdictKind.REFUTED, f"failure probability >= {low:.3g} > delta at error probability {alpha:g}"
    else:
        kind, reason = (
            VerdictKind.NOT_REFUTED,
            f"failure probability in [{low:.3g}, {high:.3g}] around delta {delta:.3g}",
        )
    return Finding(kind, possible / seeds / delta, {"reason": reason, **evidence})


def _delta(theorem: Theorem, run: Any) -> float:
    delta = float(theorem.delta(run))
    if not 0 < delta < 1:
        raise ValueError(f"{theorem.id}: delta() is a failure probability in (0, 1), not {delta}")
    return delta


def _constant(theorem: Theorem, name: str, values: Any) -> float:
    """The common value of an array. Raises ValueError when a bound in expectation changes from seed to seed."""
    if (values != values[0]).any():
        raise ValueError(f"{theorem.id}: {name}() varies over seeds; a bound in expectation is one number")
    return float(values[0])


def _quotient(top: float, bottom: float) -> float:
    if bottom > 0:
        return top / bottom
    if bottom == 0:
        return math.inf if top > 0 else 0.0
    return math.nan
