r"""svmlight (LIBSVM) files: ``label [qid:n] index:value ... [# comment]`` per line.

The compiled reader of scikit-learn goes first. Where it refuses, the lines are read again here, one by one: either the file is
only unusual (indices out of order), and is read, or the first broken line is found and named.

Indices count from 1 when none is 0 in the file, from 0 otherwise. Labels are numbers; a query id is read past.

Source: the format of SVM-light and LIBSVM; `sklearn.datasets.load_svmlight_file`.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from scipy import sparse

from problems.readers.data import Data, ReadError, as_labels, open_binary

__all__ = ["read_svmlight"]

REFUSALS = (
    ValueError,
    IndexError,
    OverflowError,
    EOFError,
    OSError,
)  # what scikit-learn's reader meets in a broken file


def read_svmlight(
    path: Path | str,
    *,
    n_features: int | None = None,  # at least the largest index in the file; default: that index
) -> Data:
    """A CSR matrix and labels.  Raises ReadError naming the line, OSError when the file cannot be opened."""
    from sklearn.datasets import load_svmlight_file

    path = Path(path)
    with open_binary(path) as file:
        try:
            X, y = load_svmlight_file(file, n_features=n_features)
        except REFUSALS:
            X, y = _read_lines(path, file, n_features)
    if not len(y):
        raise ReadError(path, "there is no row in it")
    return Data(X, as_labels(y))


def _read_lines(path: Path, file: BinaryIO, n_features: int | None) -> tuple[Any, np.ndarray]:
    """The slow and tolerant reader; raises ReadError for the first line that is not of the format."""
    labels, columns, values, ends = array("d"), array("q"), array("d"), array("q", [0])
    number = 0
    try:
        file.seek(0)
        for number, line in enumerate(file, start=1):
            parts = line.partition(b"#")[0].split()
            if parts:
                _read_line(path, number, parts, labels, columns, values)
                ends.append(len(columns))
    except (EOFError, OSError) as error:  # a compressed file that ends too early, or is not of its kind
        raise ReadError(path, f"broken after line {number}: {error}") from error
    return _matrix(path, n_features, columns, values, ends), np.array(labels)


def _read_line(path: Path, number: int, parts: list[bytes], labels: array, columns: array, values: array) -> None:
    labels.append(_number(path, number, parts[0], "label"))
    pairs = parts[2:] if len(parts) > 1 and parts[1].startswith(b"qid:") else parts[1:]
    for pair in pairs:
        index, colon, value = pair.partition(b":")
        if not colon or not index.isdigit() or int(index) >= 2**62:
            raise ReadError(path, f"expected index:value, found {_shown(pair)}", number)
        columns.append(int(index))
        values.append(_number(path, number, value, f"value of feature {int(index)}"))


def _number(path: Path, line: int, text: bytes, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        hint = "; a table's name ends in .csv or .tsv" if b"," in text or b";" in text else ""
        raise ReadError(path, f"the {what} is {_shown(text)}, not a number{hint}", line) from None


def _shown(text: bytes) -> str:
    return repr(text[:40].decode(errors="replace")) if text else "missing"


def _matrix(path: Path, n_features: int | None, columns: array, values: array, ends: array) -> sparse.csr_matrix:
    indices = np.array(columns, dtype=np.int64)
    if len(indices) and indices.min() > 0:
        indices -= 1
    found = int(indices.max()) + 1 if len(indices) else 0
    if n_features is not None and found > n_features:
        raise ReadError(path, f"it has {found} features, more than n_features={n_features}")
    X = sparse.csr_matrix((np.array(values), indices, np.array(ends)), shape=(len(ends) - 1, n_features or found))
    X.sum_duplicates()
    return X
