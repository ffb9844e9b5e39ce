"""What the page shows of an experiment: its claim, its runs with their times, and where the runs were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.plan import Planned, State
from experiments.report.words import Word, word
from experiments.spec import Experiment
from experiments.store import Store
from experiments.verification import Row, is_bad

__all__ = ["ExperimentEntry", "Provenance", "RunEntry", "experiment_entries", "provenance_of"]


@dataclass(frozen=True)
class RunEntry:
    """One planned run."""

    key: str
    params: str
    state: str
    seconds: float | None  # wall time, s; None when it is not stored
    error: str  # of a failed run, one line
    words: tuple[tuple[Word, int], ...]
    bad: int


@dataclass(frozen=True)
class ExperimentEntry:
    """An experiment on the page."""

    id: str
    title: str
    claim: str
    runs: tuple[RunEntry, ...]
    rows: tuple[Row, ...]
    command: str

    @property
    def states(self) -> Counter[str]:
        """How many runs are fresh, stale, missing, failed."""
        return Counter(run.state for run in self.runs)

    @property
    def seconds(self) -> float:
        """Wall time of all stored runs together, s."""
        return sum(run.seconds or 0.0 for run in self.runs)

    @property
    def slowest(self) -> float:
        """Wall time of the slowest stored run, s."""
        return max((run.seconds or 0.0 for run in self.runs), default=0.0)

    @property
    def tone(self) -> str:
        """What the colour says: "bad" when a run failed or a verdict is bad, "good" when all runs are stored, else "quiet"."""
        if self.states[State.FAILED] or any(row.bad for row in self.rows):
            return "bad"
        return "quiet" if self.states[State.MISSING] or not self.runs else "good"


@dataclass(frozen=True)
class Provenance:
    """Where the stored runs were made: distinct values over the runs, with how many runs have each."""

    machines: Counter[str]
    versions: Counter[str]
    commits: Counter[str]
    first: str
    last: str
    seconds: float


def experiment_entries(
    suite: Mapping[str, Experiment], planned: Sequence[Planned], rows: Sequence[Row], store: Store, scale: str
) -> list[ExperimentEntry]:
    """One entry per experiment, in the suite's order."""
    return [
        ExperimentEntry(
            id=name,
            title=experiment.title,
            claim=experiment.claim,
            runs=tuple(_run(run, store) for run in planned if run.experiment.id == name),
            rows=tuple(row for row in rows if row.experiment == name),
            command=f"python -m experiments run {name} --scale {scale}",
        )
        for name, experiment in suite.items()
    ]


def provenance_of(records: Iterable[Mapping[str, Any]]) -> Provenance:
    """The records of all stored runs, put together."""
    listed = list(records)
    dates = sorted(record["date"] for record in listed)
    return Provenance(
        machines=Counter(_machine(record["machine"]) for record in listed),
        versions=Counter(_versions(record["versions"]) for record in listed),
        commits=Counter(_commit(record.get("git")) for record in listed),
        first=dates[0] if dates else "",
        last=dates[-1] if dates else "",
        seconds=sum(record["seconds"] for record in listed),
    )


def _run(run: Planned, store: Store) -> RunEntry:
    key = run.spec.key
    stored = store.has(key)
    verdicts = store.verdicts(key) if stored else []
    failure = store.failure(key)
    return RunEntry(
        key=key,
        params=", ".join(f"{name}={_short(value)}" for name, value in run.spec.params.items()),
        state=str(run.state),
        seconds=store.provenance(key)["seconds"] if stored else None,
        error=failure.error if failure else "",
        words=tuple((word(kind), n) for kind, n in Counter(v["kind"] for v in verdicts).most_common()),
        bad=sum(is_bad(v) for v in verdicts),
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _machine(machine: Mapping[str, str]) -> str:
    """The kind of machine; a platform string names the operating system, never the host."""
    return ", ".join(machine[name] for name in ("accelerator", "processor", "platform") if machine.get(name))


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _commit(git: Mapping[str, Any] | None) -> str:
    if not git:
        return "outside version control"
    return f"{git['commit'][:12]}{' with local changes' if git.get('dirty') else ''}"
