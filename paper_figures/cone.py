"""Where the theorem ends: the ratio of regret to bound on a convex cone, as it is climbed, and against the dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import figure
from paper_figures.style import BOUND, PALETTE
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

NAMES = {"MonotoneCone": "decreasing diagonals (a cone)", "Diagonal": "all diagonals (a subspace)"}
MARKS = {"MonotoneCone": (PALETTE["vermilion"], "o"), "Diagonal": (PALETTE["blue"], "s")}
SHADES = ("#F6B48F", "#EF7F4B", "#D55E00", "#8F3F00", "#4A2000")  # light to dark with the dimension


@figure(
    "cone",
    needs=("cone",),
    title="Closure under negative scalars is essential",
    caption=(
        r"The learner whose preconditioners are the decreasing diagonals, a convex cone closed under products, against the "
        r"staircase with $\eta = 0.3$. Left: regret divided by the bound of the theorem, along the game. Each coordinate that is "
        r"climbed adds one to the trace and $i$ to the moving norms. Right: the ratio at the end against the dimension $d$, with "
        r"the limit for small steps, which grows like $d/2$ (dashed line); on the linear span of the cone the same gradients "
        r"respect the bound. Here the theorem is applied wrongly, on purpose: the check of its assumptions refuses the cone."
    ),
    alt="Regret over bound: it grows beyond one on the cone, to 3.8 in eight dimensions, and stays below one for diagonals",
    size=(6.75, 2.6),
)
def draw(results: Results, fig: Figure) -> Table:
    left, right = fig.subplots(1, 2)
    rows = _climb(left, results.where(set="MonotoneCone"))
    rows += _against_dimension(right, results)
    for axes in (left, right):
        axes.axhline(1.0, color="#444444", linewidth=0.8)
        axes.legend(loc="upper left")
    return Table.of_rows(("panel", "set", "dimension", "position", "ratio"), rows)


def _climb(axes: Axes, results: Results) -> list[tuple]:
    """The ratio along the game, one line for each dimension."""
    rows: list[tuple] = []
    runs = sorted(results, key=lambda run: run.params["dim"])
    for shade, run in zip(SHADES, runs, strict=False):
        dim, horizon = run.params["dim"], run.arrays["horizon"]
        position, ratio = horizon / horizon[-1], run.arrays["regret"] / run.arrays["bound"]
        axes.plot(position, ratio, color=shade, label=f"$d = {dim}$")
        kept = np.unique(np.linspace(0, len(position) - 1, 200).astype(int))
        rows += [("game", "MonotoneCone", dim, float(f"{position[i]:.5g}"), float(f"{ratio[i]:.6g}")) for i in kept]
    axes.set_xlabel("position in the game")
    axes.set_ylabel("regret / bound")
    return rows


def _against_dimension(axes: Axes, results: Results) -> list[tuple]:
    """The ratio at the end, for the cone and for its span, and the limit of the former."""
    rows: list[tuple] = []
    for (name,), runs in results.groups("set"):
        ordered = sorted(runs, key=lambda run: run.params["dim"])
        dims, ratios = [run.params["dim"] for run in ordered], [run.summary["ratio"] for run in ordered]
        color, marker = MARKS[name]
        axes.plot(dims, ratios, color=color, marker=marker, label=NAMES[name])
        rows += [("end", name, dim, 1.0, ratio) for dim, ratio in zip(dims, ratios, strict=True)]
        if name == "MonotoneCone":
            limits = [run.summary["limit"] for run in ordered]
            axes.plot(dims, limits, color=color, **BOUND)
            rows += [("limit", name, dim, 1.0, value) for dim, value in zip(dims, limits, strict=True)]
    axes.set_xticks(sorted({run.params["dim"] for run in results}))
    axes.set_xlabel("dimension $d$")
    return rows
