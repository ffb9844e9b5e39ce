"""AGD on two curved valleys: the trajectories of each method with its best learning rate, on the contours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.suite.agd_toys import FUNCTIONS
from paper_figures._optimizers import LOOKS
from paper_figures.base import figure
from paper_figures.style import PALETTE
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

WINDOWS = {"Beale": ((-2.0, 4.2), (-1.2, 3.2)), "Rosenbrock": ((-2.4, 1.8), (-0.8, 4.2))}
NOT_DRAWN = "AGD, no clip"  # the same path: the clip does not act here


@figure(
    "agd_toys",
    needs=("agd_toys",),
    title="AGD in two dimensions",
    caption=(
        r"The path of each method from the first start, with the learning rate of the grid that comes within 0.01 of "
        r"the minimiser (star) first. The legend says after how many steps; a dash: never. AGD without its clip takes "
        r"the same paths."
    ),
    alt="Two contour plots with the paths of AGD, Adam and SGD; AGD takes the shortest number of steps",
    size=(6.75, 3.1),
)
def draw(results: Results, fig: Figure) -> Table:
    rows = []
    for axes, (name, runs) in zip(fig.subplots(1, 2), results.groups("function"), strict=True):
        contours(axes, name[0])
        for run in runs:
            rows += [
                (name[0], run.params["method"], str(tuple(start)), lr, steps)
                for start, lr, steps in zip(
                    run.arrays["starts"].tolist(), run.summary["lr"], run.summary["steps"], strict=True
                )
            ]
            if run.params["method"] != NOT_DRAWN:
                path(axes, run)
        axes.plot(*run.arrays["target"], "*", color=PALETTE["black"], markersize=9)
        axes.set_title(name[0])
        axes.legend(loc="upper left" if name[0] == "Beale" else "lower left", frameon=True, framealpha=0.85)
    return Table.of_rows(("function", "method", "start", "lr", "steps"), rows)


def contours(axes: Axes, name: str) -> None:
    (left, right), (low, high) = WINDOWS[name]
    x, y = np.meshgrid(np.linspace(left, right, 160), np.linspace(low, high, 160))
    axes.contour(x, y, np.log10(FUNCTIONS[name][0](x, y) + 1e-3), levels=14, colors=PALETTE["grey"], linewidths=0.35)
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    axes.set_xlabel("$x$")
    axes.set_ylabel("$y$")
    axes.grid(visible=False)


def path(axes: Axes, run) -> None:
    name, steps = run.params["method"], run.summary["steps"][0]
    points = run.arrays["path"][0, : steps + 1 if steps >= 0 else None]
    style = LOOKS[name]
    axes.plot(
        points[:, 0], points[:, 1], color=style.color, linestyle=style.linestyle, linewidth=0.9, marker=style.marker,
        markersize=2.2, markevery=max(1, len(points) // 40), label=f"{name}, {steps if steps >= 0 else '-'}",
    )  # fmt: skip
