r"""npz archives: dense ``X`` and ``y``, or a sparse matrix in SciPy's names with ``y`` beside it.

.. code-block:: python

    numpy.savez("dense.npz", X=X, y=y)
    numpy.savez("sparse.npz", data=X.data, indices=X.indices, indptr=X.indptr, shape=X.shape, y=y)

Nothing is unpickled. Source: `numpy.savez`, `scipy.sparse.save_npz`.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from problems.readers.data import Data, ReadError, as_labels

__all__ = ["read_npz"]

SPARSE = ("data", "indices", "indptr", "shape")


def read_npz(path: Path | str) -> Data:
    """Features and labels.  Raises ReadError for a broken archive or missing arrays, OSError when it cannot be opened."""
    path = Path(path)
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (ValueError, TypeError, AttributeError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
            raise ReadError(path, f"not a readable npz archive: {error}") from error
    X, y = _features(path, arrays), arrays.get("y")
    if X is None or y is None:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise ReadError(path, f"expected arrays X and y, or data, indices, indptr, shape and y; found {found}")
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise ReadError(path, f"X must be (n, d) and y (n,); found {X.shape} and {y.shape}")
    if X.dtype.kind not in "biuf":
        raise ReadError(path, f"X must hold real numbers, found dtype {X.dtype}")
    if y.dtype.kind not in "biufUS":
        raise ReadError(path, f"y must hold real numbers or words, found dtype {y.dtype}")
    return Data(X, as_labels(y))


def _features(path: Path, arrays: dict[str, np.ndarray]) -> Any:
    if "X" in arrays:
        return arrays["X"]
    if not all(name in arrays for name in SPARSE):
        return None
    kind = arrays.get("format", np.array("csr"))
    if kind.size != 1 or kind.item() not in ("csr", b"csr"):
        raise ReadError(path, f"the sparse matrix is stored as {kind.tolist()!r}; save it as CSR")
    try:
        shape = tuple(int(size) for size in arrays["shape"])
        X = sparse.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
        X.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        raise ReadError(path, f"the sparse matrix is not consistent: {error}") from error
    return X
