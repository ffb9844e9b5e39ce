"""A tiny experiment and theorem for the tests of the infrastructure: picklable, countable, able to fail on demand."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.seeds import generator
from experiments.spec import Experiment, Progress, Result, RunSpec, expecting, quiet
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem


@dataclass(frozen=True)
class Toy(Experiment):
    """Random walks; every execution appends its key to `log`, so that a test can count executions."""

    log: Path | None = None
    cells: int = 4
    pause: float = 0.0  # seconds per cell
    failing: tuple[int, ...] = ()  # seeds whose run raises
    killing: tuple[int, ...] = ()  # seeds whose run kills its process
    violated: tuple[int, ...] = ()  # seeds whose verdict is VIOLATED
    misused: bool = False  # the violation is declared

    id = "toy"
    title = "Random walks"
    claim = "A walk of T steps stays within T."

    def runs(self, scale: str) -> list[RunSpec]:
        steps = {"ci": 50, "laptop": 100, "paper": 200}[scale]
        return [self.spec(seed=seed, dtype="float64", steps=steps) for seed in range(self.cells)]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        seed, steps = spec.params["seed"], spec.params["steps"]
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(spec.key + "\n")
        time.sleep(self.pause)
        if seed in self.failing:
            raise FloatingPointError(f"the walk of seed {seed} left the plane")
        if seed in self.killing:
            os.kill(os.getpid(), signal.SIGKILL)
        rng = generator(seed, "walk")
        matrix = rng.standard_normal((60, 60))
        walk = np.cumsum(rng.choice([-1.0, 1.0], size=steps))
        progress(1, 1)
        return Result(
            {"walk": walk, "product": matrix @ matrix.T}, {"end": walk[-1], "limit": np.inf}, [self._judge(seed)]
        )

    def _judge(self, seed: int) -> dict[str, Any]:
        kind, ratio = ("VIOLATED", 1.25) if seed in self.violated else ("VERIFIED", 0.5 + seed / 100)
        verdict = {"kind": kind, "theorem": "walk-range", "ratio": ratio, "evidence": {}, "checks": []}
        return expecting(verdict, "VIOLATED") if self.misused else verdict


class AtMost(Theorem):
    """max x <= limit for a run {"x": array, "limit": number, "honest": bool}."""

    id = "at-most"
    title = "A declared limit"
    kind = Kind.PATHWISE
    source = Citation("derived", "here", "derived")
    statement = r"\max_i x_i \le \ell"
    subject = "a list of numbers"
    assumptions = (
        Assumption("honest", r"\text{the limit is honest}", lambda run: Check(run["honest"], 1.0, "declared")),
    )

    def measured(self, run: Any) -> Any:
        return run["x"]

    def bound(self, run: Any) -> Any:
        return np.full_like(run["x"], run["limit"])

    def examples(self) -> Iterable[Example]:
        yield Example("small", lambda: {"x": np.asarray([1.0, 2.0]), "limit": 2.5, "honest": True}, near_tight=True)

    def controls(self) -> Iterable[Example]:
        def make() -> dict[str, Any]:
            return {"x": np.asarray([3.0]), "limit": 2.5, "honest": False}

        yield Example("dishonest", make, expect=("HYPOTHESIS_FAILED",), breaks="honest")


class Broken(AtMost):
    """A theorem whose example is violated and whose control holds: both must be called bad."""

    id = "broken"

    def examples(self) -> Iterable[Example]:
        yield Example("too large", lambda: {"x": np.asarray([3.0]), "limit": 2.5, "honest": True})

    def controls(self) -> Iterable[Example]:
        def make() -> dict[str, Any]:
            return {"x": np.asarray([1.0]), "limit": 2.5, "honest": True}

        yield Example("holds", make, expect=("HYPOTHESIS_FAILED", "VIOLATED"), breaks="honest")


class Raising(AtMost):
    """A theorem whose example cannot even be built."""

    id = "raising"

    def examples(self) -> Iterable[Example]:
        def make() -> Any:
            raise RuntimeError("no such instance")

        yield Example("impossible", make)
