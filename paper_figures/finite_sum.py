"""Suboptimality of finite-sum solvers against component gradients, at the step of their theory and at the best multiple of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.panels import SUBOPTIMALITY, panels
from paper_figures.style import label, look
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

FLOOR = 1e-13  # the optimum is known to about this


@figure(
    "finite_sum",
    needs=("finite_sum",),
    title="Finite sums: acceleration and variance reduction",
    caption=(
        r"Logistic regression; mini-batches of $\lfloor\sqrt n\rfloor$ for every stochastic method. Suboptimality $P - P_*$ "
        r"against component gradients divided by $n$: with the step of each method's theory (dashed), and with the multiple of "
        r"it that ends lowest (solid). $P_*$ is the lower end of a bracket that a duality gap certifies; below $10^{-13}$ "
        r"nothing is known."
    ),
    interval="Lines are medians of the seeds; no band is drawn.",
    alt="Four panels: DASVRDA and Katyusha fall fastest, accelerated proximal SVRG hardly moves at the step of its theory",
    size=(6.75, 5.4),
)
def draw(results: Results, fig: Figure) -> Table:
    rows = panels(results, fig, _panel, "component gradients / n", SUBOPTIMALITY)
    return Table.of_rows(("data", "penalty", "method", "multiple", "passes", "suboptimality"), rows)


def _panel(axes: Axes, results: Results) -> list[tuple]:
    rows: list[tuple] = []
    for run in results:
        name, a = run.params["method"], run.arrays
        passes, middle = a["evaluations"] / run.summary["samples"], np.median(a["suboptimality"], axis=2)
        best = int(np.argmin(middle[:, -1]))
        style = look(name).line()
        axes.semilogy(passes, np.maximum(middle[0], FLOOR), color=style["color"], linestyle=(0, (4, 2)), linewidth=0.8)
        axes.semilogy(passes, np.maximum(middle[best], FLOOR), label=label(name), **style)
        for index in dict.fromkeys((0, best)):
            rows += [
                (name, float(a["multiples"][index]), float(f"{x:.5g}"), float(f"{y:.4g}"))
                for x, y in zip(passes, middle[index], strict=True)
            ]
    axes.set_ylim(FLOOR, 3.0)
    return rows
