r"""The data sets of the race and the strengths of their penalties.

* ``breast_cancer``, ``digits`` (even against odd) ship with scikit-learn. Penalties at scikit-learn's default strength
  C = 1, that is λ = 1/n (elastic net: half of it on each norm).
* ``a9a``, ``mushrooms``, ``news20`` (first class against the rest) are svmlight files in a folder that the caller
  names; absent files are skipped, with the reason. Rows are scaled to unit length, and (λ1, λ2) are (0, 1e-6),
  (1e-4, 1e-6), (1e-4, 0), as in the experiments of the method's paper (remembered).
* ``wide_text`` is synthetic, the shape of rcv1, same penalties; ``steep_spectrum`` is synthetic and dense, λ2 = 1e-7.

Source: UCI, through scikit-learn and LIBSVM's files; Murata and Suzuki 2017 for the penalties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.race.problem import Problem
from benchmarks.race.synthetic import steep_spectrum, unit_rows, wide_text

__all__ = ["DATA_SETS", "PENALTIES", "DataSet", "Missing", "problems"]

PAPER = {"l2": (0.0, 1e-6), "elastic net": (1e-4, 1e-6), "l1": (1e-4, 0.0)}
PENALTIES = tuple(PAPER)
STEEP = {"l2": (0.0, 1e-7), "elastic net": (1e-4, 1e-7), "l1": (1e-4, 0.0)}


class Missing(FileNotFoundError):
    """A data set whose file is not there."""


def default_strength(n: int) -> dict[str, tuple[float, float]]:
    """(λ1, λ2) at C = 1."""
    return {"l2": (0.0, 1.0 / n), "elastic net": (0.5 / n, 0.5 / n), "l1": (1.0 / n, 0.0)}


@dataclass(frozen=True)
class DataSet:
    """A name, how its arrays are had, and its penalties."""

    name: str
    load: Callable[[Path | None], tuple[Any, np.ndarray]]  # folder of files -> X (n, d), y (n,) in ±1
    penalties: dict[str, tuple[float, float]] | None  # name -> (λ1, λ2); None is the default strength

    def problems(self, folder: Path | None) -> Iterator[Problem]:
        """One problem for each penalty; raises Missing without the file."""
        X, y = self.load(folder)
        for penalty, (l1, l2) in (self.penalties or default_strength(len(y))).items():
            yield Problem(self.name, penalty, X, y, l1, l2)


def _breast_cancer(folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    from problems.datasets import breast_cancer

    data = breast_cancer()
    return np.ascontiguousarray(data.features[:, :-1]), data.labels.astype(np.float64)  # without the column of ones


def _digits(folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    from problems.datasets import digits

    data = digits()
    return np.array(data.features), np.where(data.labels % 2 == 0, 1.0, -1.0)


def _file(name: str, features: int, positive: float) -> Callable[[Path | None], tuple[Any, np.ndarray]]:
    """A reader of one svmlight file: unit rows, the class `positive` against the rest."""

    def load(folder: Path | None) -> tuple[Any, np.ndarray]:
        from sklearn.datasets import load_svmlight_file

        places = [folder / (name + ending) for ending in (".bz2", ".gz", "")] if folder else []
        found = [place for place in places if place.is_file()]
        if not found:
            raise Missing(f"no {name}.bz2, {name}.gz or {name} in the folder given with --data")
        X, labels = load_svmlight_file(str(found[0]), n_features=features, dtype=np.float64)
        X.sort_indices()
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # some peers refuse 64 bits
        return unit_rows(X), np.where(labels == positive, 1.0, -1.0)

    return load


DATA_SETS = (
    DataSet("breast_cancer", _breast_cancer, None),
    DataSet("digits", _digits, None),
    DataSet("a9a", _file("a9a", 123, 1.0), PAPER),
    DataSet("mushrooms", _file("mushrooms", 112, 1.0), PAPER),
    DataSet("news20", _file("news20", 62_061, 1.0), PAPER),
    DataSet("wide_text", lambda folder: wide_text(), PAPER),
    DataSet("steep_spectrum", lambda folder: steep_spectrum(), STEEP),
)


def problems(
    names: tuple[str, ...], folder: Path | None, penalties: tuple[str, ...] = PENALTIES
) -> Iterator[tuple[str, list[Problem] | str]]:  # name, its problems or the reason why there are none
    """The named data sets in the order of the table."""
    for data in DATA_SETS:
        if data.name in names:
            try:
                yield data.name, [problem for problem in data.problems(folder) if problem.penalty in penalties]
            except Missing as reason:
                yield data.name, str(reason)
