"""What the page calls things: verdicts in plain words, kinds of theorems, numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from theory.finding import SUPPORTING, VerdictKind
from theory.theorem import Kind

__all__ = ["GROUPS", "KINDS", "RATIOS", "SOURCES", "Word", "duration", "number", "plural", "word"]


@dataclass(frozen=True)
class Word:
    """A verdict on the page: its word, what it means, and its tone ("good", "bad" or "quiet")."""

    kind: str
    short: str
    meaning: str
    tone: str


_MEANINGS = {
    VerdictKind.VERIFIED_RIGOROUS: (
        "proved for this run",
        "a certificate in exact arithmetic was accepted by a checker",
    ),
    VerdictKind.VERIFIED: ("held", "at every horizon and every seed, by at least the budget for rounding"),
    VerdictKind.CONFIRMED: ("held, statistically", "a test with a stated error probability confirms it"),
    VerdictKind.NOT_REFUTED: ("not refuted", "it was tested, and the evidence against it is too weak to count"),
    VerdictKind.VACUOUS: ("says nothing", "it holds, but so does the trivial bound: no support"),
    VerdictKind.INCONCLUSIVE: (
        "could not be decided",
        "rounding, a missing number or an unclear assumption is in the way",
    ),
    VerdictKind.HYPOTHESIS_FAILED: (
        "does not apply",
        "an assumption does not hold on this run, so the theorem is silent",
    ),
    VerdictKind.REFUTED: ("refuted", "the evidence against it reached the stated error probability"),
    VerdictKind.VIOLATED: ("violated", "it fails somewhere by more than rounding could explain"),
}

KINDS: Mapping[str, str] = {
    Kind.PATHWISE: "holds on every path",
    Kind.EXPECTATION: "holds in expectation",
    Kind.HIGH_PROBABILITY: "holds with high probability",
    Kind.LOWER_BOUND: "lower bound",
    Kind.EXACT: "exact identity",
}

RATIOS: Mapping[str, str] = {  # what a theorem's ratio is, as theory.verdict computes it
    Kind.PATHWISE: "Worst measured / bound",
    Kind.EXPECTATION: "Worst mean / bound",
    Kind.HIGH_PROBABILITY: "Worst failures / promised",
    Kind.LOWER_BOUND: "Worst bound / measured",
    Kind.EXACT: "Largest relative error",
}

SOURCES: Mapping[str, str] = {
    "seen": "read in the source",
    "remembered": "remembered: the source was not seen",
    "derived": "derived here",
}

GROUPS: Mapping[str, str] = {  # by the room that a theorem lives in, in the order of the page
    "regret": "Regret",
    "convex": "Convex optimization",
    "optimizers": "Optimizers for deep learning",
    "structures": "Structures and their geometry",
}


def word(kind: str) -> Word:
    """The verdict kind in words."""
    short, meaning = _MEANINGS[VerdictKind(kind)]
    tone = "good" if kind in SUPPORTING else "bad" if kind in (VerdictKind.VIOLATED, VerdictKind.REFUTED) else "quiet"
    return Word(str(kind), short, meaning, tone)


def number(value: Any) -> str:
    """Three significant digits; an em dash for what is not a number."""
    if not isinstance(value, (int, float)) or math.isnan(value):
        return "\N{EM DASH}"
    return f"{value:.3g}" if math.isfinite(value) else "\N{INFINITY}"


def duration(seconds: float) -> str:
    """A wall time: "0.3 s", "12 s", "4 min 5 s", "2 h 10 min"."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """The count with its noun: "1 run", "2 runs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
