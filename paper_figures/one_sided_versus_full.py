"""Full-matrix AdaGrad against one-sided Shampoo: the ratio of their bounds and of their losses against the size of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import Table, figure
from paper_figures.style import BOUND, PALETTE, log_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun


def loss_ratio(run: StoredRun) -> float:
    """Losses of the averages, full matrix over one-sided, each at its best step size."""
    left, full = run.arrays["average"]
    return float(np.min(full) / np.min(left))


def caption(results: Results) -> str:
    """What is drawn, and what came out: the words follow the numbers."""
    groups = results.groups("n")
    first, last = groups[0], groups[-1]
    factors = [
        (np.median(runs.column("ratio_of_bounds")), np.median([loss_ratio(run) for run in runs]))
        for _, runs in (first, last)
    ]
    (bound_from, loss_from), (bound_to, loss_to) = factors
    return (
        r"Matrix quadratic on $n\times n$ matrices, $X_0=0$, Gaussian $X^*$, exact gradients. The bounds of full-matrix AdaGrad "
        r"and of one-sided Shampoo have the same $\Lambda$ and differ by $n\|X^*\|_F^2/\|X^*\|_{\rm op}^2\approx n^2/4$. Losses "
        "are those of the averages after the last step, each method at its best step size. "
        f"From n = {first[0][0]} to n = {last[0][0]} the ratio of bounds goes from {bound_from:.3g} to {bound_to:.4g} "
        f"and that of the losses from {loss_from:.3g} to {loss_to:.3g}: the bound names the winner and not the margin."
    )


@figure(
    "one_sided_versus_full",
    needs=("one_sided_versus_full",),
    title="One-sided against full matrix: the factor n²/4",
    caption=caption,
    interval="Points are medians over the draws of X*, bars reach from the smallest to the largest.",
    alt="The ratio of the bounds follows the line n²/4 ; the ratio of the losses grows far more slowly",
    size="column",
)
def draw(results: Results, fig: Figure) -> Table:
    axes = fig.subplots()
    groups = results.groups("n")
    n = np.array([value for (value,), _ in groups], dtype=float)
    bounds = [np.array(runs.column("ratio_of_bounds")) for _, runs in groups]
    losses = [np.array([loss_ratio(run) for run in runs]) for _, runs in groups]
    for values, color, marker, name in (
        (bounds, PALETTE["vermilion"], "D", "bounds"),
        (losses, PALETTE["blue"], "o", "measured losses"),
    ):
        middle = np.array([np.median(v) for v in values])
        spread = [middle - [v.min() for v in values], np.array([v.max() for v in values]) - middle]
        axes.errorbar(n, middle, yerr=spread, color=color, marker=marker, label=name, elinewidth=0.8)
    axes.plot(n, n**2 / 4.0, color=PALETTE["grey"], label="$n^2/4$", **BOUND)
    axes.axhline(1.0, color=PALETTE["grey"], linewidth=0.6)
    axes.set(xscale="log", yscale="log", xlabel="$n$", ylabel="full matrix / one-sided")
    axes.set_xticks(n, [f"{value:g}" for value in n], minor=False)
    axes.minorticks_off()
    log_axis(axes.yaxis)
    axes.legend()
    rows = [
        (int(size), int(run.params["seed"]), float(b), float(m), *(float(np.min(last)) for last in run.arrays["last"]))
        for size, (_, runs), bound, loss in zip(n, groups, bounds, losses, strict=True)
        for run, b, m in zip(runs, bound, loss, strict=True)
    ]
    return Table.of_rows(
        ("n", "draw", "ratio_of_bounds", "ratio_of_average_losses", "last_loss_one_sided", "last_loss_full"), rows
    )
