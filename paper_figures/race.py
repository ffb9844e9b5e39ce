"""The race: for every problem and target, how much longer each peer takes than our solver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.style import PALETTE
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun

PACKAGES = {
    "liblinear-official": ("LIBLINEAR", PALETTE["green"], "P"),
    "scikit-learn": ("scikit-learn", PALETTE["orange"], "s"),
    "snapml": ("Snap ML", PALETTE["purple"], "^"),
    "skglm": ("skglm", PALETTE["blue"], "D"),
    "cyanure": ("Cyanure", PALETTE["sky"], "o"),
    "celer": ("celer", PALETTE["vermilion"], "v"),
}
FASTEST, OTHERS = 34.0, 9.0  # areas of markers


def _caption(results: Results) -> str:
    run = results[0]
    best = _best(run)
    return (
        r"Logistic regression without intercept on one thread. A marker is a peer's time over ours for the same relative "
        r"suboptimality (title of the panel), each solver stopped by its own rule; right of the line ours is faster. Large "
        r"markers are the fastest peer of a row, the median of runs in pairs with ours. "
        f"The median over all {len(best)} rows of the fastest peer is {np.median(best):.2f}; it is below 1 in "
        f"{sum(ratio < 1.0 for ratio in best)} of them. Peers that did not reach a target within ten times our time (or a "
        f"second, if that is more) are not drawn. Measured on: {run.summary['machine']['processor']}."
    )


@figure(
    "race",
    needs=("race",),
    title="The race of finite-sum solvers",
    caption=_caption,
    interval="The bar of a large marker spans the ratios of its pairs.",
    alt="Three panels of dots, a row for each problem; nearly all dots are right of the line at one",
    size=(6.75, 5.2),
)
def draw(results: Results, fig: Figure) -> Table:
    run = results[0]
    targets = np.unique(run.arrays["target"])[::-1]
    panels = np.atleast_1d(fig.subplots(1, targets.size, sharex=True, sharey=True))
    for axes, target in zip(panels, targets, strict=True):
        _panel(axes, run, target)
        axes.set_title(f"to $10^{{{round(np.log10(target))}}}$")
        axes.set_xlabel("peer's time / ours")
    problems = run.summary["problems"]
    panels[0].set_yticks(range(len(problems)), [name.replace("_", " ") for name in problems])
    panels[0].set_ylim(len(problems) - 0.5, -0.5)
    handles = [
        panels[0].scatter([], [], s=FASTEST, color=color, marker=marker, label=name)
        for name, color, marker in PACKAGES.values()
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=6)
    names = ("problem", "target", "solver", "package", "ratio", "ratio_low", "ratio_high")
    columns = [run.arrays[name].tolist() for name in names]
    return Table.of_rows(names, [tuple(_short(value) for value in row) for row in zip(*columns, strict=True)])


def _panel(axes: Axes, run: StoredRun, target: float) -> None:
    axes.axvline(1.0, color=PALETTE["black"], linewidth=0.8)
    axes.set_xscale("log")
    for row, problem in enumerate(run.summary["problems"]):
        axes.axhline(row, color=PALETTE["grey"], linewidth=0.3, alpha=0.4, zorder=0)
        cells = np.flatnonzero((run.arrays["problem"] == problem) & (run.arrays["target"] == target))
        if not cells.size:
            continue
        fastest = cells[np.argmin(run.arrays["ratio"][cells])]
        for cell in cells:
            _, color, marker = PACKAGES[str(run.arrays["package"][cell])]
            best = cell == fastest
            axes.scatter(
                run.arrays["ratio"][cell], row, s=FASTEST if best else OTHERS, color=color, marker=marker,
                alpha=1.0 if best else 0.45, linewidths=0.0, zorder=3 if best else 2,
            )  # fmt: skip
            if best:
                ends = [float(run.arrays[name][cell]) for name in ("ratio_low", "ratio_high")]
                axes.plot(ends, [row, row], color=color, linewidth=1.2, zorder=2)


def _best(run: StoredRun) -> list[float]:
    """The ratio of the fastest peer of every problem and target."""
    least: dict[tuple[str, float], float] = {}
    for problem, target, ratio in zip(
        *(run.arrays[name].tolist() for name in ("problem", "target", "ratio")), strict=True
    ):
        least[problem, target] = min(least.get((problem, target), ratio), ratio)
    return list(least.values())


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value
