"""How much is lost by choosing the structure automatically, by its bound, or by always taking the diagonal, on ten problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paper_figures.base import Table, figure
from paper_figures.style import PALETTE, label, log_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun

RULES = {
    "chosen": ("choose_structure", PALETTE["vermilion"], "D"),
    "promised": ("smallest bound", PALETTE["blue"], "o"),
    "diagonal": ("diagonal always", PALETTE["orange"], "s"),
}
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
    """By the mean of the last iterates over the seeds."""
    names, means = [str(name) for name in run.arrays["structures"]], np.mean(run.arrays["final"], axis=1)
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
    found = [outcome(run) for run in results]
    counts = "; ".join(f"{RULES[rule][0]}: {tally(found, rule)}" for rule in RULES)
    return (
        r"Eight quadratics of 12 parameters, named for the structure that holds their Hessian, and two data sets. The final "
        r"$f(x_T)-f_*$ of the structure that each rule takes, over that of the structure that wins (1 is a win), every "
        r"structure "
        f"at its best step size. A loss factor up to {WINS:g} counts as a win. {counts}."
    ).replace("choose_structure", "`choose_structure`")


@figure(
    "structure_choice",
    needs=("structure_choice",),
    title="Automatic choice of the structure, on ten problems",
    caption=caption,
    interval="Points are means over seeds, one for each draw of the problem.",
    alt="For each of ten problems, how far three rules for the choice of a structure fall behind the winner",
    size=(6.75, 3.6),
)
def draw(results: Results, fig: Figure) -> Table:
    axes = fig.subplots()
    found = [outcome(run) for run in results]
    problems = results.values("problem")
    for shift, (rule, (name, color, marker)) in zip((-0.22, 0.0, 0.22), RULES.items(), strict=True):
        x = [each.loss[rule] for each in found]
        y = [problems.index(each.problem) + shift for each in found]
        axes.plot(x, y, color=color, marker=marker, linestyle="none", markersize=4.5, label=name, alpha=0.85)
    axes.axvspan(axes.get_xlim()[0], WINS, color="#EEEEEE", zorder=0)
    axes.set(xscale="log", xlabel="final suboptimality over the winner's", ylim=(len(problems) - 0.5, -0.5))
    axes.set_xlim(left=0.93)
    winners = {p: sorted({label(each.winner) for each in found if each.problem == p}) for p in problems}
    axes.set_yticks(range(len(problems)), [f"{p}  (won by {', '.join(winners[p])})" for p in problems])
    log_axis(axes.xaxis)
    handles, names = axes.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=3)
    rows = [
        (
            each.problem,
            each.draw,
            each.winner,
            *(value for rule in RULES for value in (each.taken[rule], each.loss[rule])),
        )
        for each in found
    ]
    columns = [text for rule in RULES for text in (rule, f"{rule}_loss")]
    return Table.of_rows(("problem", "draw", "winner", *columns), rows)
