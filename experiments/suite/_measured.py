r"""Measurements that a benchmark left in the repository, as runs: a picture of them is then drawn like any other.

A benchmark is run by hand on a quiet machine and its JSON is committed; an experiment reads it. The digest of the file
is a parameter of the run, so that a new measurement is a new run.

Source: derived here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar

from experiments.spec import Experiment, RunSpec

__all__ = ["FOLDER", "Measured"]

FOLDER = Path(__file__).parents[2] / "benchmarks" / "results"


class Measured(Experiment):
    """One run at every scale: the file ``benchmarks/results/<file>``; none where it has not been measured."""

    file: ClassVar[str]

    def runs(self, scale: str) -> list[RunSpec]:
        path = FOLDER / self.file
        if not path.exists():
            return []
        return [self.spec(file=self.file, digest=hashlib.sha256(path.read_bytes()).hexdigest()[:16])]

    def read(self) -> dict[str, Any]:
        """The measurement. Raises FileNotFoundError with the name of the file."""
        return json.loads((FOLDER / self.file).read_text(encoding="utf-8"))
