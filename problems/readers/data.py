"""What a reader returns, and the error that names the file and the line."""

from __future__ import annotations

import bz2
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["Data", "ReadError", "as_labels", "open_binary"]


@dataclass(frozen=True, eq=False)
class Data:
    """Features and labels as they stand in a file."""

    X: Any  # (n, d) float64 or float32 array, or CSR matrix
    y: np.ndarray  # (n,) int64 when all labels are integers, float64, or strings
    names: tuple[str, ...] | None = None  # (d,) columns of a table with a header
    note: str = ""  # what was decided about the file that a reader may want to know


class ReadError(ValueError):
    """A file that cannot be read as what its name says: ``FILE:LINE: reason``."""

    def __init__(self, path: Path | str, reason: str, line: int | None = None) -> None:
        super().__init__(f"{path}{'' if line is None else f':{line}'}: {reason}")


def open_binary(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked when its name ends in .gz or .bz2; a pipe is read to its end, so that one can go back.

    Raises OSError when it cannot be opened.
    """
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix.lower(), open)
    if path.is_file() or not path.exists():
        return opener(path, "rb")
    with path.open("rb") as pipe:
        return io.BytesIO(pipe.read())


def as_labels(values: np.ndarray) -> np.ndarray:
    """Floats that are all integers as int64, so that classes print as 1 and -1; other arrays as they are."""
    if values.dtype.kind == "f" and np.isfinite(values).all() and (np.abs(values) < 2.0**53).all():
        whole = values.astype(np.int64)
        return whole if (whole == values).all() else values
    return values
