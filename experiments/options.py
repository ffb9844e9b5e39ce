"""What the verbs for data files share: numbers on the command line, and outputs that are replaced in one step."""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from pathlib import Path
from typing import Any

from experiments import files

__all__ = [
    "at_least_zero",
    "count",
    "file_options",
    "number",
    "positive",
    "read_data",
    "replace_file",
    "require_writable",
    "seed_number",
    "settle_epsilon",
]

EPSILON = 1.35  # of the Huber loss


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


def file_options(parser: argparse.ArgumentParser) -> None:
    """Declare how a data file is to be read, and where its Huber loss bends."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="svmlight, CSV or npz")
    add("--epsilon", type=positive, metavar="E", help=f"where huber turns linear, in units of y ({EPSILON})")
    add("--n-features", type=count, metavar="D", help="svmlight: features there are, if more than the file shows")
    add("--label-column", metavar="COLUMN", help="csv: index (the first is 0, -1 the last) or name (the last)")
    add("--header", action=argparse.BooleanOptionalAction, help="csv: the first line has names or not (as it looks)")


def settle_epsilon(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Complain about an --epsilon that says nothing here; the default where none is given."""
    if options.epsilon is not None and options.loss != "huber":
        parser.error("--epsilon is for --loss huber")
    options.epsilon = options.epsilon or EPSILON


def read_data(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Any:
    """The `problems.readers.Data` of the file; a file that cannot be read is wrong use."""
    from problems.readers import read

    try:
        return read(
            options.file, n_features=options.n_features, label_column=options.label_column, header=options.header
        )
    except OSError as error:
        parser.error(f"cannot read {options.file}: {error.strerror}")
    except ValueError as error:
        parser.error(str(error))


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
