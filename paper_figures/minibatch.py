"""Passes to a target against the size of the mini-batch: guaranteed, at the theory's step, at the best step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.style import BOUND, label, log_axis, look
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

TITLES = {"breast_cancer": "breast cancer, l2", "digits": "digits (even or odd), l2"}


@figure(
    "minibatch",
    needs=("minibatch",),
    title="Mini-batches up to the square root of n are nearly free",
    caption=(
        r"Component gradients divided by $n$ until $P - P_* \le \epsilon\,(P(0) - P_*)$, against the size $b$ of a mini-batch; "
        r"logistic regression. Filled: the better of the theory's step and a multiple of it; hollow: the theory's step. Dashed: "
        r"what is guaranteed by the constants alone (for Katyusha remembered, without its leading constant). The grey line marks "
        r"$b = \sqrt n$. A missing point needs more than the budget."
    ),
    interval="Points are the first snapshot at which the median of the seeds is under the target.",
    alt="The curves of DASVRDA are flat up to the square root of n and rise beyond; guarantees lie ten times above",
    size=(6.75, 3.4),
)
def draw(results: Results, fig: Figure) -> Table:
    names = sorted({run.params["data"] for run in results})
    panels = fig.subplots(1, len(names), sharey=True, squeeze=False)[0]
    rows: list[tuple] = []
    for axes, data in zip(panels, names, strict=True):
        rows += _panel(axes, results.where(data=data), data)
    panels[0].set_ylabel("component gradients / n")
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    return Table.of_rows(("data", "method", "minibatch", "theory_step", "best_step", "guaranteed"), rows)


def _panel(axes: Axes, results: Results, data: str) -> list[tuple]:
    rows: list[tuple] = []
    for (name,), runs in results.groups("method"):
        ordered = sorted(runs, key=lambda run: run.summary["minibatch"])
        sizes = [run.summary["minibatch"] for run in ordered]
        theory = [float(run.arrays["passes"][0]) for run in ordered]
        best = [float(np.min(run.arrays["passes"])) for run in ordered]
        guaranteed = [float(run.summary["guaranteed"]) for run in ordered]
        style = look(name)
        axes.loglog(sizes, best, color=style.color, marker=style.marker, label=label(name))
        axes.loglog(sizes, theory, color=style.color, marker=style.marker, markerfacecolor="white", linewidth=0.6)
        axes.loglog(sizes, guaranteed, color=style.color, **BOUND)
        rows += list(zip([data] * len(sizes), [name] * len(sizes), sizes, theory, best, guaranteed, strict=True))
    axes.axvline(next(iter(results)).summary["samples"] ** 0.5, color="#999999", linewidth=2.0, alpha=0.5, zorder=0)
    axes.set_title(TITLES.get(data, data))
    axes.set_xlabel("mini-batch $b$")
    log_axis(axes.xaxis)
    log_axis(axes.yaxis)
    return rows
