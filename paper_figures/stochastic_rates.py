"""Mean suboptimality of structured AdaGrad with noise, with confidence intervals, beside its bound in every structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import Table, figure
from paper_figures.style import BOUND, label, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results

TITLES = {"matrix quadratic": "matrix quadratic, rotated", "breast cancer": "breast cancer, logistic"}


@figure(
    "stochastic_rates",
    needs=("stochastic_rates",),
    title="Stochastic rates against their bounds",
    caption=(
        r"Mean over seeds of $\frac1T\sum_{t\leq T} f(x_t)-f_*$ (solid) and the bound "
        r"$\Lambda_{\mathcal H}D^2/T+\sqrt2\,D\sigma_{\mathcal H}/\sqrt T$ (dashed), at horizons with seeds of their "
        r"own. Every structure "
        r"plays on a ball of its own norm (scalar and full matrix on a Euclidean one) that holds the minimiser; "
        r"$\eta=D/\sqrt2$. "
        r"Every point is judged by the theorem's object: the verdicts are in the report."
    ),
    interval=(
        "Bars are 95 % confidence intervals for the mean, by betting: they use nothing but the range of a sample, [0, "
        "ΛD²/2], "
        "which is why they reach so far up."
    ),
    alt="Measured suboptimality falls with the horizon, one to two powers of ten below a dashed bound of the same slope",
    size="page",
)
def draw(results: Results, fig: Figure) -> Table:
    problems = results.groups("problem")
    grid = fig.subplots(1, len(problems), squeeze=False)[0]
    rows: list[tuple] = []
    for axes, ((problem,), runs) in zip(grid, problems, strict=True):
        rows += [(problem, *row) for row in _panel(axes, runs)]
        axes.set(title=TITLES.get(problem, problem), xlabel="horizon $T$", xscale="log", yscale="log")
        horizons = sorted({run.params["horizon"] for run in runs})
        axes.set_xticks(horizons, [str(T) for T in horizons])
        axes.set_xticks([], minor=True)
    grid[0].set_ylabel("mean of $f(x_t) - f_*$")
    grid[0].plot([], [], color="#777777", label="bound", **BOUND)
    handles, names = grid[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=5)
    return Table.of_rows(
        ("problem", "structure", "horizon", "mean", "lower", "upper", "bound", "bound_published_form"), rows
    )


def _panel(axes: Axes, results: Results) -> list[tuple]:
    rows: list[tuple] = []
    groups = results.groups("structure")
    for place, ((name,), runs) in enumerate(groups):
        horizon = np.array([run.params["horizon"] for run in runs])
        mean, low, high, sharp, loose = (
            np.array(runs.column(key)) for key in ("mean", "lower", "upper", "bound_sharp", "bound")
        )
        style = look(name)
        beside = horizon * 1.07 ** (place - (len(groups) - 1) / 2)  # bars of different structures stand apart
        axes.errorbar(
            beside, mean, yerr=[mean - low, high - mean], color=style.color, marker=style.marker, markersize=3.5,
            elinewidth=0.5, label=label(name),
        )  # fmt: skip
        axes.plot(horizon, sharp, color=style.color, **BOUND)
        rows += [(name, *row) for row in zip(horizon.tolist(), mean, low, high, sharp, loose, strict=True)]
    return rows
