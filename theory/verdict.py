r"""``verify`` judges a theorem on a run; a ``Verdict`` is one word with the evidence for it.

A run verifies an instance. The order is fixed: every assumption first, then the inequality, then whether the bound says
more than the trivial one, then (on request) a certificate in exact arithmetic.

Source: derived here; docs/verdicts.md explains each word.
"""

from __future__ import annotations

import html
import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from theory import deterministic, sampled
from theory.finding import FAILING, SUPPORTING, Finding, VerdictKind
from theory.readings import Readings, read
from theory.theorem import Assumption, Check, Kind, Theorem

if TYPE_CHECKING:
    from theory.certificate import Certificate

__all__ = ["Verdict", "VerdictKind", "verify"]

_RIGOROUS = (VerdictKind.VERIFIED, VerdictKind.INCONCLUSIVE, VerdictKind.VIOLATED)
_SAMPLED = (Kind.EXPECTATION, Kind.HIGH_PROBABILITY)
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True)
class Verdict:
    """The verdict on one theorem and one run.

    `ratio` is max measured / bound (``evidence["ratio_of"]`` says it in words; NaN when nothing was compared) and
    `checks` are the outcomes of the assumptions in the theorem's order, without the ignored ones. `certificate` is the one
    that the checker has accepted, to be saved with ``verdict.certificate.save(path)``; `to_json` leaves it out.
    """

    kind: VerdictKind
    theorem: str
    ratio: float
    evidence: dict[str, Any]
    checks: tuple[Check, ...] = ()
    certificate: Certificate | None = field(default=None, compare=False, repr=False)

    @property
    def ok(self) -> bool | None:
        """True when the run supports the statement, False when it fails, None when it says nothing either way."""
        if self.kind in SUPPORTING:
            return True
        return False if self.kind in FAILING else None

    def to_json(self) -> str:
        """Strict JSON; NaN and infinities are written as {"float": "nan"}."""
        fields = {
            "kind": str(self.kind),
            "theorem": self.theorem,
            "ratio": self.ratio,
            "evidence": self.evidence,
            "checks": [asdict(check) for check in self.checks],
        }
        return json.dumps(_encoded(fields), allow_nan=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Verdict:
        """The verdict that ``to_json`` wrote."""
        fields = json.loads(text, object_hook=_decoded)
        checks = tuple(Check(**check) for check in fields["checks"])
        return cls(VerdictKind(fields["kind"]), fields["theorem"], fields["ratio"], fields["evidence"], checks)

    def __str__(self) -> str:
        ratio = "" if math.isnan(self.ratio) else f", ratio {self.ratio:.4g}"
        ignored = self.evidence.get("ignored")
        without = f" [ignoring {', '.join(ignored)}]" if ignored else ""
        reason = " ".join(str(self.evidence.get("reason", "")).split())
        return f"{self.kind} {self.theorem}{ratio}: {reason}{without}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(str(name))}</th><td>{html.escape(_shown(value))}</td></tr>"
            for name, value in self.evidence.items()
        )
        return f"<b>{html.escape(str(self))}</b><table>{rows}</table>"


def verify(
    theorem: Theorem, run: Any, *, ignoring: tuple[str, ...] = (), rigorous: bool = False, alpha: float = 0.05
) -> Verdict:
    """Judge `theorem` on `run`.

    `ignoring` names assumptions that are not checked: the theorem is then applied wrongly, on purpose, and the evidence
    says so. `rigorous` asks for the theorem's certificate and has the independent checker read it. `alpha` is the error
    probability of the statistical verdicts.

    Raises ValueError for an unknown name in `ignoring`, an alpha outside (0, 1), or sides whose shapes do not fit.
    """
    _require_known(theorem, ignoring)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is an error probability in (0, 1), not {alpha}")
    active = [assumption for assumption in theorem.assumptions if assumption.name not in ignoring]
    checks = tuple(_outcome(assumption, run) for assumption in active)
    outcome = dict(zip((assumption.name for assumption in active), checks, strict=True))
    finding = _hypotheses(outcome) or _finding(theorem, run, outcome, rigorous, alpha)
    evidence = {**finding.evidence, "assumptions": {name: check.reason for name, check in outcome.items()}}
    if ignoring:
        evidence["ignored"] = list(ignoring)
    return Verdict(finding.kind, theorem.id, finding.ratio, evidence, checks, finding.certificate)


