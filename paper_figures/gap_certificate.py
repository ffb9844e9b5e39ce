"""The certified duality gap beside the suboptimality that it bounds, for the practical solver and for the published algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.panels import panels
from paper_figures.style import BOUND, PALETTE
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

FLOOR = 1e-14
COLORS = {"practical": PALETTE["vermilion"], "published": PALETTE["blue"]}


@figure(
    "gap_certificate",
    needs=("gap_certificate",),
    title="The duality gap as a stopping rule",
    caption=(
        r"Logistic regression. Suboptimality $P(x) - P_*$ (solid) and the certified duality gap of the same point (dashed), "
        r"after so many passes: for the practical solver without its second-order finish, and for the published algorithm. The "
        r"horizontal distance between two curves of one colour is what a user pays for stopping by a certificate instead of an "
        r"oracle."
    ),
    alt="In four panels the gap lies above the suboptimality and falls with it",
    size=(6.75, 4.8),
)
def draw(results: Results, fig: Figure) -> Table:
    rows = panels(results, fig, _panel, "passes")
    return Table.of_rows(("data", "penalty", "variant", "passes", "suboptimality", "gap"), rows)


def _panel(axes: Axes, results: Results) -> list[tuple]:
    rows: list[tuple] = []
    for run in results:
        name, a = run.params["variant"], run.arrays
        color, shown = COLORS[name], np.isfinite(a["gap"])
        above, gap = np.maximum(a["above_lower"], FLOOR), np.maximum(a["gap"], FLOOR)
        axes.semilogy(a["passes"], above, color=color, label=f"$P - P_*$, {name}")
        axes.semilogy(a["passes"][shown], gap[shown], color=color, label=f"gap, {name}", **BOUND)
        rows += [
            (name, float(f"{x:.5g}"), float(f"{y:.4g}"), float(f"{z:.4g}"))
            for x, y, z in zip(a["passes"], above, gap, strict=True)
        ]
    axes.set_ylim(FLOOR, 3.0)
    return rows
