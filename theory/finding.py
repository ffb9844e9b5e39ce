r"""The words of a verdict, and what a judge hands back: a word, a ratio and the evidence for it.

Source: derived here; the words are explained in docs/verdicts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory.certificate import Certificate


class VerdictKind(StrEnum):
    """What a run says about an instance of a theorem. Only a proof speaks about the theorem itself."""

    VERIFIED_RIGOROUS = "VERIFIED_RIGOROUS"  # a certificate in exact arithmetic was accepted by the independent checker
    VERIFIED = "VERIFIED"  # holds at every entry by more than the rounding budget
    CONFIRMED = "CONFIRMED"  # holds in expectation or probability, at error probability alpha
    NOT_REFUTED = "NOT_REFUTED"  # tested, and the evidence against it is too weak
    VACUOUS = "VACUOUS"  # holds, but does not beat the trivial bound: no support
    INCONCLUSIVE = "INCONCLUSIVE"  # rounding, NaN or an undecided assumption stand in the way
    HYPOTHESIS_FAILED = "HYPOTHESIS_FAILED"  # an assumption does not hold, so the theorem does not speak
    REFUTED = "REFUTED"  # the e-value reached 1 / alpha
    VIOLATED = "VIOLATED"  # fails at some entry by more than the rounding budget


SUPPORTING = frozenset(
    {VerdictKind.VERIFIED_RIGOROUS, VerdictKind.VERIFIED, VerdictKind.CONFIRMED, VerdictKind.NOT_REFUTED}
)
FAILING = frozenset({VerdictKind.HYPOTHESIS_FAILED, VerdictKind.REFUTED, VerdictKind.VIOLATED})


@dataclass(frozen=True)
class Finding:
    """A judge's answer: the word, the tightness ratio (NaN when there is none), JSON-able evidence, an accepted certificate."""

    kind: VerdictKind
    ratio: float
    evidence: dict[str, Any]
    certificate: Certificate | None = None
