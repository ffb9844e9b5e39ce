"""Measured regret and its bound at every horizon, one panel for each structure, on two real data streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.style import BOUND, label, look
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from experiments.results import Results
    from experiments.store import StoredRun

COLUMNS = 5
TITLES = {"digits": "Digits, softmax, 10×64 parameters", "breast_cancer": "Breast cancer, logistic, 31 parameters"}


@figure(
    "regret_vs_bound",
    needs=("regret_vs_bound",),
    title="Regret against its bound, for every structure",
    caption=(
        r"Regret of the linearised losses against the best point of the domain (solid) and the bound "
        r"$\sqrt 2\, D_{\mathcal H}\,|||g_{1:t}|||_{\mathcal H} + D_{\mathcal H} d\sqrt{\varepsilon/2}$ plus the gaps of the "
        r"projections (dashed), with $\eta = D_{\mathcal H}/\sqrt 2$, at every horizon $t$, for the seed with the largest "
        r"regret/bound; that ratio, the largest over all horizons and seeds, is the number in the corner. A structure plays "
        r"on the ball of its own norm, the smallest one that contains a common reference point; panels marked $\ell_2$ use "
        r"the Euclidean ball instead, because the projection on their own is not implemented."
    ),
    alt="Small panels, one for each structure, in which the measured regret stays below a dashed bound at every horizon",
    size=(6.75, 6.9),
)
def draw(results: Results, fig: Figure) -> Table:
    chosen = {dataset: _runs(runs) for (dataset,), runs in results.groups("dataset")}
    heights = [_rows(runs) for runs in chosen.values()]
    parts = np.atleast_1d(fig.subfigures(len(chosen), 1, height_ratios=heights))
    rows: list[tuple] = []
    for part, (dataset, runs) in zip(parts, chosen.items(), strict=True):
        part.suptitle(TITLES.get(dataset, dataset), fontsize=9.5)
        for axes, run in zip(_grid(part, len(runs)), runs, strict=True):
            rows += _panel(axes, run)
        part.supxlabel("horizon $t$", fontsize=9)
        part.supylabel("regret", fontsize=9)
    names = ("dataset", "structure", "domain", "seed", "horizon", "regret", "bound")
    return Table.of_rows(names, rows)


def _runs(results: Results) -> list[StoredRun]:
    """One run for each structure: on its own ball where there is one."""
    best = {run.params["structure"]: run for run in results.where(domain="common")}
    best |= {run.params["structure"]: run for run in results.where(domain="own")}
    return sorted(best.values(), key=lambda run: label(run.params["structure"]))


def _rows(runs: list[StoredRun]) -> int:
    return -(-len(runs) // COLUMNS)


def _grid(part: SubFigure, count: int) -> list[Axes]:
    axes = part.subplots(-(-count // COLUMNS), COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for empty in axes[count:]:
        empty.set_axis_off()
    for above in axes[: max(count - COLUMNS, 0)]:
        above.tick_params(labelbottom=False)
    for last in axes[max(count - COLUMNS, 0) : count]:
        last.tick_params(labelbottom=True)
    return list(axes[:count])


def _panel(axes: Axes, run: StoredRun) -> list[tuple]:
    """Draw one structure; its rows of the table."""
    name, regret, bound = run.params["structure"], run.arrays["regret"], run.arrays["bound"]
    ratios = (regret / bound).max(axis=0)
    worst, horizon, color = int(ratios.argmax()), np.arange(1, len(regret) + 1), look(name).color
    axes.plot(horizon, regret[:, worst], color=color)
    axes.plot(horizon, bound[:, worst], color=color, **BOUND)
    axes.set_xscale("log")
    axes.set_yscale("log")
    common = "" if run.summary["own_ball"] else r" ($\ell_2$)"
    axes.set_title(label(name) + common, fontsize=8, pad=2.5)
    axes.text(
        0.96,
        0.05,
        f"{ratios[worst]:.2f}",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
        color="#444444",
    )
    key = (run.params["dataset"], name, run.summary["domain"], worst)
    return [(*key, t + 1, _digits(regret[t, worst]), _digits(bound[t, worst])) for t in range(len(regret))]


def _digits(value: float) -> float:
    """Eight significant digits: far more than a curve shows, and half of the table's size."""
    return float(f"{value:.8g}")
