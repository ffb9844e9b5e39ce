"""The numbers behind a figure: named columns of equal length, written as CSV beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Columns by name; every value that a reader can see in the figure is in one of them.

    Raises ValueError for columns of different length or a table without columns.
    """

    columns: Mapping[str, Sequence[Any]]

    def __post_init__(self) -> None:
        columns = {name: _plain(values) for name, values in self.columns.items()}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(
                f"the columns of a table have one length, at least one of them; got {lengths or 'no columns'}"
            )
        object.__setattr__(self, "columns", columns)

    @classmethod
    def of_rows(cls, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
        """The table whose rows are given, each with one value per name."""
        listed = list(rows)
        return cls({name: [row[i] for row in listed] for i, name in enumerate(names)})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def csv(self) -> str:
        """Comma-separated text with a header; floats by ``repr``, so that they read back to the same double."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(zip(*self.columns.values(), strict=True))
        return buffer.getvalue()


def _plain(values: Sequence[Any]) -> list[Any]:
    """Python scalars: NumPy's would print as ``np.float64(...)`` in some places and as numbers in others."""
    return [value.item() if hasattr(value, "item") else value for value in values]
