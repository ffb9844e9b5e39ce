"""DASVRDA against its theorems: mean suboptimality, and the bounds with published and with sharp constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.style import BOUND, PALETTE
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

FLOOR = 1e-12
COLORS = {"published": PALETTE["blue"], "sharp": PALETTE["vermilion"]}
TITLES = {"breast_cancer": "breast cancer", "digits": "digits"}
FORMS = {"once": "one loop", "restarts": "restarts"}


@figure(
    "dasvrda_bound",
    needs=("dasvrda_bound",),
    title="DASVRDA: bound against run",
    caption=(
        r"Mean of $P(x_s) - P_*$ over seeds (solid) and what the theorems promise for its expectation (dashed; with restarts at "
        r"the dots), for the published constants and for those derived here. Mini-batches of $\lfloor\sqrt n\rfloor$, steps of "
        r"the theory. The bounds know nothing of local linear convergence: they predict safety, not speed."
    ),
    interval="Bands reach from the smallest to the largest of the seeds.",
    alt="Bounds lie above the runs, the sharp ones at half of the published ones; the distance grows with the passes",
    size=(6.75, 4.4),
)
def draw(results: Results, fig: Figure) -> Table:
    cells = list(dict.fromkeys((run.params["form"], run.params["data"], run.params["penalty"]) for run in results))
    cells.sort(key=lambda cell: (cell[0], cell[1], cell[2] != "l2"))
    columns = min(3, len(cells))
    grid = np.atleast_2d(fig.subplots(-(-len(cells) // columns), columns, squeeze=False))
    rows: list[tuple] = []
    for axes, (form, data, penalty) in zip(grid.flat, cells, strict=False):
        rows += _panel(axes, results.where(form=form, data=data, penalty=penalty), (form, data, penalty))
        axes.set_title(f"{TITLES.get(data, data)}, {penalty}, {FORMS[form]}")
        axes.set_xlabel("component gradients / n")
    for axes in grid.flat[len(cells) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("$P - P_*$")
    handles, names = grid[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=4)
    return Table.of_rows(("form", "data", "penalty", "constants", "passes", "mean", "bound"), rows)


def _panel(axes: Axes, results: Results, cell: tuple[str, str, str]) -> list[tuple]:
    rows: list[tuple] = []
    for run in results:
        name, a = run.params["constants"], run.arrays
        color, told = COLORS[name], np.isfinite(a["bound"])
        axes.semilogy(a["passes"], np.maximum(a["mean"], FLOOR), color=color, label=f"mean, {name}")
        low, high = np.maximum(a["lowest"], FLOOR), np.maximum(a["highest"], FLOOR)
        axes.fill_between(a["passes"], low, high, color=color, alpha=0.2, linewidth=0)
        dots = {"marker": "o", "markersize": 3} if cell[0] == "restarts" else {}
        axes.semilogy(a["passes"][told], a["bound"][told], color=color, label=f"bound, {name}", **BOUND, **dots)
        kept = np.unique(np.linspace(0, len(a["mean"]) - 1, 100).astype(int))
        rows += [
            (*cell, name, float(f"{a['passes'][i]:.5g}"), float(f"{a['mean'][i]:.4g}"), float(f"{a['bound'][i]:.4g}"))
            for i in kept
        ]
    axes.set_ylim(bottom=FLOOR)
    return rows
