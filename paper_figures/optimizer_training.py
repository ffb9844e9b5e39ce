"""Optimizers on small networks on three axes: loss against steps, loss against seconds, final quality against memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures._optimizers import LOOKS, short, smoothed
from paper_figures.base import figure
from paper_figures.style import log_axis
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun


def _caption(results: Results) -> str:
    edges = [
        f"{run.params['method']} on {run.params['task']}"
        for run in results.of("optimizer_training")
        if run.summary["at_edge"]
    ]
    said = (
        f" At the edge of the grid: {', '.join(edges)}." if edges else " No best step size is at the edge of the grid."
    )
    return (
        r"Every method has the same grid of learning rates (half decades), the same number of steps, the same linear "
        r"decay to zero, and otherwise its defaults; roots are renewed every tenth step. Left: training loss, medians "
        r"over seeds of running means. Middle: the same against steps times the median seconds of a step, one thread. "
        r"Right: the report part's loss against the numbers kept per "
        r"parameter." + said
    )


@figure(
    "optimizer_training",
    needs=("optimizer_training", "optimizer_seconds"),
    title="Optimizers on small networks",
    caption=_caption,
    interval="The bars on the right reach from the smallest to the largest of the seeds.",
    alt="For each task three panels: loss against steps, loss against seconds, final loss against memory",
    size=(6.75, 6.6),
)
def draw(results: Results, fig: Figure) -> Table:
    cells = results.of("optimizer_training").groups("task")
    grid = np.atleast_2d(fig.subplots(len(cells), 3, squeeze=False))
    rows: list[tuple] = []
    for axes, ((task,), runs) in zip(grid, cells, strict=True):
        seconds = results.of("optimizer_seconds").one(task=task).summary["seconds"]
        for run in runs:
            rows.append((task, *_curves(axes, run, seconds[run.params["method"]])))
        for each in axes[:2]:
            each.set_yscale("log")
            log_axis(each.yaxis)
        axes[0].set_ylabel(f"{task}: training loss")
        axes[2].set_ylabel("report loss")
        axes[2].set_xlabel("numbers per parameter")
    for each, text in zip(grid[-1], ("step", "seconds"), strict=False):
        each.set_xlabel(text)
    entries = {text: line for row in grid for line, text in zip(*row[0].get_legend_handles_labels(), strict=True)}
    fig.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=5)
    names = (
        "task",
        "method",
        "lr",
        "report loss",
        "low",
        "high",
        "accuracy",
        "ms per step",
        "numbers per parameter",
        "steps to SGD's",
    )
    return Table.of_rows(names, [(*row, _steps_to_sgd(results, row[0], row[1])) for row in rows])


def _curves(axes: list[Axes], run: StoredRun, seconds: float) -> tuple:
    method, style = run.params["method"], LOOKS[run.params["method"]]
    curve = smoothed(run.arrays["loss"], run.summary["steps_per_epoch"] // 2)
    steps = np.arange(1, len(curve) + 1) + run.summary["steps_per_epoch"] // 4
    axes[0].plot(steps, curve, label=method, **style.line())
    axes[1].plot(seconds * steps, curve, **style.line())
    ends = run.arrays["report_loss"]
    memory = run.summary["state_numbers"] / run.summary["parameters"]
    middle = np.median(ends)
    axes[2].errorbar(
        [memory], [middle], yerr=[[middle - ends.min()], [ends.max() - middle]], color=style.color, marker=style.marker,
        linestyle="none", capsize=2,
    )  # fmt: skip
    accuracy = float(np.mean(run.arrays["report_accuracy"]))
    return (method, run.summary["lr"], *map(short, (middle, ends.min(), ends.max(), accuracy, 1e3 * seconds, memory)))


def _steps_to_sgd(results: Results, task: str, method: str) -> int:
    """Steps after which the smoothed loss stays at or under SGD's last; -1 for never."""
    runs = results.of("optimizer_training")
    own, sgd = (runs.one(task=task, method=name) for name in (method, "SGD"))
    width = own.summary["steps_per_epoch"] // 2
    curve, target = smoothed(own.arrays["loss"], width), smoothed(sgd.arrays["loss"], width)[-1]
    reached = np.flatnonzero(curve <= target)
    return int(reached[0]) + width if reached.size else -1
