"""Template: regret of the two structures on sparse gradients, each below its bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import Table, figure
from paper_figures.style import BOUND, label, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.results import Results


@figure(
    "sparse_gradients",  # the name of this file
    needs=("sparse_gradients",),
    title="One step size for all, or one for each",
    caption="Regret on sparse gradients (solid) and its bound (dashed), the means of 8 seeds.",
    interval="The band spans all 8 seeds.",
)
def draw(results: Results, fig: Figure) -> Table:
    ax = fig.subplots()
    rows = []
    for run in results:
        name, regret, bound = run.params["structure"], run.arrays["regret"], run.arrays["bound"].mean(axis=1)
        horizon, color = np.arange(1, len(regret) + 1), look(name).color
        mean, low, high = regret.mean(axis=1), regret.min(axis=1), regret.max(axis=1)
        ax.plot(horizon, mean, color=color, label=label(name))
        ax.fill_between(horizon, low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(horizon, bound, color=color, **BOUND)
        rows += [(name, *row) for row in zip(horizon, mean, low, high, bound, strict=True)]
    ax.set(xlabel="horizon $T$", ylabel="regret")
    ax.legend()
    return Table.of_rows(("structure", "horizon", "mean", "smallest", "largest", "bound"), rows)
