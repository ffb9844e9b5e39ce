"""FNGD's shared coefficients: training loss for every way to share, nearness to the fresh direction, positions."""

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

LOOKS = {
    "SGD": Look(PALETTE["grey"], "x", DASHED),
    "fresh": Look(PALETTE["purple"], "*"),
    "table": Look(PALETTE["orange"], "s"),
    "position": Look(PALETTE["sky"], "o"),
    "scalar": Look(PALETTE["blue"], "v", DASHED),
}


@figure(
    "fngd_sharing",
    needs=("fngd_sharing",),
    title="What FNGD's shared coefficients carry",
    caption=(
        r"Digits, a perceptron without momentum, the learning rate tuned for every point. Left: training loss at the "
        r"end. Middle: cosine of the direction with the first epoch's coefficients (by sample) and of the plain "
        r"gradient to the fresh natural direction, layers as thin lines. Right: variance over the positions in the "
        r"batch of the mean coefficient, divided by what chance alone gives; 1 says that positions carry nothing, and "
        r"coefficients shared by position are one learning rate per layer."
    ),
    interval="Bars reach from the smallest to the largest of the seeds (and, on the right, of the layers).",
    alt="Three panels against the damping; table and SGD are equally far from the fresh direction, the ratio is one",
    size=(6.75, 2.8),
)
def draw(results: Results, fig: Figure) -> Table:
    losses, cosines, ratios = fig.subplots(1, 3)
    sgd = results.one(share="SGD").arrays["train_loss"]
    losses.axhline(np.median(sgd), label="SGD", **LOOKS["SGD"].line())
    rows = [(0.0, "SGD", short(np.median(sgd)), short(sgd.min()), short(sgd.max()))]
    for share in ("fresh", "table", "position", "scalar"):
        runs = results.where(share=share)
        dampings = np.array([run.params["damping"] for run in runs])
        middle, low, high = (
            np.array([f(run.arrays["train_loss"]) for run in runs]) for f in (np.median, np.min, np.max)
        )
        style = LOOKS[share]
        losses.errorbar(
            dampings,
            middle,
            yerr=[middle - low, high - middle],
            label=share,
            marker=style.marker,
            capsize=2,
            **style.line(),
        )
        rows += [
            (d, share, short(m), short(a), short(b))
            for d, m, a, b in zip(dampings.tolist(), middle, low, high, strict=True)
        ]
    losses.set_yscale("log")
    losses.set_ylabel("training loss")
    fresh = results.where(lambda run: "cosine" in run.arrays, share="fresh")
    rows += _cosines(cosines, fresh) + _ratios(ratios, fresh)
    for axes in (losses, cosines, ratios):
        axes.set_xscale("log")
        axes.set_xlabel(r"damping $\lambda$")
    fig.legend(*losses.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return Table.of_rows(("damping", "what", "value", "low", "high"), rows)


def _cosines(axes: Axes, fresh: Results) -> list[tuple]:
    dampings = np.array([run.params["damping"] for run in fresh])
    values = np.stack([run.arrays["cosine"] for run in fresh])  # (dampings, seeds, layers, 2)
    rows = []
    for k, name in enumerate(("table", "SGD")):
        each = np.median(values[..., k], axis=1)  # (dampings, layers)
        axes.plot(dampings, each, color=LOOKS[name].color, linewidth=0.5, alpha=0.6)
        axes.plot(dampings, each.mean(1), marker=LOOKS[name].marker, **LOOKS[name].line())
        rows += [
            (float(d), f"cosine of {name}", short(e.mean()), short(e.min()), short(e.max()))
            for d, e in zip(dampings, each, strict=True)
        ]
    axes.set_ylim(0.0, 1.02)
    axes.set_ylabel("cosine to the fresh direction")
    return rows


def _ratios(axes: Axes, fresh: Results) -> list[tuple]:
    rows = []
    axes.axhline(1.0, color=PALETTE["black"], linewidth=0.8)
    for run in fresh:
        ratio, d = run.arrays["position_ratio"].ravel(), run.params["damping"]
        middle = np.median(ratio)
        bars = [[middle - ratio.min()], [ratio.max() - middle]]
        axes.errorbar([d], [middle], yerr=bars, color=LOOKS["position"].color, marker="o", capsize=2)
        rows.append((d, "variance over positions / chance", short(middle), short(ratio.min()), short(ratio.max())))
    axes.set_ylim(0.0, 2.0)
    axes.set_ylabel("variance over positions / chance")
    return rows
