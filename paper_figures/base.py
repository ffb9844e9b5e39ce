r"""What a figure is: a name, the experiments whose stored runs it reads, a caption, and a function that draws.

.. code-block:: python

    @figure(
        "regret_vs_bound",                    # the name of its file and on the command line
        needs=("regret_vs_bound",),           # experiment ids
        title="Regret against its bound",
        caption="Measured regret (solid) and the bound (dashed) of every structure.",
        interval="Bands reach from the smallest to the largest of the seeds.",  # "" when no band or bar is drawn
    )
    def draw(results: Results, fig: Figure) -> Table:
        ...

A figure never computes: it reads runs that ``python -m experiments run`` has stored, and can be redrawn in a second.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import paper_figures
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.results import Results

__all__ = ["SIZES", "Draw", "FigureSpec", "Table", "figure", "load_figures"]

Draw = Callable[["Results", "Figure"], Table]
Caption = str | Callable[["Results"], str]  # a function where the words depend on the numbers

# Inches. The widths fit one column of a two-column page and the text of a one-column page.
SIZES: Mapping[str, tuple[float, float]] = {
    "column": (3.25, 2.4),
    "column-tall": (3.25, 4.2),
    "page": (6.75, 2.7),
    "page-tall": (6.75, 4.8),
}


@dataclass(frozen=True)
class FigureSpec:
    """A declared figure; calling it draws into a matplotlib Figure and returns the table behind the picture."""

    name: str
    needs: tuple[str, ...]
    title: str
    caption: Caption  # prose with $LaTeX$ and `code`; what is drawn and how to read it
    interval: str  # what bands and bars span, "" when none is drawn
    alt: str  # for who cannot see it
    size: tuple[float, float]  # inches
    draw: Draw

    def __call__(self, results: Results, fig: Figure) -> Table:
        return self.draw(results, fig)

    def commands(self, scale: str) -> list[str]:
        """The commands that make the figure again, from nothing."""
        return [
            f"python -m experiments run {' '.join(self.needs)} --scale {scale}",
            f"python -m paper_figures {self.name} --scale {scale}",
        ]

    def full_caption(self, results: Results, scale: str) -> str:
        """The caption with the kind of interval and the commands that make the figure again."""
        caption = self.caption if isinstance(self.caption, str) else self.caption(results)
        interval = self.interval or "No interval is drawn."
        again = " && ".join(self.commands(scale))
        return f"{caption} {interval} Run again: `{again}`."


def figure(
    name: str,
    *,
    needs: tuple[str, ...],
    caption: Caption,
    title: str = "",
    interval: str = "",
    alt: str = "",
    size: str | tuple[float, float] = "page",  # a key of SIZES, or (width, height) in inches
) -> Callable[[Draw], FigureSpec]:
    """Declare a figure.

    Raises ValueError for a name that cannot be a file's, an unknown size, or a figure that needs no experiment.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"figure name {name!r} must be lower case letters, digits and underscores")
    if isinstance(needs, str) or not needs:
        raise ValueError(f"figure {name!r}: `needs` is a non-empty tuple of experiment ids, got {needs!r}")
    if isinstance(size, str) and size not in SIZES:
        raise ValueError(
            f"figure {name!r}: size {size!r} is none of {', '.join(SIZES)}; pass (width, height) in inches"
        )
    inches = SIZES[size] if isinstance(size, str) else (float(size[0]), float(size[1]))
    heading = title or name.replace("_", " ").capitalize()

    def declare(draw: Draw) -> FigureSpec:
        return FigureSpec(name, tuple(needs), heading, caption, interval, alt or heading, inches, draw)

    return declare


def load_figures(package: ModuleType = paper_figures) -> dict[str, FigureSpec]:
    """Every figure of the package by name, sorted; a file dropped there is found.

    Raises ValueError when a figure is not called like its file, so that a name leads to the file.
    """
    found: dict[str, FigureSpec] = {}
    for entry in sorted(pkgutil.iter_modules(package.__path__), key=lambda entry: entry.name):
        if entry.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{entry.name}")
        for spec in _declared(module):
            if spec.name != entry.name:
                raise ValueError(f"figure {spec.name!r} is declared in {entry.name}.py: call the file {spec.name}.py")
            found[spec.name] = spec
    return found


def _declared(module: ModuleType) -> list[FigureSpec]:
    """The figures that are written in this module, not imported into it."""
    specs = [value for value in vars(module).values() if isinstance(value, FigureSpec)]
    return [spec for spec in specs if getattr(spec.draw, "__module__", None) == module.__name__]
