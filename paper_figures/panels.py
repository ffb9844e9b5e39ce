"""A grid of panels on finite sums, one for each data set and penalty, with one legend below."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

__all__ = ["SUBOPTIMALITY", "panels"]

SUBOPTIMALITY = "$P - P_*$"
TITLES = {"breast_cancer": "breast cancer", "digits": "digits, even or odd"}

Row = tuple  # of the table behind the picture


def panels(
    results: Results,  # runs with the parameters "data" and "penalty"
    fig: Figure,
    panel: Callable[[Axes, Results], list[Row]],  # draws the runs of one problem; its rows without data and penalty
    xlabel: str,
    ylabel: str = "",
    columns: int = 4,  # of the legend
) -> list[Row]:
    """The rows of all panels, each beginning with data and penalty."""
    cells = sorted(
        {(run.params["data"], run.params["penalty"]) for run in results}, key=lambda cell: (cell[0], cell[1] != "l2")
    )
    grid = np.atleast_2d(fig.subplots(-(-len(cells) // 2), 2, sharey=True))
    rows: list[Row] = []
    for axes, (data, penalty) in zip(grid.flat, cells, strict=True):
        rows += [(data, penalty, *row) for row in panel(axes, results.where(data=data, penalty=penalty))]
        axes.set_title(f"{TITLES.get(data, data)}, {penalty}")
    for axes in grid[-1]:
        axes.set_xlabel(xlabel)
    for axes in grid[:, 0]:
        axes.set_ylabel(ylabel)
    handles, names = grid[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=columns)
    return rows
