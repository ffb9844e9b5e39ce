"""Does the direction hold over ten thousand steps: the worst cosine of every root rule and option, and its course."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures._optimizers import DASHED, DOTTED, short
from paper_figures.base import figure
from paper_figures.style import PALETTE, Look
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

FLOOR = 1e-7  # single precision
LOOKS = {
    "Jorge, published": Look(PALETTE["vermilion"], "o"),
    "Jorge()": Look(PALETTE["orange"], "s", DASHED),
    "sandwich": Look(PALETTE["green"], "D"),
    "sandwich, beta2=0.99": Look(PALETTE["black"], "v", DOTTED),
    "Jorge(rule='sandwich')": Look(PALETTE["blue"], "^", DASHED),
}
CONDITIONS = {10.0: Look(PALETTE["sky"], "o"), 1e3: Look(PALETTE["orange"], "s"), 1e5: Look(PALETTE["vermilion"], "D")}


@figure(
    "long_root_streams",
    needs=("long_root_streams",),
    title="Ten thousand steps of inverse roots by series",
    caption=(
        r"Left: one minus the cosine between $P_tG_t$ and $L_t^{-1/4}G_t$, with L the average by the rule's own $\beta_2$, on a "
        r"stream of condition $10^5$ whose axes turn by 0.01 per step; n = 32, float32. Right: the same where it was worst of "
        r"all steps and seeds, for every setting and condition; the table gives the number of steps. What is named like a call "
        r"are the optimizers' defaults, which take in every tenth gradient and have a ridge. Hollow: the median against the "
        r"average with $\beta_2 = 0.99$, whatever the rule's own is: a rule that no longer moves is seen there. The line is a "
        r"cosine of 0.99."
    ),
    interval="Left, lines are medians over seeds, bands reach from the smallest to the largest.",
    alt="One minus the cosine against steps and by setting; the sandwich rule by default stays below 0.01, Jorge's rises to one",
    size=(6.75, 3.4),
)
def draw(results: Results, fig: Figure) -> Table:
    runs = results.where(n=32)
    course, worst = fig.subplots(1, 2)
    _course(course, runs)
    _worst(worst, runs)
    course.legend(loc="lower right")
    worst.legend(loc="upper left")
    names = ("least_cosine", *(f"median_{name}" for name in _MEDIANS), "refreshes")
    rows = [
        (
            run.params["n"],
            run.params["setting"],
            run.params["steps"],
            condition,
            *(short(run.summary[k][i]) for k in names),
        )
        for run in results
        for i, condition in enumerate(run.params["conditions"])
    ]
    return Table.of_rows(("n", "setting", "steps", "condition", *names), rows)


_MEDIANS = (
    "cosine", "cosine_to_fixed", "exact_to_fixed", "cosine_to_current", "exact_to_current", "beta2", "residual", "condition",
)  # fmt: skip


def _course(axes: Axes, runs: Results) -> None:
    for name, style in LOOKS.items():
        run = runs.one(setting=name)
        off = np.maximum(1.0 - run.arrays["cosine"][:, -1], FLOOR)  # of the worst condition
        axes.fill_between(run.arrays["step"], off.min(1), off.max(1), color=style.color, alpha=0.15, linewidth=0)
        axes.plot(run.arrays["step"], np.median(off, axis=1), label=name, linewidth=0.8, **style.line())
    axes.axhline(0.01, color=PALETTE["black"], linewidth=0.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(FLOOR / 30.0, 3.0)  # room for the legend
    axes.set_xlabel("step")
    axes.set_ylabel("1 - cosine")


def _worst(axes: Axes, runs: Results) -> None:
    names = [run.params["setting"] for run in runs]
    rows = np.arange(len(names))[::-1]
    for i, condition in enumerate(runs[0].params["conditions"]):
        style = CONDITIONS[condition]
        least = np.array([run.summary["least_cosine"][i] for run in runs])
        fixed = np.array([run.summary["median_cosine_to_fixed"][i] for run in runs])
        label = f"condition $10^{{{round(np.log10(condition))}}}$"
        axes.plot(np.maximum(1.0 - least, FLOOR), rows, label=label, markersize=4, **style.points())
        axes.plot(np.maximum(1.0 - fixed, FLOOR), rows, markersize=3, fillstyle="none", **style.points())
    axes.axvline(0.01, color=PALETTE["black"], linewidth=0.6)
    axes.set_xscale("log")
    axes.set_xlim(FLOOR / 30.0, 3.0)
    axes.set_yticks(rows, names)
    axes.set_xlabel("1 - cosine, at worst")
