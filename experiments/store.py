r"""The store: one folder per finished run, addressed by the hash of its specification.

::

    results/runs/ab/abcd.../{spec.json, result.npz, summary.json, verdicts.json, provenance.json}
    results/failed/ab/abcd....json      the traceback of a run that failed; never read as a result
    results/tmp/                        half-written folders; ignored by every reader, removed once their writer is gone
    results/catalogue.json              verdicts of the theorems' own examples and controls

A run's folder appears by one rename, so it is whole or absent; stores merge by copying folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from experiments.canonical import dump, parse
from experiments.files import npz_bytes, scratch, sweep_scratch, sync_folder, write_atomically, write_synced
from experiments.spec import Result, RunSpec

__all__ = ["DEFAULT_ROOT", "Failure", "Store", "StoredRun"]

DEFAULT_ROOT = "results"


@dataclass(frozen=True)
class StoredRun:
    """A finished run as it lies in the store; the arrays are read when first asked for."""

    spec: RunSpec
    summary: dict[str, Any]
    verdicts: list[dict[str, Any]]
    provenance: dict[str, Any]
    path: Path

    @property
    def key(self) -> str:
        """The run's identity."""
        return self.spec.key

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the run's spec."""
        return self.spec.params

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of result.npz by name."""
        with np.load(self.path / "result.npz", allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}


@dataclass(frozen=True)
class Failure:
    """A run that raised: the spec, the error in one line, the whole traceback, the provenance."""

    spec: RunSpec
    error: str
    traceback: str
    provenance: dict[str, Any]


class Store:
    """Results under the folder `root`; several processes may write at once."""

    def __init__(self, root: str | Path = DEFAULT_ROOT) -> None:
        self.root = Path(root).absolute()

    def path(self, key: str) -> Path:
        """Where the run with this key lies, or would lie."""
        return self.root / "runs" / key[:2] / key

    def has(self, key: str) -> bool:
        """Whether a finished run is stored."""
        return self.path(key).is_dir()

    def keys(self) -> Iterator[str]:
        """The keys of every stored run, sorted."""
        return (folder.name for folder in sorted((self.root / "runs").glob("??/*")))

    def save(self, spec: RunSpec, result: Result, provenance: Mapping[str, Any]) -> Path:
        """Store a finished run in one step, replacing an older one, and forget an earlier failure."""
        target = self.path(spec.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch(self.root) as folder:
            fresh = folder / "run"
            fresh.mkdir()
            write_synced(fresh / "spec.json", spec.text)
            write_synced(fresh / "result.npz", npz_bytes(result.arrays))
            write_synced(fresh / "summary.json", dump(result.summary, "summary"))
            write_synced(fresh / "verdicts.json", dump(result.verdicts, "verdicts"))
            write_synced(fresh / "provenance.json", dump(provenance, "provenance"))
            sync_folder(fresh)
            _replace_folder(fresh, target, aside=folder / "old")
        sync_folder(target.parent)
        self._failure_path(spec.key).unlink(missing_ok=True)
        return target

    def load(self, key: str) -> StoredRun:
        """The stored run.  Raises KeyError when there is none."""
        path = self.path(key)
        if not path.is_dir():
            raise KeyError(f"no run {key} in {self.root}; `python -m experiments status` lists what is missing")
        return StoredRun(
            spec=RunSpec.parse((path / "spec.json").read_text()),
            summary=self._read(path / "summary.json"),
            verdicts=self._read(path / "verdicts.json"),
            provenance=self._read(path / "provenance.json"),
            path=path,
        )

    def provenance(self, key: str) -> dict[str, Any]:
        """The provenance of a stored run alone."""
        return self._read(self.path(key) / "provenance.json")

    def verdicts(self, key: str) -> list[dict[str, Any]]:
        """The verdicts of a stored run alone."""
        return self._read(self.path(key) / "verdicts.json")

    def fail(self, spec: RunSpec, error: str, traceback: str, provenance: Mapping[str, Any]) -> Path:
        """Record that a run failed; an older result of the same run stays where it is."""
        path = self._failure_path(spec.key)
        entry = {"spec": spec.text, "error": error, "traceback": traceback, "provenance": provenance}
        write_atomically(self.root, path, dump(entry, "failure"))
        return path

    def failure(self, key: str) -> Failure | None:
        """The recorded failure of a run, if its last attempt failed."""
        try:
            entry = self._read(self._failure_path(key))
        except FileNotFoundError:
            return None
        return Failure(RunSpec.parse(entry["spec"]), entry["error"], entry["traceback"], entry["provenance"])

    def write_catalogue(self, catalogue: Mapping[str, Any]) -> Path:
        """Store the verdicts of the theorems' examples and controls."""
        path = self.root / "catalogue.json"
        write_atomically(self.root, path, dump(catalogue, "catalogue"))
        return path

    def catalogue(self) -> dict[str, Any] | None:
        """The stored catalogue, or None before the first `verify`."""
        path = self.root / "catalogue.json"
        return self._read(path) if path.exists() else None

    def clean(self) -> int:
        """Remove half-written folders whose writer is gone; their number."""
        return sweep_scratch(self.root)

    def _failure_path(self, key: str) -> Path:
        return self.root / "failed" / key[:2] / f"{key}.json"

    @staticmethod
    def _read(path: Path) -> Any:
        return parse(path.read_text())


def _replace_folder(fresh: Path, target: Path, aside: Path) -> None:
    # rename(2) replaces no folder that has content, so an older result steps aside first; a crash between the two
    # renames leaves the run missing, hence planned again, never half-made.
    with suppress(FileNotFoundError):
        os.replace(target, aside)
    try:
        os.replace(fresh, target)
    except OSError:
        # Another process has stored the same run in between: theirs is as new and, by the key, the same run.
        if not target.is_dir():
            raise
