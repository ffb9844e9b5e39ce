"""How much is lost by choosing the structure automatically, by its bound, or by always taking the diagonal, on ten problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import Table, figure
from paper_figures.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun

RULES = {
    "chosen": ("choose_structure", PALETTE["vermilion"], "D"),
    "promised": ("smallest bound", PALETTE["blue"], "o"),
    "diagonal": ("diagonal always", PALETTE["orange"], "s"),
}
SOLVED = 1e-10  # of the first suboptimality: beyond it digits are not compared
WINS = 1.05  # a mean this close to the winner's is a win: seeds cannot tell them apart


@dataclass(frozen=True)
class Outcome:
    """One run: the winner, and what each rule took and lost."""

    problem: str
    draw: int
    winner: str
    taken: dict[str, str]
    loss: dict[str, float]  # mean final value over the winner's


def outcome(run: StoredRun) -> Outcome:
    """By the mean of the last iterates over the seeds; what is below SOLVED of the start is a draw."""
    names, means = [str(name) for name in run.arrays["structures"]], np.mean(run.arrays["final"], axis=1)
    means = np.maximum(means, SOLVED * float(run.arrays["start"]))
    taken = {"chosen": run.summary["chosen"], "promised": run.summary["promised"], "diagonal": "Diagonal"}
    loss = {rule: float(means[names.index(name)] / means.min()) for rule, name in taken.items()}
    return Outcome(run.params["problem"], run.params["draw"], names[int(np.argmin(means))], taken, loss)


def tally(found: list[Outcome], rule: str) -> str:
    """In words: how often it wins, its typical and its worst loss."""
    losses = np.array([each.loss[rule] for each in found])
    wins = int(np.sum(losses <= WINS))
    return f"{wins} of {len(found)} wins, median loss factor {np.median(losses):.3g}, worst {losses.max():.3g}"


def caption(results: Results) -> str:
    """What is drawn, and what came out: the words follow the numbers."""
    words = []
    for runs, name in _parts(results):
        found = [outcome(run) for run in runs]
        words.append(f"{name}: " + "; ".join(f"{RULES[rule][0]} {tally(found, rule)}" for rule in RULES))
    return (
        "Eight quadratics of 12 parameters, named for the structure that holds their Hessian, and two data sets. The final "
        "suboptimality of the structure that each rule takes, over that of the structure that wins (1 is a win), every structure "
        f"at its best step size. A factor up to {WINS:g} counts as a win. {'. '.join(words)}."
    ).replace("choose_structure", "`choose_structure`")


@figure(
    "structure_choice",
    needs=("structure_choice",),
    title="Automatic choice of the structure, on ten problems",
    caption=caption,
    interval="Points are means over seeds, one for each draw of the problem.",
    alt="For each of ten problems, how far three rules for the choice of a structure fall behind the winner",
    size=(6.75, 4.6),
)
def draw(results: Results, fig: Figure) -> Table:
    parts, problems = _parts(results), results.values("problem")
    grid = np.atleast_1d(fig.subplots(1, len(parts), sharey=True))
    rows: list[tuple] = []
    for axes, (runs, name) in zip(grid, parts, strict=True):
        found = [outcome(run) for run in runs]
        _panel(axes, found, problems)
        axes.set(title=name, xlabel="final suboptimality over the winner's")
        rows += [
            (
                name,
                each.problem,
                each.draw,
                each.winner,
                *(v for rule in RULES for v in (each.taken[rule], each.loss[rule])),
            )
            for each in found
        ]
    grid[0].set_yticks(range(len(problems)), problems)
    grid[0].set_ylim(len(problems) - 0.5, -0.5)
    handles, names = grid[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=3)
    columns = [text for rule in RULES for text in (rule, f"{rule}_loss")]
    return Table.of_rows(("gradients", "problem", "draw", "winner", *columns), rows)


def _parts(results: Results) -> list[tuple[Results, str]]:
    """Runs with noise and without."""
    both = (
        (results.where(lambda run: run.params["noise"] > 0), "stochastic gradients"),
        (results.where(noise=0.0), "exact gradients"),
    )
    return [(runs, name) for runs, name in both if len(runs)]


def _panel(axes: Axes, found: list[Outcome], problems: list[str]) -> None:
    for shift, (rule, (name, color, marker)) in zip((-0.22, 0.0, 0.22), RULES.items(), strict=True):
        x = [each.loss[rule] for each in found]
        y = [problems.index(each.problem) + shift for each in found]
        axes.plot(x, y, color=color, marker=marker, linestyle="none", markersize=4.5, label=name, alpha=0.85)
    high = max(max(each.loss.values()) for each in found)
    axes.set(xscale="log", xlim=(high**-0.06, high**1.06 + 0.01))
    axes.axvspan(axes.get_xlim()[0], WINS, color="#EEEEEE", zorder=0)
    if high < 8.0:
        ticks = [tick for tick in (1.0, 1.2, 1.5, 2.0, 3.0, 5.0) if tick <= high * 1.05]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
