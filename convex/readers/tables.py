r"""CSV tables of numbers with one column of labels, which may be words.

The delimiter is the most frequent of comma, semicolon and tab in the first line. That line is a header when one of its feature
cells is not a number. Empty lines are passed over.

Source: RFC 4180, as Python's `csv` reads it.
"""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convex.readers.data import Data, ReadError, as_labels, open_binary

__all__ = ["read_csv"]


@dataclass(frozen=True)
class Layout:
    """Where the labels stand, and the header if there is one."""

    width: int
    label: int
    header: list[str] | None


def read_csv(
    path: Path | str,
    *,
    label_column: int | str | None = None,  # index, negative from the right; or a name in the header; default the last
) -> Data:
    """A float64 array and labels.  Raises ReadError naming the line, OSError when the file cannot be opened."""
    path = Path(path)
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise ReadError(path, "there is no row in it")
    layout = _layout(path, first[1], label_column)
    cells, labels = array("d"), []
    if layout.header is None:
        _take(path, layout, *first, cells, labels)
    for number, row in rows:
        _take(path, layout, number, row, cells, labels)
    if not labels:
        raise ReadError(path, "there is no row under the header")
    header, at = layout.header, layout.label
    names = None if header is None else tuple(header[:at] + header[at + 1 :])
    return Data(np.array(cells).reshape(len(labels), layout.width - 1), _labels(labels), names)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Non-empty rows with their line numbers."""
    number = 0
    try:
        with io.TextIOWrapper(open_binary(path), encoding="utf-8-sig", newline="") as file:
            start = file.readline()
            delimiter = max(",;\t", key=start.count)
            reader = csv.reader(_chain(start, file), delimiter=delimiter)
            for row in reader:
                number = reader.line_num
                if any(cell.strip() for cell in row):
                    yield number, row
    except FileNotFoundError:
        raise
    except (EOFError, OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReadError(path, f"broken after line {number}: {error}") from error


def _chain(first: str, rest: io.TextIOWrapper) -> Iterator[str]:
    yield first
    yield from rest


def _layout(path: Path, first: list[str], label_column: int | str | None) -> Layout:
    width = len(first)
    cells: list[Any] = [cell.strip() for cell in first]
    named = label_column in cells
    label = cells.index(label_column) if named else _index(path, first, label_column)
    numbers = all(_is_number(cell) for i, cell in enumerate(cells) if i != label)
    header = None if numbers and not named else cells
    if width < 2:
        raise ReadError(path, "one column only: features and labels are needed", 1)
    return Layout(width, label, header)


def _index(path: Path, first: list[str], label_column: int | str | None) -> int:
    text = "-1" if label_column is None else str(label_column)
    width = len(first)
    if not text.removeprefix("-").isdecimal():
        raise ReadError(path, f"there is no column {text!r}; the first line has {', '.join(map(repr, first[:20]))}", 1)
    if not -width <= int(text) < width:
        raise ReadError(path, f"label column {text} is outside of the {width} columns (the first is 0)", 1)
    return int(text) % width


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _take(path: Path, layout: Layout, number: int, row: list[str], cells: array, labels: list[str]) -> None:
    if len(row) != layout.width:
        raise ReadError(path, f"expected {layout.width} columns, found {len(row)}", number)
    labels.append(row.pop(layout.label).strip())
    try:
        cells.extend(map(float, row))
    except ValueError:
        wrong = next(i for i, cell in enumerate(row) if not _is_number(cell))
        column = wrong + (wrong >= layout.label)
        raise ReadError(path, f"column {column} (the first is 0) is {row[wrong]!r}, not a number", number) from None


def _labels(labels: list[str]) -> np.ndarray:
    try:
        return as_labels(np.array([float(label) for label in labels]))
    except ValueError:
        return np.array(labels)
