r"""What a run is: a declared, hashable specification, and the experiment that plans and executes it.

.. math:: \text{key}(\text{run}) = \operatorname{SHA256}(\text{canonical JSON of } \{\text{experiment}, \text{params}\})

The code version is not part of the key: a result stays addressable while the code improves, and `status` says
which results are stale (see :mod:`experiments.provenance`).
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from experiments.canonical import canonical, dump, parse

__all__ = ["SCALES", "Experiment", "Progress", "Result", "RunSpec", "expecting", "quiet"]

SCALES = ("ci", "laptop", "paper")


class Progress(Protocol):
    """Called by a running cell as ``progress(done, total)``; cheap, and free to be ignored."""

    def __call__(self, done: int, total: int) -> None: ...


def quiet(done: int, total: int) -> None:
    """The progress that shows nothing."""


@dataclass(frozen=True, eq=False)
class RunSpec:
    """One run: the experiment's id and everything that determines its numbers (seed and dtype included).

    `params` holds JSON types only (tuples become lists); ``1`` and ``1.0`` are different runs.  The object keeps
    its own copy, so changing the dictionary that was passed in, or `params` itself, cannot change the identity.
    Raises TypeError or ValueError naming the entry that is not JSON or not finite.
    """

    experiment: str
    params: dict[str, Any]
    text: str = field(init=False, repr=False)  # canonical JSON, the identity

    def __post_init__(self) -> None:
        if not isinstance(self.params, dict):
            raise TypeError(f"params must be a dict, got {type(self.params).__qualname__}")
        text = canonical({"experiment": self.experiment, "params": self.params}, "spec")
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "params", json.loads(text)["params"])

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(self.text.encode("ascii")).hexdigest()

    @property
    def device(self) -> str:
        """Where the run computes: ``params["device"]``, or "cpu" when the parameter is absent."""
        return self.params.get("device", "cpu")

    def on(self, device: str) -> RunSpec:
        """The same run on another device: another key, because its rounding differs; "cpu" is the default."""
        rest = {k: v for k, v in self.params.items() if k != "device"}
        return RunSpec(self.experiment, rest if device == "cpu" else {**rest, "device": device})

    @classmethod
    def parse(cls, text: str) -> RunSpec:
        """The spec whose canonical JSON is `text`."""
        entry = json.loads(text)
        return cls(entry["experiment"], entry["params"])

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, RunSpec) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)


@dataclass(frozen=True)
class Result:
    """What a run leaves behind.

    `arrays` are NumPy arrays of numbers, booleans or strings (bitwise reproducible; timings belong in `summary`);
    `summary` is JSON (NumPy scalars and non-finite floats allowed); `verdicts` are theory.verdict.Verdict
    objects (or their JSON dictionaries), through :func:`expecting` where a theorem is applied wrongly on purpose.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    verdicts: Sequence[Any] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrays", {name: _array(name, a) for name, a in self.arrays.items()})
        object.__setattr__(self, "summary", parse(dump(self.summary, "summary")))
        object.__setattr__(self, "verdicts", [_verdict(i, v) for i, v in enumerate(self.verdicts)])


def expecting(
    verdict: Any,  # a Verdict or its JSON dictionary
    *kinds: str,  # VerdictKind values that this deliberate misuse may end in
) -> dict[str, Any]:
    """The verdict's JSON marked with the kinds that it must end in; any other kind then counts as bad."""
    return {**_verdict(0, verdict), "expected": [str(kind) for kind in kinds]}


class Experiment(ABC):
    """A claim, the runs that test it at each scale, and how one run is executed.  Stateless; one file each."""

    id: ClassVar[str]  # the name on the command line, e.g. "regret_vs_bound"
    title: ClassVar[str]
    claim: ClassVar[str]  # one sentence that the stored runs support or refute
    devices: ClassVar[tuple[str, ...]] = ("cpu",)  # add "cuda" when `execute` honours spec.device
    requires: ClassVar[tuple[str, ...]] = ()  # modules imported before threads are limited, e.g. ("torch",)
    exclusive: ClassVar[bool] = False  # True when wall time is measured: no other run beside it

    @abstractmethod
    def runs(self, scale: str) -> list[RunSpec]:
        """The runs of the experiment at "ci", "laptop" or "paper" scale; deterministic, cheap, no duplicates."""

    @abstractmethod
    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        """Compute one run.  Raise on failure: a failed run is recorded with its traceback and never cached."""

    def spec(self, **params: Any) -> RunSpec:
        """A RunSpec of this experiment."""
        return RunSpec(self.id, params)


def _array(name: str, value: Any) -> np.ndarray:
    if not isinstance(value, (np.ndarray, np.generic, bool, int, float)):
        raise TypeError(
            f"array {name!r} is a {type(value).__module__}.{type(value).__qualname__}: pass a NumPy array "
            "(structures.arrays.to_numpy converts any backend)"
        )
    array = np.array(value, order="C")
    if array.dtype.hasobject:
        raise TypeError(f"array {name!r} has dtype {array.dtype}: only plain numbers, booleans and strings are stored")
    return array


def _verdict(index: int, verdict: Any) -> dict[str, Any]:
    text = verdict.to_json() if hasattr(verdict, "to_json") else dump(verdict, f"verdicts[{index}]")
    entry = parse(text)
    if not isinstance(entry, dict) or not {"kind", "theorem"} <= entry.keys():
        raise ValueError(f"verdicts[{index}] must be a verdict's JSON with 'kind' and 'theorem', got {entry!r}")
    return entry
