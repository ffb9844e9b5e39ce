"""Acceleration with exact gradients, plain against accelerated, each beside its bound; and the projected form that breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import Table, figure
from paper_figures.style import BOUND, PALETTE, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

COLORS = {"plain": PALETTE["blue"], "accelerated": PALETTE["vermilion"], "projected": PALETTE["purple"]}
NAMES = {
    "plain": "plain, mean of the iterates",
    "accelerated": "accelerated",
    "projected": "accelerated, with projections",
}
LEAST = 1e-10


@figure(
    "acceleration",
    needs=("acceleration",),
    title="Acceleration: 1/T² against 1/T",
    caption=(
        r"Gap $f - f_*$ (solid) and bound (dashed) of structured AdaGrad with exact gradients on a quadratic of 36 "
        r"parameters with "
        r"eigenvalues $1/k^2$ in a random basis; $\eta=D/\sqrt2$, and $\eta=D$ accelerated, for the distance $D$ of the "
        r"start. A bound holds with the largest distance along the run. Frames end at $10^{-10}$. Last panel, the negative "
        r"control: "
        r"$f(x)=x_2$ on the unit disc, started at $e_1$; projected, the accelerated method is above what the theorem, "
        r"applied by force, would promise."
    ),
    alt="Panels of gaps below dashed bounds, the accelerated ones steeper; in the last panel the gap lies above the bound",
    size="page-tall",
)
def draw(results: Results, fig: Figure) -> Table:
    groups = results.where(lambda run: run.params["kind"] != "projected").groups("structure")
    panels = [(label(name), runs) for (name,), runs in groups]
    panels.append(("projected, on a disc", results.where(kind="projected")))
    columns = 3 if len(panels) > 3 else len(panels)
    grid = np.atleast_2d(fig.subplots(-(-len(panels) // columns), columns, squeeze=False))
    rows: list[tuple] = []
    for axes, (title, runs) in zip(grid.flat, panels, strict=False):
        rows += _panel(axes, runs)
        axes.set(title=title, xscale="log", yscale="log", xlabel="steps $T$")
        axes.set_ylim(bottom=LEAST / 3)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("$f - f_*$")
    _legend(fig, {row[1] for row in rows})
    return Table.of_rows(("structure", "method", "steps", "gap", "bound"), rows)


def _panel(axes: Axes, results: Results) -> list[tuple]:
    rows: list[tuple] = []
    for run in results:
        gap, bound, kind = run.arrays["gap"], run.arrays["bound"], run.params["kind"]
        steps = np.arange(1, len(gap) + 1)
        axes.plot(steps, np.maximum(gap, LEAST), color=COLORS[kind])
        axes.plot(steps, bound, color=COLORS[kind], **BOUND)
        kept = np.unique(np.geomspace(1, len(gap), 60).astype(int)) - 1
        rows += [(run.params["structure"], kind, int(steps[k]), float(gap[k]), float(bound[k])) for k in kept]
    longest = max(len(run.arrays["gap"]) for run in results)
    steps, top = np.geomspace(3, longest, 20), max(float(run.arrays["gap"][2]) for run in results)
    for power in (1, 2):
        axes.plot(steps, top * (steps / 3.0) ** -power, color=PALETTE["grey"], linestyle=":", linewidth=0.8, zorder=0)
    return rows


def _legend(fig: Figure, kinds: set[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=COLORS[kind], label=NAMES[kind]) for kind in COLORS if kind in kinds]
    handles.append(Line2D([], [], color=PALETTE["grey"], label="bound", **BOUND))
    handles.append(Line2D([], [], color=PALETTE["grey"], label="$1/T$ and $1/T^2$", linestyle=":"))
    fig.legend(handles=handles, loc="outside lower center", ncols=5)
