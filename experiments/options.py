"""What the verbs for data files share: numbers on the command line, and outputs that are replaced in one step."""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from pathlib import Path

from experiments import files

__all__ = ["at_least_zero", "count", "number", "positive", "replace_file", "require_writable", "seed_number"]


def number(text: str, allowed: str, low: float, high: float, open_below: bool = False) -> float:
    """The number between the ends. Raises argparse.ArgumentTypeError saying what is allowed."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (low < value <= high if open_below else low <= value <= high):
        raise argparse.ArgumentTypeError(f"must be {allowed}, got {text}")
    return value


def at_least_zero(text: str) -> float:
    """A finite number that is not negative."""
    return number(text, "a finite number of at least 0", 0.0, sys.float_info.max)


def positive(text: str) -> float:
    """A finite number above 0."""
    return number(text, "a finite number above 0", 0.0, sys.float_info.max, open_below=True)


def count(text: str) -> int:
    """An integer of at least 1."""
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, got {text}")
    return int(text)


def seed_number(text: str) -> int:
    """An integer that every generator takes as a seed."""
    if not (text.isdecimal() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"must be an integer from 0 to {2**32 - 1}, got {text}")
    return int(text)


def require_writable(parser: argparse.ArgumentParser, path: Path) -> None:
    """Say before the work, not after it, that the result has nowhere to go."""
    path = path.resolve()
    if not path.parent.is_dir() or (path.exists() and not path.is_file()):
        parser.error(f"--output {path}: its folder must exist, and it must name a file")


def replace_file(path: Path, data: bytes | str) -> None:
    """The whole file or what was there. Raises OSError when it cannot be written."""
    path = path.resolve()  # what a link points to is replaced, not the link
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        files.write_synced(beside, data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
