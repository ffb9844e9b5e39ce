"""Regret divided by its bound against the horizon: the hard sequence beside the ones that are usually tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.style import PALETTE, label
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

MINIMAX = 0.5**0.5  # 2R against √2 · 2R: what every algorithm has to concede

NAMES = {"signs": "random signs", "hadamard": "Hadamard rows", "greedy": "sign of the iterate", "hard": "hard sequence"}
COLORS = {
    "signs": PALETTE["sky"],
    "hadamard": PALETTE["green"],
    "greedy": PALETTE["orange"],
    "hard": PALETTE["vermilion"],
}


@figure(
    "tightness",
    needs=("tightness",),
    title="The regret bound is tight",
    caption=(
        r"Regret against the best point in hindsight, divided by the bound $\sqrt 2\, D\, \mathrm{Tr}\, H_t$, at the learning "
        r"rate $\eta = D/\sqrt 2$, for four structures on the balls of their own norms. Each marker is the end of one run of "
        r"the hard sequence, which is built for its horizon. The usual sequences are measured at every horizon of one run and "
        r"stay at half of the bound or less. The dashed line is the bound; the dotted one, $1/\sqrt 2$, is what no algorithm "
        r"can go below when the size of the gradients is unknown."
    ),
    interval="Bands reach from the smallest to the largest of the seeds; the line is their median.",
    alt="In each of four panels the hard sequence climbs from 0.77 to 0.99 of the bound; the others stay below one half",
    size=(6.75, 2.5),
)
def draw(results: Results, fig: Figure) -> Table:
    groups = results.groups("geometry")
    panels = fig.subplots(1, len(groups), sharex=True, sharey=True, squeeze=False)[0]
    rows: list[tuple] = []
    for axes, ((geometry,), runs) in zip(panels, groups, strict=True):
        rows += _panel(axes, geometry, runs)
    panels[0].set_ylabel("regret / bound")
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(handles))
    return Table.of_rows(("geometry", "sequence", "horizon", "median", "smallest", "largest"), rows)


def _panel(axes: Axes, geometry: str, runs: Results) -> list[tuple]:
    """One geometry; its rows of the table."""
    rows: list[tuple] = []
    for (sequence,), group in runs.groups("sequence"):
        if sequence == "hard":
            horizons, ratios = _ends(group)
        else:
            run = group[0]
            horizons, ratios = run.arrays["horizon"], run.arrays["ratio"]
        middle, low, high = np.median(ratios, axis=1), ratios.min(axis=1), ratios.max(axis=1)
        marker = {"marker": "o", "markersize": 3.0} if sequence == "hard" else {}
        axes.plot(horizons, middle, color=COLORS[sequence], label=NAMES[sequence], **marker)
        axes.fill_between(horizons, low, high, color=COLORS[sequence], alpha=0.2, linewidth=0)
        rows += [
            (geometry, sequence, int(t), *map(_digits, v)) for t, *v in zip(horizons, middle, low, high, strict=True)
        ]
    axes.axhline(1.0, color="#444444", linestyle=(0, (4, 2)), linewidth=0.9)
    axes.axhline(MINIMAX, color="#444444", linestyle=(0, (1, 1.2)), linewidth=0.9)
    axes.set_xscale("log")
    axes.set_ylim(0.0, 1.05)
    axes.set_title(label(geometry))
    axes.set_xlabel("horizon $T$")
    axes.set_xticks([1, 100, 10_000])
    return rows


def _ends(runs: Results) -> tuple[np.ndarray, np.ndarray]:  # (n,), (n, 1)
    """The last ratio of each run of the hard sequence, by horizon."""
    points = sorted((run.params["horizon"], float(run.arrays["ratio"][-1].max())) for run in runs)
    return np.array([t for t, _ in points]), np.array([[ratio] for _, ratio in points])


def _digits(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")
