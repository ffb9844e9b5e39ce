r"""The trade-off between the size of the domain and the size of the gradients, and whether the bound picks the winner.

On a Euclidean ball of radius r the scalar structure has the smallest product for every sequence of gradients, because with
:math:`E(M) = \sum_k \lambda_k \Pi_k`, :math:`w_k = \operatorname{Tr} \Pi_k`,

.. math::
    D_{\mathcal H} |||g|||_{\mathcal H} = \frac{2r}{\sqrt{w_{\min}}} \sum_k w_k \sqrt{\lambda_k}
    \ge 2r \sum_k \sqrt{w_k \lambda_k} \ge 2r \sqrt{\operatorname{Tr} M} .

The comparison that says something is therefore the one in which each structure plays on a ball of its own norm.

Source: Xie et al. 2025, arXiv 2503.10537 (the trade-off); the inequality is derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.style import label, log_axis, look
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun

TITLES = {"digits": "digits", "breast_cancer": "breast cancer"}


@dataclass(frozen=True)
class Point:
    """One structure on one domain, at the last horizon; seeds are summarised by (smallest, mean, largest)."""

    structure: str
    own: bool  # on its own ball
    common: bool  # on the Euclidean ball; for two structures that is their own
    diameter: float
    norm: tuple[float, float, float]  # |||g|||_H
    excess: tuple[float, float, float]  # loss above the reference point's

    @property
    def product(self) -> float:
        """D_H |||g|||_H with the mean of the seeds: the bound up to its constant."""
        return self.diameter * self.norm[1]


def points(results: Results) -> list[Point]:
    """The runs of one data set."""
    return [_point(run) for run in results]


def rank_correlation(found: Sequence[Point]) -> float:
    """Spearman's, between the bound's product and the measured excess loss; NaN for fewer than three points."""
    from scipy.stats import spearmanr

    if len(found) < 3:
        return float("nan")
    return float(spearmanr([p.product for p in found], [p.excess[1] for p in found]).statistic)


def verdict(found: Sequence[Point]) -> str:
    """In words: which structure the bound picks, which one lost least, and how the two orders agree."""
    picked = min(found, key=lambda p: p.product)
    won = min(found, key=lambda p: p.excess[1])
    if picked.structure == won.structure:
        choice = f"the bound picks the winner, {label(won.structure)}"
    else:
        place = 1 + sorted(found, key=lambda p: p.excess[1]).index(picked)
        choice = (
            f"{label(won.structure)} wins and the bound picks {label(picked.structure)}, number {place} of the outcome"
        )
    return f"{choice}; the rank correlation over {len(found)} structures is {rank_correlation(found):.2f}"


def caption(results: Results) -> str:
    """What is drawn, and what came out: the words follow the numbers."""
    outcomes = []
    for (dataset,), runs in results.groups("dataset"):
        found = points(runs)
        own, common = [p for p in found if p.own], [p for p in found if p.common]
        outcomes.append(f"On {TITLES.get(dataset, dataset)}, each structure on its own ball: {verdict(own)}.")
        outcomes.append(f"All on the Euclidean ball: {verdict(common)}.")
    return (
        r"Left: the two factors of the bound, $D_{\mathcal H}$ and $|||g_{1:T}|||_{\mathcal H}$, each structure on the smallest "
        r"ball of its own norm that contains the reference point; dotted lines join equal products. Right: the product against "
        r"the measured loss in excess of the reference point's (filled: own ball; hollow: the Euclidean ball, common to all). "
        + " ".join(outcomes)
        + " On the Euclidean ball the scalar structure has the smallest product for every sequence of gradients, so that the"
        " pick itself says nothing about the data there."
    )


@figure(
    "tradeoff",
    needs=("regret_vs_bound",),
    title="The trade-off of structure, and whether the bound picks the winner",
    caption=caption,
    interval="Bars reach from the smallest to the largest of the seeds, points are their means; no confidence interval.",
    alt="Four scatter plots: domain diameter against gradient norm, and their product against measured loss, per structure",
    size=(6.75, 6.2),
)
def draw(results: Results, fig: Figure) -> Table:
    datasets = results.groups("dataset")
    grid = fig.subplots(len(datasets), 2, squeeze=False)
    rows: list[tuple] = []
    for (factors, outcome), ((dataset,), runs) in zip(grid, datasets, strict=True):
        found = points(runs)
        _draw_factors(factors, [p for p in found if p.own])
        _draw_outcome(outcome, found)
        factors.set_title(f"{TITLES.get(dataset, dataset)}: the two factors")
        outcome.set_title(f"{TITLES.get(dataset, dataset)}: bound and outcome")
        rows += [(dataset, p.structure, p.own, p.diameter, *p.norm, p.product, *p.excess) for p in found]
    _legend(fig, {row[1] for row in rows})
    seeds = [f"{name}_{part}" for name in ("norm", "excess") for part in ("smallest", "mean", "largest")]
    return Table.of_rows(("dataset", "structure", "own_ball", "diameter", *seeds[:3], "product", *seeds[3:]), rows)


def _draw_factors(axes: Axes, found: Sequence[Point]) -> None:
    for p in found:
        _bar(axes, p, p.diameter, p.norm, filled=True)
    axes.set(xscale="log", yscale="log", xlabel=r"$D_{\mathcal{H}}$", ylabel=r"$|||g_{1:T}|||_{\mathcal{H}}$")
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    for product in np.geomspace(left * bottom, right * top, 9)[1:-1]:
        axes.plot(
            [left, right], [product / left, product / right], color="#999999", linewidth=0.6, linestyle=":", zorder=0
        )
    axes.set(xlim=(left, right), ylim=(bottom, top))
    log_axis(axes.xaxis)
    log_axis(axes.yaxis)


def _draw_outcome(axes: Axes, found: Sequence[Point]) -> None:
    for p in found:
        _bar(axes, p, p.product, p.excess, filled=p.own)
    axes.set(
        xscale="log",
        xlabel=r"$D_{\mathcal{H}}\,|||g_{1:T}|||_{\mathcal{H}}$",
        ylabel="loss above the reference point's",
    )
    log_axis(axes.xaxis)


def _bar(axes: Axes, point: Point, x: float, y: tuple[float, float, float], filled: bool) -> None:
    """The mean of the seeds with a bar over their range."""
    style = look(point.structure)
    low, mean, high = y
    axes.errorbar(
        [x], [mean], yerr=[[mean - low], [high - mean]], fmt=style.marker, color=style.color, elinewidth=0.8,
        markersize=5, markerfacecolor=style.color if filled else "white", markeredgewidth=0.9,
    )  # fmt: skip


def _legend(fig: Figure, names: set[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=label(name), **look(name).points()) for name in sorted(names, key=label)]
    fig.legend(handles=handles, loc="outside lower center", ncols=5)


def _point(run: StoredRun) -> Point:
    norm, excess = run.arrays["adaptive_norm"][-1], run.arrays["excess"][-1]
    own, common = run.summary["own_ball"], run.params["domain"] == "common"
    return Point(run.params["structure"], own, common, run.summary["diameter"], _range(norm), _range(excess))


def _range(values: np.ndarray) -> tuple[float, float, float]:
    return float(values.min()), float(values.mean()), float(values.max())
