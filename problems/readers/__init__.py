"""Data files for the finite-sum estimators: svmlight, CSV and npz, plain or compressed, in one call.

``read(path)`` goes by the name: ``.npz`` is an archive, ``.csv`` and ``.tsv`` are tables, everything else is svmlight (the
format of LIBSVM). ``.gz`` and ``.bz2`` at the end are unpacked on the fly, for tables and svmlight.

Source: the svmlight format as LIBSVM's data sets use it; npz as `numpy.savez` and `scipy.sparse.save_npz` write it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from problems.readers.archive import read_npz
from problems.readers.data import Data, ReadError
from problems.readers.svmlight import read_svmlight
from problems.readers.tables import read_csv

OTHERS = (
    ".xz",
    ".zip",
    ".zst",
    ".7z",
    ".tar",
    ".tgz",
    ".parquet",
    ".feather",
    ".xlsx",
    ".xls",
    ".json",
    ".arff",
    ".npy",
    ".mat",
)

__all__ = ["Data", "ReadError", "read", "read_csv", "read_npz", "read_svmlight"]


def read(
    path: Path | str,
    *,
    n_features: int | None = None,  # svmlight: features there are, when the file does not show the last one
    label_column: int | str | None = None,  # tables: index (negative from the right) or name; default the last column
    header: bool | None = None,  # tables: whether the first line has the names; default: as it looks
) -> Data:
    """Features and labels of a file.  Raises ReadError naming the file and the line, and OSError when it cannot be opened."""
    path = Path(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((s for s in reversed(suffixes) if s not in (".gz", ".bz2")), "")
    table = kind in (".csv", ".tsv")
    if kind in OTHERS:
        raise ReadError(
            path, f"{kind} is none of the formats: .npz, .csv, .tsv, or svmlight; .gz and .bz2 are unpacked"
        )
    _refuse(path, n_features is not None and (kind == ".npz" or table), "n_features is for svmlight files")
    _refuse(path, label_column is not None and not table, "label_column is for .csv and .tsv files")
    _refuse(path, header is not None and not table, "header is for .csv and .tsv files")
    if kind == ".npz":
        return read_npz(path)
    return (
        read_csv(path, label_column=label_column, header=header)
        if table
        else read_svmlight(path, n_features=n_features)
    )


def _refuse(path: Path, wrong: Any, reason: str) -> None:
    if wrong:
        raise ReadError(path, f"{reason}, and by its name this is none")
