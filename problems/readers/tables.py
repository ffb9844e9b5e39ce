r"""CSV tables of numbers with one column of labels, which may be words.

The delimiter is the most frequent of comma, semicolon and tab in the first line. That line is a header when one of its feature
cells is a word, when its label alone is a word, or when its cells are 0, 1, 2, ..., as pandas names columns without names.
Empty lines are passed over; an empty cell is an error.

Source: RFC 4180, as Python's `csv` reads it.
"""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from problems.readers.data import Data, ReadError, as_labels, open_binary

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
    header: bool | None = None,  # whether the first line has the names; default: as it looks
) -> Data:
    """A float64 array and labels.  Raises ReadError naming the line, OSError when the file cannot be opened."""
    path = Path(path)
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise ReadError(path, "there is no row in it")
    layout = _layout(path, first[1], label_column, header)
    cells, labels = array("d"), []
    if layout.header is None:
        _take(path, layout, first[0], list(first[1]), cells, labels)
    for number, row in rows:
        _take(path, layout, number, row, cells, labels)
    if header is None and layout.header is None and _names_the_label(labels):
        layout, labels, cells = replace(layout, header=first[1]), labels[1:], cells[layout.width - 1 :]
    if not labels:
        raise ReadError(path, "there is no row under the header")
    table = np.array(cells).reshape(len(labels), layout.width - 1)
    if layout.header is None:
        return Data(table, _labels(labels))
    names = [name.strip() for name in layout.header]
    del names[layout.label]
    return Data(table, _labels(labels), tuple(names), f"line {first[0]} is a header")


def _names_the_label(labels: list[str]) -> bool:
    """Whether the first label is a word above numbers."""
    return len(labels) > 1 and not _is_number(labels[0]) and all(map(_is_number, labels[1:]))


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
    except UnicodeDecodeError as error:
        raise ReadError(
            path, f"not UTF-8 text: {error.reason} at byte {error.start} of a block after line {number}"
        ) from error
    except (EOFError, OSError, csv.Error) as error:
        raise ReadError(path, f"broken after line {number}: {error}") from error


def _chain(first: str, rest: io.TextIOWrapper) -> Iterator[str]:
    yield first
    yield from rest


def _layout(path: Path, first: list[str], label_column: int | str | None, header: bool | None) -> Layout:
    width = len(first)
    cells: list[Any] = [cell.strip() for cell in first]
    named = label_column in cells and header is not False
    label = cells.index(label_column) if named else _index(path, first, label_column)
    if width < 2:
        raise ReadError(path, "one column only: features and labels are needed", 1)
    if header is False or not (header or named or _looks_like_names(cells, label)):
        return Layout(width, label, None)
    unnamed = [i for i, cell in enumerate(cells) if not cell and i != label]
    if unnamed:
        raise ReadError(
            path,
            f"column {unnamed[0]} (the first is 0) has no name in the header: an index? Write the table without it",
            1,
        )
    return Layout(width, label, cells)


def _looks_like_names(cells: list[str], label: int) -> bool:
    """Whether a first line is a header rather than numbers; an empty cell says nothing."""
    words = any(cell and not _is_number(cell) for i, cell in enumerate(cells) if i != label)
    unnamed = cells[label] == str(label) or not _is_number(cells[label])
    counted = len(cells) > 2 and unnamed and all(cell == str(i) for i, cell in enumerate(cells) if i != label)
    return words or counted


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
    label = row.pop(layout.label).strip()
    if not label:
        raise ReadError(path, "there is no label", number)
    labels.append(label)
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
