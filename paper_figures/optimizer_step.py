"""What a step of each optimizer costs: ours and the peers', over AdamW's, for every list of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paper_figures._optimizers import short
from paper_figures.base import figure
from paper_figures.style import PALETTE
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.results import Results
    from experiments.store import StoredRun

SHOWN = (
    "SGD fused", "AdamW fused", "AGD", "AGD compiled", "AGD compiled, no guard", "OneSidedShampoo, every 10",
    "Shampoo, every 10", "Shampoo sandwich, every 10", "Shampoo each axis, every 10", "Jorge, every 10",
    "Jorge sandwich, every 10", "Muon, torch", "Muon, pytorch_optimizer",
    "SOAP, pytorch_optimizer, every 10", "Shampoo, pytorch_optimizer, every 10",
    "ScalableShampoo, pytorch_optimizer, every 10", "Distributed Shampoo, every 10",
)  # fmt: skip


def _caption(results: Results) -> str:
    where = results[0].summary["machine"]
    return (
        r"Seconds of `optimizer.step()` over those of AdamW (foreach) on the same parameters, medians of turns; "
        r"“every 10”: roots are renewed every tenth step, amortised. Filled: ours. A vertical tick is the floor of a "
        r"method of ours: its products and "
        f"decompositions alone. Measured on {where.get('gpu', where['processor'])}, {where['threads_used']} thread(s)."
    )


@figure(
    "optimizer_step",
    needs=("optimizer_step",),
    title="What a step of each optimizer costs",
    caption=_caption,
    interval="Bars reach from the smallest to the largest ratio of the turns.",
    alt="For each list of parameters a row per optimizer; ours with matrix roots are left of the peers",
    size=(6.75, 3.6),
)
def draw(results: Results, fig: Figure) -> Table:
    run = results[0]
    lists = list(dict.fromkeys(run.arrays["list"].tolist()))
    names = [name for name in SHOWN if name in set(run.arrays["name"].tolist())]
    panels = np.atleast_1d(fig.subplots(1, len(lists), sharey=True))
    for axes, each in zip(panels, lists, strict=True):
        _panel(axes, run, each, names)
        axes.set_title(each.replace(" 784-256-256-10", ""))
    panels[0].set_yticks(
        range(len(names)), [name.replace(", pytorch_optimizer", " (p.o.)").replace(", every 10", "") for name in names]
    )
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    fig.supxlabel("step / step of AdamW (foreach)", fontsize=9)
    columns = ("name", "list", "group", "ratio", "ratio_low", "ratio_high", "to_floor", "state_bytes")
    rows = zip(*(run.arrays[name].tolist() for name in columns), strict=True)
    return Table.of_rows(columns, [tuple(short(v) if isinstance(v, float) else v for v in row) for row in rows])


def _panel(axes: Axes, run: StoredRun, each: str, names: list[str]) -> None:
    arrays = run.arrays
    axes.axvline(1.0, color=PALETTE["black"], linewidth=0.8)
    for row, name in enumerate(names):
        axes.axhline(row, color=PALETTE["grey"], linewidth=0.3, alpha=0.4, zorder=0)
        cells = np.flatnonzero((arrays["name"] == name) & (arrays["list"] == each))
        if not cells.size:
            continue
        cell, ours = cells[0], bool(arrays["ours"][cells[0]])
        color = PALETTE["blue"] if ours else PALETTE["orange"]
        ratio = arrays["ratio"][cell]
        axes.plot([arrays["ratio_low"][cell], arrays["ratio_high"][cell]], [row, row], color=color, linewidth=1.2)
        axes.plot(ratio, row, marker="o", markersize=4, color=color, markerfacecolor=color if ours else "white")
        if np.isfinite(arrays["to_floor"][cell]):
            axes.plot(ratio / arrays["to_floor"][cell], row, marker="|", markersize=7, color=PALETTE["vermilion"])
    axes.set_xscale("log")
    axes.set_xlim(0.1, 120.0)
    axes.set_xticks([0.1, 1.0, 10.0, 100.0], ["0.1", "1", "10", "100"])
    axes.minorticks_off()
