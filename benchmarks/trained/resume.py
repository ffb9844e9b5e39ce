r"""Results of runs in one JSON file that is whole at any instant, so that a stopped measurement goes on where it was.

Source: derived here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["Ledger"]


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
        """Write the file under another name, then rename it."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(json.dumps(self.data, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)
