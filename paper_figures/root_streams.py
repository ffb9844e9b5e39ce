"""How well series keep the inverse root: the cosine to the exact one, rule by rule, on streams of gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures._optimizers import DASHED, short
from paper_figures.base import figure
from paper_figures.style import PALETTE, Look
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun

FLOOR = 1e-7  # single precision
LOOKS = {
    "Jorge": Look(PALETTE["vermilion"], "o"),
    "Jorge, ridge": Look(PALETTE["orange"], "s", DASHED),
    "sandwich": Look(PALETTE["green"], "D"),
    "sandwich, ridge": Look(PALETTE["blue"], "^", DASHED),
    "eigh": Look(PALETTE["grey"], "x", DASHED),
}


@figure(
    "root_streams",
    needs=("root_streams",),
    title="Inverse roots by series on streams of gradients",
    caption=(
        r"One minus the cosine between $P_tG_t$ and $L_t^{-1/4}G_t$, with L the average of the gradients by the "
        r"rule's own $\beta_2$; float32. Both series are of order 2 with the dynamic $\beta_2$; “ridge” adds a "
        r"hundredth of the mean eigenvalue to $GG^\top$, as the library's default does; “eigh” is an exact root "
        r"renewed every tenth step. Titles give the condition number of the covariance; “turning” means that its axes "
        r"turn by 0.01 per step. The last panels are the gradients of a network's second weight under SGD. The thin "
        r"line is a cosine of 0.99."
    ),
    interval="Lines are medians over seeds, bands reach from the smallest to the largest.",
    alt="One minus the cosine against steps; the sandwich rule stays below 0.01, Jorge's rises to one on turning streams",
    size=(6.75, 4.6),
)
def draw(results: Results, fig: Figure) -> Table:
    cells = [cell for cell in results.groups("stream", "condition") if cell[0][1] != 10.0]
    columns = min(3, len(cells))
    grid = np.atleast_2d(fig.subplots(-(-len(cells) // columns), columns, sharey=True))
    for axes in grid.flat[len(cells) :]:
        axes.set_visible(False)
    for axes, ((stream, condition), runs) in zip(grid.flat, cells, strict=False):
        _panel(axes, runs)
        axes.set_title(stream if condition is None else f"{stream}, $10^{{{round(np.log10(condition))}}}$")
        axes.set_xlabel("step")
    for axes in grid[:, 0]:
        axes.set_ylabel("1 - cosine")
    fig.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    names = ("least_cosine_late", "median_cosine_late", "median_current_late", "median_beta2_late")
    rows = [
        (
            run.params["stream"],
            run.params.get("condition"),
            run.params["rule"],
            *(short(run.summary[name]) for name in names),
        )
        for run in results
    ]
    return Table.of_rows(("stream", "condition", "rule", *names), rows)


def style_width(run: StoredRun) -> float:
    """Thin for what jumps at every renewal."""
    return 0.6 if run.params["rule"] == "eigh" else 1.2


def _panel(axes: Axes, runs: Results) -> None:
    for run in runs:
        style, cosine = LOOKS[run.params["rule"]], run.arrays["cosine"]
        steps = run.arrays["step"]
        off = np.maximum(1.0 - cosine, FLOOR)
        axes.fill_between(steps, off.min(1), off.max(1), color=style.color, alpha=0.15, linewidth=0)
        axes.plot(steps, np.median(off, axis=1), label=run.params["rule"], linewidth=style_width(run), **style.line())
    axes.axhline(0.01, color=PALETTE["black"], linewidth=0.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(FLOOR / 2, 2.0)