def _outcome(assumption: Assumption, run: Any) -> Check:
    check = assumption.check(run)
    if not isinstance(check, Check):
        raise TypeError(f"the check of {assumption.name!r} returned {check!r}, expected a theory.theorem.Check")
    return check


def _hypotheses(outcome: dict[str, Check]) -> Finding | None:
    """HYPOTHESIS_FAILED for the first assumption that does not hold, with all of them by name."""
    failed = [name for name, check in outcome.items() if check.ok is False]
    if not failed:
        return None
    first = outcome[failed[0]]
    evidence = {
        "reason": f"{failed[0]} does not hold, margin {first.margin:.3g}: {first.reason}",
        "assumption": failed[0],
        "margin": first.margin,
        "failed": failed,
    }
    return Finding(VerdictKind.HYPOTHESIS_FAILED, math.nan, evidence)


def _finding(theorem: Theorem, run: Any, outcome: dict[str, Check], rigorous: bool, alpha: float) -> Finding:
    """The judge's finding, weakened by undecided assumptions, strengthened by a certificate."""
    finding = _judged(theorem, run, read(theorem, run), alpha)
    undecided = [name for name, check in outcome.items() if check.ok is None]
    if undecided and finding.kind is not VerdictKind.HYPOTHESIS_FAILED:
        reason = f"{undecided[0]} could not be decided: {outcome[undecided[0]].reason}"
        return _reworded(finding, VerdictKind.INCONCLUSIVE, reason, undecided=undecided, otherwise=str(finding.kind))
    if rigorous and finding.kind in _RIGOROUS:
        return _certified(theorem, run, finding)
    return finding


def _judged(theorem: Theorem, run: Any, readings: Readings, alpha: float) -> Finding:
    if theorem.kind in _SAMPLED:
        return sampled.judge(theorem, run, readings, alpha)
    return deterministic.judge(theorem, readings)


def _certified(theorem: Theorem, run: Any, finding: Finding) -> Finding:
    """VERIFIED_RIGOROUS when the theorem offers a certificate and the independent checker accepts it."""
    from theory.certificate import NotCertified
    from theory.check import CertificateError, check

    try:
        certificate = theorem.certificate(run)
    except NotCertified as error:
        return Finding(finding.kind, finding.ratio, {**finding.evidence, "certificate": f"not found: {error}"})
    if certificate is None:
        return Finding(finding.kind, finding.ratio, {**finding.evidence, "certificate": "none offered"})
    try:
        statement = check(json.loads(certificate.to_json()))
    except CertificateError as error:
        reason = f"the certificate was rejected: {error}"
        return _reworded(finding, VerdictKind.INCONCLUSIVE, reason, otherwise=str(finding.kind))
    if finding.kind is VerdictKind.VIOLATED:
        reason = "a certificate was accepted although float64 sees a violation: measured and certificate disagree"
        return _reworded(finding, VerdictKind.INCONCLUSIVE, reason, certificate=statement)
    again = 'verdict.certificate.save("proof.json"), then python -m theory.check proof.json'
    proved = _reworded(
        finding, VerdictKind.VERIFIED_RIGOROUS, f"certified: {statement}", certificate=statement, check_again=again
    )
    return replace(proved, certificate=certificate)


def _reworded(finding: Finding, kind: VerdictKind, reason: str, **more: Any) -> Finding:
    return Finding(kind, finding.ratio, {**finding.evidence, "reason": reason, **more})


def _require_known(theorem: Theorem, ignoring: tuple[str, ...]) -> None:
    names = [assumption.name for assumption in theorem.assumptions]
    unknown = [name for name in ignoring if name not in names]
    if isinstance(ignoring, str) or unknown:
        raise ValueError(
            f"{theorem.id} has the assumptions {names}; `ignoring` is a tuple of those names, not {ignoring!r}"
        )


def _encoded(value: Any) -> Any:
    """JSON-able copy, with non-finite floats as objects."""
    if isinstance(value, dict):
        return {str(key): _encoded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _decoded(fields: dict[str, Any]) -> Any:
    return _NON_FINITE[fields["float"]] if set(fields) == {"float"} else fields


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
