r"""Results of runs in one JSON file that is whole at any instant, so that a stopped measurement goes on where it was.

Source: derived here.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.options import save
from benchmarks.race.machine import machine

__all__ = ["Ledger", "resumed"]


class Ledger:
    """What is known so far, by task, method and seed; kept in `path`, or in memory alone for None.

    Raises ValueError when the file was made with other settings of a task: runs of two protocols are not one comparison.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        known = path is not None and path.exists()
        self.data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path and known else {"tasks": {}}

    def task(self, name: str, settings: dict[str, Any]) -> dict[str, Any]:
        """The entry of a task, made when there is none."""
        entry = self.data["tasks"].setdefault(name, {"settings": settings, "methods": {}})
        if entry["settings"] != settings:
            different = sorted(k for k in settings | entry["settings"] if settings.get(k) != entry["settings"].get(k))
            raise ValueError(f"{self.path} has {name} with other settings ({', '.join(different)}): take another file")
        return entry

    def save(self) -> None:
        """Write the file, if there is one."""
        if self.path is not None:
            save(self.path, self.data)


def resumed(path: Path | None, work: Callable[[Ledger], None], table: Callable[[dict[str, Any]], str]) -> int:
    """Do what the file at `path` does not have yet, on one thread, and print the table; 2 when `work` raises ValueError."""
    torch.set_num_threads(1)
    ledger = Ledger(path)
    ledger.data.setdefault("machine", machine())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # FNGD's first step without known samples; packages' own
            work(ledger)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    ledger.save()
    print(table(ledger.data))
    return 0
