"""Jorge's roots and FNGD's coefficients on MNIST and CIFAR-10: cosines to the exact step, and what sharing carries over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from paper_figures._optimizers import short
from paper_figures.base import figure
from paper_figures.fngd_sharing import LOOKS as SHARING_LOOKS
from paper_figures.root_streams import FLOOR
from paper_figures.root_streams import LOOKS as RULE_LOOKS
from paper_figures.style import PALETTE, log_axis
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun


@figure(
    "optimizer_claims",
    needs=("optimizer_claims",),
    title="Roots and shared coefficients on MNIST and CIFAR-10",
    caption=(
        r"Top: one minus the cosine between $P_tG_t$ and $L_t^{-1/4}G_t$ on the gradients of a layer's side under SGD, "
        r"float32, every step, with the rule's own $\beta_2$; the thin line is a cosine of 0.99. Below, left: training loss "
        r"after the same number of steps without momentum, the learning rate tuned for every point. Third: cosine of the "
        r"direction with the first epoch's coefficients (by sample) and of the plain gradient to the fresh natural "
        r"direction, a point for every layer. Last: variance over the positions in the batch of the mean coefficient, over "
        r"what chance alone gives; 1 says that positions carry nothing."
    ),
    interval="Bands and bars reach from the smallest to the largest of the seeds (on the lower right, of seeds and layers).",
    alt="Above, one minus the cosine against steps for four layers; below, losses by way to share, cosines, and ratios near one",
    size=(6.75, 4.8),
)
def draw(results: Results, fig: Figure) -> Table:
    run = results[0]
    layers = list(dict.fromkeys(each["task"] for each in run.summary["roots"]))
    tasks = list(dict.fromkeys(each["task"] for each in run.summary["sharing"]))
    columns = max(len(layers), len(tasks) + 2)
    grid = fig.subplots(2, columns, squeeze=False)
    for axes in (*grid[0, len(layers) :], *grid[1, len(tasks) + 2 :]):
        axes.set_visible(False)
    rows: list[tuple] = []
    for axes, layer in zip(grid[0], layers, strict=False):
        rows += _roots(axes, run, layer)
    grid[0, 0].set_ylabel("1 - cosine")
    for axes, task in zip(grid[1], tasks, strict=False):
        rows += _losses(axes, run, task)
    grid[1, 0].set_ylabel("training loss")
    rows += _carried(grid[1, len(tasks)], grid[1, len(tasks) + 1], run, tasks)
    handles = [axes.get_legend_handles_labels() for axes in (grid[0, 0], grid[1, 0])]
    fig.legend(*(a + b for a, b in zip(*handles, strict=True)), loc="outside lower center", ncols=5)
    return Table.of_rows(("task", "what", "damping", "value", "low", "high"), rows)


def _roots(axes: Axes, run: StoredRun, layer: str) -> list[tuple]:
    """A panel for one side of a weight; the rows tell the second half's median cosine and β₂."""
    rows = []
    for k, each in enumerate(run.summary["roots"]):
        if each["task"] != layer:
            continue
        style = RULE_LOOKS[each["method"]]
        steps, off = run.arrays[f"roots_{k}_step"], np.maximum(1.0 - run.arrays[f"roots_{k}_cosine"], FLOOR)
        width = 0.6 if each["method"] == "eigh" else 1.2
        axes.fill_between(steps, off.min(1), off.max(1), color=style.color, alpha=0.15, linewidth=0)
        axes.plot(steps, np.median(off, axis=1), label=each["method"], linewidth=width, **style.line())
        middle, least, beta2 = (each[f"{name}_late"] for name in ("median_cosine", "least_cosine", "median_beta2"))
        rows.append((layer, f"{each['method']}, cosine", None, short(middle), short(least), None))
        rows.append((layer, f"{each['method']}, beta2", None, float(f"{beta2:.6g}"), None, None))
    axes.axhline(0.01, color=PALETTE["black"], linewidth=0.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(FLOOR / 2, 2.0)
    axes.set_title(layer.replace(", ", "\n", 1))
    axes.set_xlabel("step")
    return rows


def _of(run: StoredRun, task: str) -> list[tuple[int, dict[str, Any]]]:
    return [(k, each) for k, each in enumerate(run.summary["sharing"]) if each["task"] == task]


def _losses(axes: Axes, run: StoredRun, task: str) -> list[tuple]:
    """Training losses of every way to share, over the damping; SGD's is a line."""
    rows, points = [], {}
    for k, each in _of(run, task):
        losses = run.arrays[f"sharing_{k}_train_loss"]
        spread = tuple(short(float(f(losses))) for f in (np.median, np.min, np.max))
        points.setdefault(each["share"], []).append((each["damping"], *spread))
        rows.append((task, f"{each['share']}, training loss", each["damping"], *spread))
    axes.axhline(points.pop("SGD")[0][1], label="SGD", **SHARING_LOOKS["SGD"].line())
    for share, found in points.items():
        style = SHARING_LOOKS[share]
        damping, middle, low, high = np.array(found).T
        axes.errorbar(
            damping,
            middle,
            yerr=[middle - low, high - middle],
            label=share,
            marker=style.marker,
            capsize=2,
            **style.line(),
        )
    low, high = axes.get_ylim()
    if low <= 0.0 or high > 3.0 * low:
        axes.set_yscale("log")
        log_axis(axes.yaxis)
    _damping_axis(axes, run)
    axes.set_title(task)
    return rows


def _damping_axis(axes: Axes, run: StoredRun) -> None:
    dampings = sorted({each["damping"] for each in run.summary["sharing"] if each["damping"] > 0.0})
    axes.set_xscale("log")
    axes.set_xlim(0.6 * dampings[0], dampings[-1] / 0.6)
    log_axis(axes.xaxis)
    axes.set_xlabel(r"damping $\lambda$")


def _carried(cosines: Axes, ratios: Axes, run: StoredRun, tasks: list[str]) -> list[tuple]:
    """Cosines to the fresh direction by layer, and the variance over positions against chance."""
    rows = []
    ratios.axhline(1.0, color=PALETTE["black"], linewidth=0.8)
    for shift, task in zip(np.linspace(-0.06, 0.06, len(tasks)), tasks, strict=True):
        for k, each in _of(run, task):
            if f"sharing_{k}_cosine" not in run.arrays:
                continue
            damping = each["damping"]
            found = np.median(run.arrays[f"sharing_{k}_cosine"], axis=0)  # (layers, 2)
            for column, name in enumerate(("table", "SGD")):
                at = damping * 10.0 ** (shift + 0.03 * column)
                cosines.plot(
                    [at] * len(found), found[:, column], color=SHARING_LOOKS[name].color, marker=SHARING_LOOKS[name].marker,
                    linestyle="none", markersize=3,
                )  # fmt: skip
                values = map(short, (float(f(found[:, column])) for f in (np.median, np.min, np.max)))
                rows.append((task, f"cosine of {name} to fresh", damping, *values))
            ratio = run.arrays[f"sharing_{k}_position_ratio"].ravel()
            middle = float(np.median(ratio))
            bars = [[middle - ratio.min()], [ratio.max() - middle]]
            ratios.errorbar([damping * 10.0**shift], [middle], yerr=bars, color=PALETTE["sky"], marker="o", capsize=2)
            rows.append(
                (task, "variance over positions / chance", damping, *map(short, (middle, ratio.min(), ratio.max())))
            )
    cosines.set_ylim(0.0, 1.02)
    cosines.set_title("cosine to fresh")
    ratios.set_ylim(0.0, 2.0)
    ratios.set_title("positions / chance")
    for axes in (cosines, ratios):
        _damping_axis(axes, run)
    return rows
