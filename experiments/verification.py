r"""What the verdicts add up to: the stored ones, by theorem and experiment, and the theorems' own examples and controls.

A verdict is bad when it is not what it must be: among the expected kinds if the experiment declared some (a theorem
applied wrongly on purpose must be caught), otherwise anything but a failure.  VACUOUS and INCONCLUSIVE are shown and
support nothing; among a theorem's own examples they are bad, because there the theorem promised to be verified.
"""

from __future__ import annotations

import math
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from experiments.canonical import parse
from experiments.cell import one_thread
from experiments.plan import Planned
from experiments.store import Store
from theory.finding import FAILING, SUPPORTING
from theory.theorem import Example, Theorem
from theory.verdict import verify

__all__ = ["Row", "bad_cases", "catalogue", "is_bad", "rows"]


def is_bad(verdict: Mapping[str, Any]) -> bool:
    """Whether a stored verdict is not what it must be."""
    expected = verdict.get("expected")
    return verdict["kind"] not in expected if expected is not None else verdict["kind"] in FAILING


@dataclass
class Row:
    """The verdicts on one theorem in one experiment; deliberate misuses (`control`) have a row of their own."""

    theorem: str
    experiment: str
    control: bool
    kinds: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)  # keys of the runs
    worst: float = math.nan  # largest ratio measured / bound

    def add(self, verdict: Mapping[str, Any], key: str) -> None:
        """Count one verdict of the run `key`."""
        self.kinds[verdict["kind"]] += 1
        self.worst = _larger(self.worst, verdict.get("ratio"))
        if is_bad(verdict):
            self.bad.append(key)


def rows(planned: Sequence[Planned], store: Store) -> list[Row]:
    """One row per theorem, experiment and role, over the planned runs that are stored."""
    table: dict[tuple[str, str, bool], Row] = {}
    for run in planned:
        for verdict in store.verdicts(run.spec.key) if store.has(run.spec.key) else ():
            place = (verdict["theorem"], run.experiment.id, verdict.get("expected") is not None)
            table.setdefault(place, Row(*place)).add(verdict, run.spec.key)
    return [table[place] for place in sorted(table)]


def catalogue(
    theorems: Sequence[Theorem],
    jobs: int | None = 1,
    progress: bool = False,
) -> dict[str, Any]:
    """Every theorem with the verdicts on its examples and controls, as JSON; see :func:`bad_cases`."""
    from joblib import Parallel, delayed
    from tqdm import tqdm

    with one_thread():
        stream = Parallel(n_jobs=jobs, batch_size=1, return_as="generator")(delayed(_entry)(t) for t in theorems)
        entries = list(tqdm(stream, total=len(theorems), unit="theorem", disable=None if progress else True))
    return {"date": datetime.now(UTC).isoformat(timespec="seconds"), "theorems": entries}


def bad_cases(catalogue: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The examples and controls that did not come out as they must: [(theorem id, case), ...]."""
    return [(entry["id"], case) for entry in catalogue["theorems"] for case in entry["cases"] if not case["ok"]]


def _entry(theorem: Theorem) -> dict[str, Any]:
    with one_thread():
        cases = [*_cases(theorem, "example"), *_cases(theorem, "control")]
    return {
        "id": theorem.id,
        "title": theorem.title,
        "kind": str(theorem.kind),
        "subject": theorem.subject,
        "source": {"key": theorem.source.key, "locator": theorem.source.locator, "status": theorem.source.status},
        "statement": theorem.statement,
        "proof": theorem.proof,
        "assumptions": [{"name": a.name, "statement": a.statement} for a in theorem.assumptions],
        "cases": cases,
    }


def _cases(theorem: Theorem, role: str) -> list[dict[str, Any]]:
    try:
        examples: Iterable[Example] = list(theorem.examples() if role == "example" else theorem.controls())
    except Exception:  # recorded like any other failing case, so that one broken file does not hide the rest
        return [{"role": role, "name": f"{role}s()", "ok": False, "error": traceback.format_exc(), "verdict": None}]
    return [_case(theorem, role, example) for example in examples]


def _case(theorem: Theorem, role: str, example: Example) -> dict[str, Any]:
    began = time.perf_counter()
    case: dict[str, Any] = {"role": role, "name": example.name, "near_tight": example.near_tight}
    case |= {"breaks": example.breaks, "expect": [str(kind) for kind in _expected(role, example)]}
    try:
        verdict = parse(verify(theorem, example.make(), ignoring=example.ignoring).to_json())
        case |= {"verdict": verdict, "ok": verdict["kind"] in case["expect"], "error": None}
    except Exception:
        case |= {"verdict": None, "ok": False, "error": traceback.format_exc()}
    return {**case, "seconds": time.perf_counter() - began}


def _expected(role: str, example: Example) -> list[str]:
    return sorted(example.expect) if example.expect or role == "control" else sorted(SUPPORTING)


def _larger(worst: float, ratio: Any) -> float:
    if not isinstance(ratio, (int, float)) or math.isnan(ratio):
        return worst
    return float(ratio) if math.isnan(worst) else max(worst, float(ratio))
