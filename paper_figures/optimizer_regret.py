"""Torch optimizers in the games of the theorems: regret over the bound of adaptive regularization, at every horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures._optimizers import LOOKS, short
from paper_figures.base import figure
from paper_figures.style import BOUND, PALETTE, Look
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun

DASHED, DOTTED = (0, (4, 1.5)), (0, (1, 1.2))
STYLES = LOOKS | {
    "Adagrad": Look(PALETTE["sky"], "v"),
    "AdaGradNorm": Look(PALETTE["sky"], "^", DASHED),
    "Adam, fast": Look(PALETTE["black"], "o", DOTTED),
    "AMSGrad, fast": Look(PALETTE["black"], "o", DASHED),
    "AGD, fast": Look(PALETTE["orange"], "s", DOTTED),
    "AGD, fast, AMSGrad": Look(PALETTE["orange"], "s", DASHED),
    "Muon": Look(PALETTE["purple"], "P"),
}
TITLES = {
    "cyclic": "Cyclic game, 1 parameter",
    "breast_cancer": "Breast cancer, 31 parameters",
    "digits": "Digits, 10×64 parameters",
}


def _caption(results: Results) -> str:
    edges = [f"{run.params['method']} ({run.params['game']})" for run in results if run.summary["at_edge"]]
    said = f" At the edge of its grid: {', '.join(edges)}." if edges else ""
    return (
        r"Regret of the linearised losses over $\sqrt2\,D_{\mathcal H}\,|||g_{1:t}|||_{\mathcal H}$, the bound of adaptive "
        r"regularization on the same gradients with the structure whose bound is least, for the learning rate with the "
        r"least regret at the end. “Fast”: $\beta_1 = 0$, $\beta_2 = 0.1$, a memory of one cycle. The bound "
        r"is a yardstick: it covers AdaGrad and AdaGrad-Norm alone." + said
    )


@figure(
    "optimizer_regret",
    needs=("optimizer_regret",),
    title="Torch optimizers in the games of the theorems",
    caption=_caption,
    interval="Lines are medians over seeds.",
    alt="Regret over the bound against the horizon: all below one but Adam and AGD with a short memory",
    size=(6.75, 3.3),
)
def draw(results: Results, fig: Figure) -> Table:
    games = results.groups("game")
    panels = np.atleast_1d(fig.subplots(1, len(games), sharey=True))
    rows: list[tuple] = []
    for axes, ((game,), runs) in zip(panels, games, strict=True):
        axes.axhline(1.0, color=PALETTE["black"], **BOUND)
        for run in sorted(runs, key=lambda run: list(STYLES).index(run.params["method"])):
            rows += _line(axes, game, run)
        axes.set_title(TITLES.get(game, game))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(3e-3, 6.0)
        axes.set_xlabel("horizon $t$")
    panels[0].set_ylabel("regret / bound")
    entries = {text: line for axes in panels for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    fig.legend(entries.values(), entries, loc="outside lower center", ncols=4)
    return Table.of_rows(("game", "method", "lr", "horizon", "regret", "bound", "ratio"), rows)


def _line(axes: Axes, game: str, run: StoredRun) -> list[tuple]:
    method, horizons = run.params["method"], run.arrays["horizons"]
    regret, bound = run.arrays["regret"], run.arrays["bound"]  # (L, seeds)
    ratio = np.median(regret / bound, axis=1)
    shown = np.where(ratio > 0.0, ratio, np.nan)
    axes.plot(horizons, shown, label=method, **STYLES[method].line())
    values = zip(horizons, np.median(regret, axis=1), np.median(bound, axis=1), ratio, strict=True)
    return [(game, method, short(run.summary["lr"]), int(t), short(r), short(b), short(q)) for t, r, b, q in values]
