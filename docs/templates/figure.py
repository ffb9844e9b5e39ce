"""Template: mean regret of the two structures on sparse gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import Table, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.results import Results


@figure(
    "sparse_gradients",  # the name of this file
    needs=("sparse_gradients",),
    title="One step size for all, or one for each",
    caption="Regret on sparse gradients, the mean of 8 seeds.",
)
def draw(results: Results, fig: Figure) -> Table:
    ax = fig.subplots()
    columns = {}
    for run in results:
        mean = run.arrays["regret"].mean(axis=1)
        columns[run.params["structure"]] = mean
        ax.plot(np.arange(1, len(mean) + 1), mean, label=run.params["structure"])
    ax.set(xlabel="horizon T", ylabel="regret")
    ax.legend()
    return Table({"horizon": np.arange(1, len(mean) + 1), **columns})
