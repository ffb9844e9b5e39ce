"""Loss against steps on the matrix quadratic, in the eigenbasis and in a rotated one; the bound beside the average iterate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from experiments.results import Results
from experiments.suite.matrix_quadratic import METHODS, best_rate
from paper_figures.base import Table, figure
from paper_figures.style import BOUND, PALETTE, Look, label, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "draw", "gather"]

FLOOR, CEILING = 1e-10, 1e3  # of the frames: below lies rounding, above lie bounds that say nothing
BASES = {False: "eigenbasis", True: "rotated basis"}
COLUMNS = (
    "basis", "method", "step", "rate", "loss", "loss_low", "loss_high",
    "rate_average", "average_loss", "average_low", "average_high", "bound",
)  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """One quantity of one method at its best rate, for each draw of X*."""

    rate: float
    values: np.ndarray  # (draws, T)
    bound: np.ndarray  # (draws, T) on the average iterate's loss, at the same rate

    @property
    def band(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # (T,) each
        """Median, smallest and largest over the draws."""
        return np.median(self.values, axis=0), self.values.min(axis=0), self.values.max(axis=0)


def gather(results: Results, method: str, rotated: bool, quantity: str) -> Curve | None:
    """The curve of `quantity` ("loss" or "average_loss") at the rate whose median over the draws ends lowest."""
    draws = [_one_draw(runs, quantity) for _, runs in results.where(method=method, rotated=rotated).groups("seed")]
    if not draws:
        return None
    rates = draws[0][0]
    values, bounds = (np.stack([draw[i] for draw in draws]) for i in (1, 2))  # (draws, T, rates)
    best = best_rate(values[:, -1])
    return Curve(float(rates[best]), values[..., best], bounds[..., best])


def _one_draw(runs: Results, quantity: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates, values (T, rates) and bounds of one draw, from one run or from one run for each rate."""
    rates = np.concatenate([run.arrays["rates"] for run in runs])
    order = np.argsort(rates)
    parts = (np.concatenate([run.arrays[name] for run in runs], axis=1)[:, order] for name in (quantity, "bound"))
    values, bounds = parts
    return rates[order], values, bounds


def _look(method: str) -> Look:
    """The look of a method; exact full-matrix AdaGrad is the full matrix, dotted."""
    return replace(look("Full"), linestyle=":") if method == "FullReduced" else look(method)


def _label(method: str) -> str:
    return "full matrix, exact arithmetic" if method == "FullReduced" else label(method)


def _plot(ax: Axes, method: str, curve: Curve, with_bound: bool) -> None:
    """Median and range over the draws; the bound dashed in the same colour."""
    median, low, high = (np.maximum(values, FLOOR / 100) for values in curve.band)
    steps = np.arange(len(median))
    ax.plot(steps, median, label=_label(method), **_look(method).line())
    if len(curve.values) > 1:
        ax.fill_between(steps, low, high, color=_look(method).color, alpha=0.15, linewidth=0)
    if with_bound and method != "FullReduced":  # one bound for each colour; the other one is in the table
        ax.plot(steps, np.median(curve.bound, axis=0), color=_look(method).color, **BOUND)


def _rows(results: Results) -> Iterator[tuple]:
    """Every drawn number, one row for each basis, method and step."""
    for rotated, basis in BASES.items():
        for method in METHODS:
            last, average = (gather(results, method, rotated, q) for q in ("loss", "average_loss"))
            if last is None or average is None:
                continue
            columns = (*last.band, *average.band, np.median(average.bound, axis=0))
            for step, (a, b, c, d, e, f, bound) in enumerate(zip(*columns, strict=True)):
                yield basis, method, step, last.rate, a, b, c, average.rate, d, e, f, bound


@figure(
    "matrix_quadratic",
    needs=("matrix_quadratic",),
    title="More structure wins on a matrix quadratic",
    caption=(
        r"Loss of $f(X)=\langle H_s,(X-X^*)(X-X^*)^\top\rangle$ against steps, $X_0=0$, $\varepsilon=0$; the right column is the "
        "same problem in randomly rotated coordinates. Top: last iterate; bottom: running average of the iterates, dashed its "
        "regret bound divided by the number of steps, at the same learning rate. Each method is shown at the learning rate of "
        r"the declared grid (unit $\cdot\,10^{k/2}$, $k=-4,\dots,4$) whose final loss, of the iterate or of the average, has the "
        "smallest median over the draws of $X^*$. Full-matrix AdaGrad is shown as it runs in double precision and, dotted, as "
        "it runs in exact arithmetic (through the exact spectral reduction): rounding throws the direct run off its path. "
        r"Frames end at $10^{-10}$ and $10^{3}$. Curves of methods without preferred coordinates agree in both columns."
    ),
    interval="Lines are medians over the draws of X*, bands reach from the smallest to the largest.",
    alt="Four panels of loss against steps on logarithmic axes for eight optimizers, in two coordinate systems.",
    size=(6.75, 5.6),
)
def draw(results: Results, fig: Figure) -> Table:
    axes = fig.subplots(2, 2, sharex=True, sharey="row")
    for row, (quantity, name) in enumerate((("loss", "loss of the iterate"), ("average_loss", "loss of the average"))):
        for ax, rotated in zip(axes[row], BASES, strict=True):
            for method in METHODS:
                curve = gather(results, method, rotated, quantity)
                if curve is not None:
                    _plot(ax, method, curve, with_bound=row == 1)
            ax.set_yscale("log")
        axes[row, 0].set_ylabel(name)
    for ax, basis in zip(axes[0], BASES.values(), strict=True):
        ax.set_title(basis)
        ax.set_ylim(bottom=FLOOR)
    for ax in axes[1]:
        ax.set_ylim(top=CEILING)
        ax.set_xlabel("steps")
    axes[0, 0].plot([], [], color=PALETTE["grey"], label="bound on the average", **BOUND)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=4)
    return Table.of_rows(COLUMNS, _rows(results))
