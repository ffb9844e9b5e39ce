"""Optimizers on data from files, on three axes: held-out loss against steps, against seconds, final loss against memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from paper_figures._optimizers import LOOKS, short
from paper_figures.base import figure
from paper_figures.style import PALETTE, log_axis
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun


def _caption(results: Results) -> str:
    run = results[0]
    sizes = "; ".join(
        f"{task['name']}: {task['parameters']:,} parameters, {task['steps']} steps of {task['batch']}"
        for task in run.summary["tasks"]
    )
    skipped = {method: reason for task in run.summary["tasks"] for method, reason in task["skipped"].items()}
    absent = "".join(f" {method} did not take part: {reason}." for method, reason in skipped.items())
    return (
        r"One grid of learning rates (half decades) and one budget for every method, roots and factors renewed every tenth "
        r"step. Left: loss on the part that chooses the learning rate, medians over seeds. Middle: the same against seconds of "
        r"the processor, scaled to steps that all methods take in turns; the dashed line is AdamW's at its end. Right: loss on "
        r"the reporting part against the bytes kept for a "
        rf"parameter. {sizes}.{absent} Measured on: {run.summary['machine']['processor']}, one thread."
    )


@figure(
    "optimizer_files",
    needs=("optimizer_files",),
    title="Optimizers on MNIST, CIFAR-10 and a text",
    caption=_caption,
    interval="The bars on the right reach from the smallest to the largest of the seeds.",
    alt="For each task three panels: held-out loss against steps, against seconds, and final loss against memory",
    size=(6.75, 8.2),
)
def draw(results: Results, fig: Figure) -> Table:
    run = results[0]
    tasks = run.summary["tasks"]
    grid = np.atleast_2d(fig.subplots(len(tasks), 3, squeeze=False))
    rows: list[tuple] = []
    for k, (axes, task) in enumerate(zip(grid, tasks, strict=True)):
        _curves(axes, run, k, task)
        _memory(axes[2], run, k)
        rows += _rows(run, k, task["name"])
        axes[0].set_ylabel(f"{task['name']}: held-out loss")
        axes[2].set_ylabel("report loss")
    for each, text in zip(grid[-1], ("step", "CPU seconds", "bytes per parameter"), strict=True):
        each.set_xlabel(text)
    fig.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    names = (
        "task", "method", "lr", "report loss", "low", "high", "accuracy", "CPU ms per step", "CPU s to the target",
        "bytes per parameter",
    )  # fmt: skip
    return Table.of_rows(names, rows)


def _curves(axes: list[Axes], run: StoredRun, k: int, task: dict[str, Any]) -> None:
    """Held-out losses against steps and seconds; the axis begins where most methods do, at most at four times the lowest."""
    curves = run.arrays[f"held_out_{k}"]
    for j, method in enumerate(run.arrays[f"method_{k}"].tolist()):
        style = LOOKS[method]
        ends = {"marker": style.marker, "markevery": [-1], "markersize": 4}
        axes[0].plot(run.arrays[f"step_{k}"], curves[j], label=method, **ends, **style.line())
        axes[1].plot(run.arrays[f"seconds_{k}"][j], curves[j], **ends, **style.line())
    lowest, begin = curves[np.isfinite(curves)].min(), curves[np.isfinite(curves[:, 0]), 0]
    for each in axes[:2]:
        each.set_ylim(0.95 * lowest, min(1.02 * np.median(begin), 4.0 * lowest))
    axes[1].set_xscale("log")
    log_axis(axes[1].xaxis)
    if task["target"] is not None:
        axes[1].axhline(task["target"], color=PALETTE["black"], linewidth=0.6, linestyle="--")


def _memory(axes: Axes, run: StoredRun, k: int) -> None:
    for j, method in enumerate(run.arrays[f"method_{k}"].tolist()):
        middle, low, high, memory = (run.arrays[f"{name}_{k}"][j] for name in ("loss", "low", "high", "bytes"))
        if not np.isfinite(middle):
            continue
        style = LOOKS[method]
        axes.errorbar(
            [memory], [middle], yerr=[[middle - low], [high - middle]], color=style.color, marker=style.marker,
            linestyle="none", capsize=2,
        )  # fmt: skip
    axes.set_xscale("log")
    log_axis(axes.xaxis)


def _rows(run: StoredRun, k: int, name: str) -> list[tuple]:
    names = ("lr", "loss", "low", "high", "accuracy", "ms", "seconds_to", "bytes")
    columns = [run.arrays[f"{each}_{k}"].tolist() for each in names]
    methods = run.arrays[f"method_{k}"].tolist()
    return [(name, method, *map(short, row)) for method, row in zip(methods, zip(*columns, strict=True), strict=True)]
