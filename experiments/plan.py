r"""What is to be run: planned runs minus stored ones, and the state that `status` shows.

missing: never finished; failed: the last attempt raised; stale: stored, but a source file it depends on has changed
since; fresh: stored by the sources as they are now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from experiments.sources import Sources
from experiments.spec import SCALES, Experiment, RunSpec
from experiments.store import Store

__all__ = ["Planned", "State", "counts", "pending", "plan", "specs"]


class State(StrEnum):
    """How the store stands to a planned run."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True)
class Planned:
    """A planned run, its state, and the digest of the sources that it depends on now."""

    experiment: Experiment
    spec: RunSpec
    state: State
    sources: str


def specs(experiment: Experiment, scale: str, device: str = "cpu") -> list[RunSpec]:
    """The runs of an experiment, each once; on `device` if the experiment supports it, else as it declares them.

    Raises ValueError for an unknown scale or a run that names another experiment.
    """
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}: expected one of {', '.join(SCALES)}")
    moved = device != "cpu" and device in experiment.devices
    runs = list(dict.fromkeys(run.on(device) if moved else run for run in experiment.runs(scale)))
    strays = {run.experiment for run in runs} - {experiment.id}
    if strays:
        raise ValueError(f"experiment {experiment.id!r} planned runs of {sorted(strays)}: use self.spec(...)")
    return runs


def plan(
    experiments: Iterable[Experiment],
    store: Store,
    scale: str,
    device: str = "cpu",
    sources: Sources | None = None,  # default: this source tree, read now
) -> list[Planned]:
    """Every planned run with its state, in the experiments' order."""
    sources = sources or Sources()
    planned = []
    for experiment in experiments:
        digest = sources.digest(type(experiment))
        for spec in specs(experiment, scale, device):
            planned.append(Planned(experiment, spec, _state(store, spec.key, digest), digest))
    return planned


def pending(planned: Sequence[Planned], stale: bool = False, force: bool = False) -> list[Planned]:
    """The runs to compute: missing and failed ones; with `stale` stale ones too, with `force` all."""
    wanted = {State.MISSING, State.FAILED} | ({State.STALE} if stale else set())
    return [run for run in planned if force or run.state in wanted]


def counts(planned: Sequence[Planned]) -> dict[str, Counter[State]]:
    """How many runs are in each state, per experiment id."""
    table: dict[str, Counter[State]] = {}
    for run in planned:
        table.setdefault(run.experiment.id, Counter())[run.state] += 1
    return table


def _state(store: Store, key: str, digest: str) -> State:
    if store.failure(key) is not None:  # the last attempt counts, even if an older result is still there
        return State.FAILED
    if not store.has(key):
        return State.MISSING
    return State.FRESH if store.provenance(key).get("sources") == digest else State.STALE
