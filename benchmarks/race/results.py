r"""What a race leaves behind: flat records that a table or a figure can filter, and JSON.

Source: derived here.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.options import save

__all__ = ["Cell", "Entry", "ProblemFacts", "Results"]


@dataclass(frozen=True)
class ProblemFacts:
    """A problem, its certified optimum, and the second check of it."""

    problem: str
    data: str
    penalty: str
    samples: int
    features: int
    nonzeros: int
    sparse: bool
    l1: float
    l2: float
    optimum: float
    relative_gap: float  # duality gap of the reference over P*
    violation: float
    support: int  # non-zero coefficients of the reference
    lowest: float  # least (P - P*) / P* that any solver returned: the second check, never clearly below zero
    reference_seconds: float


@dataclass(frozen=True)
class Entry:
    """One solver on one problem: did it get there at all."""

    problem: str
    solver: str
    status: str  # "ok", "wrong optimum", "time limit", "refused", or the exception
    best: float | None  # least relative suboptimality of all runs
    detail: str


@dataclass(frozen=True)
class Cell:
    """One solver on one problem to one target, in pairs with ours."""

    problem: str
    target: float
    solver: str
    reached: bool
    tolerance: float | None = None
    seconds: float | None = None  # median
    cpu_seconds: float | None = None
    our_seconds: float | None = None  # median of the paired measurements of ours
    ratio: float | None = None  # median of peer / ours: over 1, ours is faster
    ratio_low: float | None = None  # least and largest pair
    ratio_high: float | None = None
    cpu_ratio: float | None = None  # the median by processor time
    pairs: int = 0
    suboptimality: float | None = None
    iterations: float | None = None
    support: int | None = None


@dataclass
class Results:
    """Everything of one race."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    problems: list[ProblemFacts] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)  # what was not run at all, and why
    solvers: list[dict[str, Any]] = field(default_factory=list)  # name, package, version
    warm_up: list[dict[str, Any]] = field(default_factory=list)  # first and second call, imports and compilation
    from_cache: dict[str, float] = field(default_factory=dict)  # format -> our first call, compiled code on the disk

    def write(self, path: Path) -> None:
        """As JSON; numbers that are not finite become null."""
        save(path, _plain(asdict(self)))


def _plain(value: Any) -> Any:
    """Finite numbers, rounded to what was measured."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
