r"""What the command lines of the benchmarks share: whatever is wrong with them is said at once, with exit status 2.

`count`, `folder`, `target` and `stored` are types of argparse arguments; `chosen` filters names by words; `save` writes results.

Source: derived here.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from experiments.files import write_synced

__all__ = ["chosen", "count", "folder", "save", "stored", "target"]


def count(text: str) -> int:
    """A whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def folder(text: str) -> Path:
    """A folder that is there."""
    path = Path(text)
    if not path.is_dir():
        raise ArgumentTypeError(f"there is no folder {text!r}")
    return path


def target(text: str) -> Path:
    """A file that can be written: not a folder, in a folder that is there or can be made."""
    path = Path(text)
    above = next(each for each in path.absolute().parents if each.exists())
    if path.is_dir() or not above.is_dir() or not os.access(path if path.exists() else above, os.W_OK):
        raise ArgumentTypeError(f"{text!r} cannot be written")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def stored(entry: str) -> Callable[[str], dict[str, Any]]:
    """The results of a JSON file that has this entry."""

    def results(text: str) -> dict[str, Any]:
        try:
            found = json.loads(Path(text).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArgumentTypeError(f"{text!r} is no file of results: {error}") from error
        if not isinstance(found, dict) or entry not in found:
            raise ArgumentTypeError(f"{text!r} is not a result of this benchmark: it has no {entry!r}")
        return found

    return results


def save(path: Path, results: Any) -> None:
    """Write the results as JSON under another name, then rename it: the file is whole at any instant."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_synced(beside, json.dumps(results, indent=1) + "\n")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def chosen(flag: str, words: str | None, names: Iterable[str]) -> list[str]:
    """The names that have one of these words, separated by commas; all for None. Ends with status 2 when there is none."""
    names = list(names)
    found = [name for name in names if words is None or any(word in name for word in words.split(","))]
    if not found:
        print(f"{flag}: no name has {words!r}; there are {', '.join(names)}", file=sys.stderr)
        raise SystemExit(2)
    return found
