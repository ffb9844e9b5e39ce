r"""What the verb `compare` says: the prediction in words, the measured table, and the file.

.. math:: (\text{table}, \text{choice}, \text{runs}) \mapsto \text{text},\ \text{CSV},\ \text{JSON}

Source: derived here.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.table import table as plain_table

if TYPE_CHECKING:
    from convex.smoothness import Choice, Comparison
    from experiments.structure_runs import StructureRun

__all__ = ["disagreement", "measured_table", "prediction", "title", "written"]

MEASURED = ("rate", "last_mean", "last_lowest", "last_highest", "average_mean", "seconds_per_step", "end_of_grid")


def title(structure: Any) -> str:
    """Its name in the table."""
    from convex.smoothness.candidates import title as name

    return name(structure)


def prediction(table: Comparison) -> str:
    """What the bounds say, in one sentence."""
    first, *others = table.rows
    if first.bound == inf:
        return (
            "predicted: nothing. No structure has a finite bound, because the noise has none on the whole space for this "
            "loss; "
            "--radius R keeps the iterates in a ball and gives one."
        )
    if table.best is None:
        return "predicted: nothing. The start is the minimiser."
    text = f"predicted: {title(first.structure)}, the smallest bound ({first.bound:.4g})"
    if others and first.bound > 0:
        text += f"; {title(others[0].structure)} is next, at {others[0].bound / first.bound:.3g} times of it"
    return text + "."


def disagreement(table: Comparison, choice: Choice, measured: bool) -> str:
    """Why two answers differ, and what decides."""
    names = f"{title(table.best)} has the smallest bound, and {title(choice.structure)} was chosen"
    why = (
        "one that nearly holds the curvature is chosen before smaller promises, and distances are measured differently"
    )
    return f"the two differ: {names} ({why})." + ("" if measured else " --run STEPS measures both.")


def measured_table(steps: int, seeds: int, table: Comparison, choice: Choice, runs: Sequence[StructureRun]) -> str:
    """Losses of every structure at its best step size, and whether prediction and choice came out right."""
    ranked = sorted(runs, key=lambda run: float(np.mean(run.final())))
    lines = [_measured_line(run) for run in ranked]
    head = ("structure", "f(x_T) - min", "of the seeds", "f(mean x) - min", "best rate", "µs/step")
    order = [title(run.structure) for run in ranked]
    names = {"chosen": title(choice.structure)}
    if table.best is not None:
        names = {"predicted": title(table.best), **names}
    parts = [f"{what} {name}: number {order.index(name) + 1} of {len(order)}" for what, name in names.items()]
    said = f"measured: {order[0]} ends lowest ({'; '.join(parts)})."
    note = (
        "* best rate at an end of the grid: another grid may do better" if any("*" in line[4] for line in lines) else ""
    )
    title_line = f"measured, {steps} steps, mean of {seeds} seeds, each structure at the best rate of the same grid:"
    return "\n".join(text for text in (title_line, plain_table(head, lines), note, said) if text)


def _measured_line(run: StructureRun) -> tuple[str, ...]:
    final, average = run.final(), run.final("average")
    star = "*" if run.at_the_end_of_the_grid() else ""
    return (
        title(run.structure),
        f"{np.mean(final):.4g}",
        f"{np.min(final):.4g} to {np.max(final):.4g}",
        f"{np.mean(average):.4g}",
        f"{run.rates[run.best()]:.3g}{star}",
        f"{1e6 * run.seconds:.3g}",
    )


def written(
    options: argparse.Namespace,
    data: Any,
    problem: Any,
    table: Comparison,
    choice: Choice,
    runs: Sequence[StructureRun],
) -> str:
    """The file, by the end of its name."""
    rows = _rows(table, runs)
    if options.output.suffix.lower() == ".csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()
    asked = {
        name: getattr(options, name)
        for name in ("loss", "alpha", "minibatch", "horizon", "radius", "memory_limit", "seed")
    }
    return json.dumps(
        {
            "file": options.file.name,
            "shape": list(data.X.shape),
            "parameter": list(problem.shape),
            **asked,
            "epsilon": options.epsilon if options.loss == "huber" else None,
            "minimum": [problem.minimum.lower, problem.minimum.upper],
            "predicted": None if table.best is None else title(table.best),
            "chosen": title(choice.structure),
            "chosen_by_screen": choice.screened,
            "chosen_warning": choice.warning,
            "notes": list(table.notes),
            "run": {"steps": options.run, "seeds": options.seeds} if runs else None,
            "structures": [{k: _finite(v) for k, v in row.items()} for row in rows],
        },
        indent=1,
    )  # fmt: skip


def _rows(table: Comparison, runs: Sequence[StructureRun]) -> list[dict[str, Any]]:
    """The comparison's own columns, and those of the runs beside them."""
    numbers = csv.DictReader(io.StringIO(table.to_csv()))
    rows: list[dict[str, Any]] = [{name: _number(text) for name, text in row.items()} for row in numbers]
    for row, run in zip(rows, runs, strict=False):
        final, average = run.final(), run.final("average")
        values = (
            *(run.rates[run.best()], np.mean(final), np.min(final), np.max(final)),
            *(np.mean(average), run.seconds, run.at_the_end_of_the_grid()),
        )
        row.update(zip(MEASURED, (v if isinstance(v, bool) else float(v) for v in values), strict=True))
    return rows


def _number(text: str) -> Any:
    """Numbers as numbers, words as they are."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _finite(value: Any) -> Any:
    """JSON has no infinity: null says that there is no bound."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
