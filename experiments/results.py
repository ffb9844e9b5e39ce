"""What a figure reads: the stored runs of some experiments at one scale, as a list that can be queried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from experiments.plan import specs
from experiments.spec import Experiment, RunSpec
from experiments.store import Store, StoredRun

__all__ = ["Results"]


@dataclass(frozen=True)
class Results(Sequence[StoredRun]):
    """Stored runs in planned order.  `missing` are planned runs that the store does not have."""

    runs: tuple[StoredRun, ...]
    missing: tuple[RunSpec, ...] = ()

    @classmethod
    def read(
        cls,
        store: Store,
        experiments: Iterable[str],  # experiment ids
        scale: str,  # "ci" | "laptop" | "paper"
        device: str = "cpu",
        suite: Mapping[str, Experiment] | None = None,  # default: every experiment of experiments.suite
    ) -> Results:
        """The stored runs among those planned.  Raises KeyError for an experiment that does not exist."""
        from experiments.suite import load_suite

        suite = load_suite() if suite is None else suite
        planned = [spec for name in experiments for spec in specs(_named(suite, name), scale, device)]
        present = [spec for spec in planned if store.has(spec.key)]
        absent = [spec for spec in planned if not store.has(spec.key)]
        return cls(tuple(store.load(spec.key) for spec in present), tuple(absent))

    @property
    def complete(self) -> bool:
        """Whether every planned run is here."""
        return not self.missing

    @property
    def keys(self) -> list[str]:
        """The keys of the runs, for a manifest."""
        return [run.key for run in self.runs]

    def where(self, test: Callable[[StoredRun], bool] | None = None, /, **params: Any) -> Results:
        """The runs whose parameters equal all of `params` (lists for tuples) and that pass `test`."""
        wanted = {name: list(v) if isinstance(v, tuple) else v for name, v in params.items()}
        kept = [r for r in self.runs if _matches(r, wanted) and (test is None or test(r))]
        return Results(tuple(kept))

    def of(self, experiment: str) -> Results:
        """The runs of one experiment."""
        return self.where(lambda run: run.spec.experiment == experiment)

    def one(self, **params: Any) -> StoredRun:
        """The only run with these parameters.  Raises LookupError when there is none or more than one."""
        found = self.where(**params)
        if len(found) != 1:
            raise LookupError(f"expected one run with {params}, found {len(found)} among {len(self)}")
        return found[0]

    def values(self, name: str) -> list[Any]:
        """The distinct values of a parameter, in order of first appearance."""
        distinct: list[Any] = []
        for run in self.runs:
            if name in run.params and run.params[name] not in distinct:
                distinct.append(run.params[name])
        return distinct

    def groups(self, *names: str) -> list[tuple[tuple[Any, ...], Results]]:
        """The runs split by the values of parameters, in order of first appearance: [(values, runs), ...]."""
        grouped: list[tuple[tuple[Any, ...], list[StoredRun]]] = []
        for run in self.runs:
            values = tuple(run.params.get(name) for name in names)
            match = next((runs for v, runs in grouped if v == values), None)
            if match is None:
                grouped.append((values, [run]))
            else:
                match.append(run)
        return [(values, Results(tuple(runs))) for values, runs in grouped]

    def stack(self, name: str) -> np.ndarray:  # (runs, *shape)
        """The array `name` of every run, stacked along a new first axis."""
        return np.stack([run.arrays[name] for run in self.runs])

    def column(self, name: str) -> list[Any]:
        """The summary entry `name` of every run."""
        return [run.summary[name] for run in self.runs]

    def verdicts(self, theorem: str | None = None) -> list[dict[str, Any]]:
        """The stored verdicts of the runs, of one theorem or of all."""
        return [v for run in self.runs for v in run.verdicts if theorem in (None, v["theorem"])]

    @overload
    def __getitem__(self, index: int) -> StoredRun: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> StoredRun | Results:
        return Results(self.runs[index]) if isinstance(index, slice) else self.runs[index]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[StoredRun]:
        return iter(self.runs)


def _named(suite: Mapping[str, Experiment], name: str) -> Experiment:
    if name not in suite:
        raise KeyError(f"no experiment {name!r}; there are {', '.join(suite) or 'none'}")
    return suite[name]


def _matches(run: StoredRun, wanted: Mapping[str, Any]) -> bool:
    return all(name in run.params and run.params[name] == value for name, value in wanted.items())
