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
    params: str  # those in which the runs of the experiment differ
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
    shared: str  # parameters that all runs have in common
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
        _experiment(experiment, [run for run in planned if run.experiment.id == name], rows, store, scale)
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


def _experiment(
    experiment: Experiment, planned: Sequence[Planned], rows: Sequence[Row], store: Store, scale: str
) -> ExperimentEntry:
    shared = _shared([run.spec.params for run in planned])
    return ExperimentEntry(
        id=experiment.id,
        title=experiment.title,
        claim=experiment.claim,
        shared=_listed(shared),
        runs=tuple(_run(run, store, shared) for run in planned),
        rows=tuple(row for row in rows if row.experiment == experiment.id),
        command=f"python -m experiments run {experiment.id} --scale {scale}",
    )


def _shared(params: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The parameters that have one value in all of several runs."""
    if len(params) < 2:
        return {}
    first, *others = params
    return {k: v for k, v in first.items() if all(k in other and other[k] == v for other in others)}


def _run(run: Planned, store: Store, shared: Mapping[str, Any]) -> RunEntry:
    key = run.spec.key
    stored = store.has(key)
    verdicts = store.verdicts(key) if stored else []
    failure = store.failure(key)
    return RunEntry(
        key=key,
        params=_listed({name: value for name, value in run.spec.params.items() if name not in shared}),
        state=str(run.state),
        seconds=store.provenance(key)["seconds"] if stored else None,
        error=failure.error if failure else "",
        words=tuple((word(kind), n) for kind, n in Counter(v["kind"] for v in verdicts).most_common()),
        bad=sum(is_bad(v) for v in verdicts),
    )


def _listed(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in params.items())


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
