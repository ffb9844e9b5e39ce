"""AGD's switch: the share of coordinates that take a step of SGD, layer by layer, and the accuracy for every δ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures._optimizers import short
from paper_figures.base import figure
from paper_figures.style import PALETTE
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.results import Results

COLORS = [PALETTE[name] for name in ("black", "blue", "sky", "green", "orange", "vermilion")]
LINES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))


@figure(
    "agd_switch",
    needs=("agd_switch",),
    title="AGD between SGD and an adaptive method",
    caption=(
        r"Left: the share of coordinates with $\sqrt{v_t/(1-\beta_2^t)} \le \delta$, which take a step of SGD with "
        r"momentum, at the end of each epoch; solid, dashed and dotted are the first, second and third weight matrix. "
        r"Right: accuracy on the report part, the learning rate tuned for every $\delta$."
    ),
    interval="Points and lines are means over seeds; the bars span the seeds.",
    alt="Left, shares that rise with the epochs and with delta; right, nearly equal accuracies for all delta",
    size=(6.75, 2.7),
)
def draw(results: Results, fig: Figure) -> Table:
    left, right = fig.subplots(1, 2)
    rows = []
    for color, run in zip(COLORS, results, strict=False):
        delta, share = run.params["delta"], run.arrays["share"].mean(0)  # (epochs, layers)
        epochs = np.arange(1, len(share) + 1)
        for k, line in zip(range(share.shape[1]), LINES, strict=False):
            left.plot(
                epochs,
                share[:, k],
                color=color,
                linestyle=line,
                label=f"$\\delta = 10^{{{round(np.log10(delta))}}}$" if k == 0 else None,
            )
            rows += [
                (delta, k + 1, int(e), short(s), short(run.summary["accuracy"]))
                for e, s in zip(epochs, share[:, k], strict=True)
            ]
        accuracy = run.arrays["accuracy"]
        mean = accuracy.mean()
        bars = [[mean - accuracy.min()], [accuracy.max() - mean]]
        right.errorbar([delta], [mean], yerr=bars, color=color, marker="o", capsize=2)
    left.set_xlabel("epoch")
    left.set_ylabel("share in SGD's mode")
    left.set_ylim(0.0, 1.02)
    right.set_xscale("log")
    right.set_xlabel(r"$\delta$")
    right.set_ylabel("accuracy")
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(results))
    return Table.of_rows(("delta", "layer", "epoch", "share", "accuracy"), rows)
