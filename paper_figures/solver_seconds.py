"""Suboptimality against seconds: the practical solver, the published algorithm and scikit-learn, each by its own rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.panels import SUBOPTIMALITY, panels
from paper_figures.style import PALETTE, Look, label, log_axis
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

FLOOR = 1e-14
LOOKS = {
    "DASVRDA": Look(PALETTE["vermilion"], "D"),
    "DASVRDA, published": Look(PALETTE["blue"], "o"),
    "saga": Look(PALETTE["sky"], "^"),
    "lbfgs": Look(PALETTE["grey"], "x"),
    "liblinear": Look(PALETTE["green"], "P"),
    "newton-cholesky": Look(PALETTE["purple"], "*"),
}


@figure(
    "solver_seconds",
    needs=("solver_seconds",),
    title="Suboptimality against seconds",
    caption=(
        r"Logistic regression without intercept. A point is one tolerance of a solver that stops by its own rule: the median "
        r"seconds of a whole call of `fit` on one thread of this machine, and the suboptimality of what it returned; lines join "
        r"the lowest so far. DASVRDA is "
        r"`DASVRDAClassifier`; the others but the published algorithm are scikit-learn's."
    ),
    interval="Points are medians of the repeats.",
    alt="Four panels of curves that fall with time; the practical solver is leftmost on the elastic net",
    size=(6.75, 5.4),
)
def draw(results: Results, fig: Figure) -> Table:
    rows = panels(results, fig, _panel, "seconds", SUBOPTIMALITY, columns=3)
    return Table.of_rows(("data", "penalty", "solver", "tolerance", "seconds", "suboptimality"), rows)


def _panel(axes: Axes, results: Results) -> list[tuple]:
    rows: list[tuple] = []
    for run in results:
        name, seconds = run.params["solver"], np.asarray(run.summary["seconds"])
        above = np.maximum(run.arrays["suboptimality"], FLOOR)
        order, style = np.argsort(seconds), LOOKS[name]
        axes.loglog(seconds, above, color=style.color, marker=style.marker, markersize=3, linestyle="none")
        lowest = np.minimum.accumulate(above[order])  # what is reached by then, whichever tolerance did it
        axes.loglog(seconds[order], lowest, color=style.color, marker=style.marker, markersize=3, label=label(name))
        rows += [
            (name, float(f"{x:.3g}"), float(f"{y:.4g}"), float(f"{z:.4g}"))
            for x, y, z in zip(run.arrays["tolerance"], seconds, above, strict=True)
        ]
    axes.set_ylim(FLOOR / 3, 3.0)
    log_axis(axes.xaxis)
    return rows
