"""Every structure's speed, memory and final loss, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import Table, figure
from paper_figures.style import label, log_axis, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun

AXES = (("seconds", "µs per step"), ("state", "numbers of state"), ("final", "final $f(x_T) - f_*$"))


@figure(
    "structures_tradeoff",
    needs=("structures_tradeoff",),
    title="Every structure: speed, memory, final loss",
    caption=(
        "Time of a step, numbers that the preconditioner keeps, and the suboptimality of the last iterate with "
        "stochastic gradients, each "
        "structure at its best step size of the same grid. One row for each problem, structures from the best final "
        "loss (top) to the worst. "
        "Times are of one thread of the machine that ran it, for one run inside of a batch."
    ),
    interval="Bars of the final loss reach from the smallest to the largest of the seeds, points are their means.",
    alt="Rows of three dot plots: time per step, state and final loss for every structure",
    size=(6.75, 7.2),
)
def draw(results: Results, fig: Figure) -> Table:
    problems = results.groups("problem")
    grid = fig.subplots(
        len(problems), 3, squeeze=False, gridspec_kw={"height_ratios": [len(runs) for _, runs in problems]}
    )
    rows: list[tuple] = []
    for line, ((problem,), runs) in zip(grid, problems, strict=True):
        ordered = sorted(runs, key=lambda run: float(np.mean(run.arrays["final"])))
        rows += [_row(problem, run) for run in ordered]
        _panels(line, ordered)
        line[1].set_title(f"{problem}, {ordered[0].summary['parameters']} parameters")
    for axes, (_, name) in zip(grid[-1], AXES, strict=True):
        axes.set_xlabel(name)
    return Table.of_rows(("problem", "structure", "seconds", "state", "final", "lowest", "highest"), rows)


def _row(problem: str, run: StoredRun) -> tuple:
    final = run.arrays["final"]
    return (
        problem, run.params["structure"], float(f"{run.summary['seconds']:.3g}"), run.summary["state"],
        float(np.mean(final)), float(np.min(final)), float(np.max(final)),
    )  # fmt: skip


def _panels(line: np.ndarray, ordered: list[StoredRun]) -> None:
    for place, run in enumerate(ordered):
        style, final = look(run.params["structure"]), run.arrays["final"]
        line[0].plot([1e6 * run.summary["seconds"]], [place], **style.points())
        line[1].plot([run.summary["state"]], [place], **style.points())
        mean = float(np.mean(final))
        line[2].errorbar(
            [mean], [place], xerr=[[mean - float(np.min(final))], [float(np.max(final)) - mean]], color=style.color,
            marker=style.marker, elinewidth=0.8,
        )  # fmt: skip
    for axes in line:
        axes.set(xscale="log", ylim=(len(ordered) - 0.5, -0.5))
        axes.set_yticks(range(len(ordered)), [""] * len(ordered))
        axes.margins(x=0.15)
        log_axis(axes.xaxis, most=6)
    line[0].set_yticks(range(len(ordered)), [label(run.params["structure"]) for run in ordered])
