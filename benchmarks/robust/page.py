r"""The outcomes of the probes as Markdown: the matrix with a row for each probe, and the page that explains it.

Source: derived here.
"""

from __future__ import annotations

from typing import Any

from benchmarks.robust.makers import OURS
from benchmarks.robust.probes import PROBES

__all__ = ["SYMBOLS", "columns", "markdown", "page", "reasons", "table"]

SYMBOLS = {"works": "✓", "refuses": "–", "fails": "✗"}

INTRODUCTION = """\
# What optimizers do where training goes wrong

<!-- Written by `python -m benchmarks.robustness --show benchmarks/results/robustness.json --page`. -->

Probes train a tiny model in one unusual situation each, every optimizer with its defaults. ✓ it works. – it refuses with an error
that says why, parameters and state bitwise unchanged. ✗ anything else. What an optimizer draws at random in a step depends on the
step alone, so that one that draws is not blamed for two draws."""


def columns(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Outcomes by column and probe; ours that do not differ anywhere share a column."""
    kinds = {name: {each: kind for each, (kind, _) in row.items()} for name, row in found["outcomes"].items()}
    ours = [name for name in kinds if name in OURS]
    if len(ours) > 1 and all(kinds[name] == kinds[ours[0]] for name in ours):
        return {f"all {len(ours)} here": kinds[ours[0]]} | {
            name: row for name, row in kinds.items() if name not in ours
        }
    return kinds


def table(found: dict[str, Any], differing: bool = False) -> str:
    """The matrix, with the number of failures in its last row; or only the probes in which something here or there fails."""
    shown = columns(found)
    probes = [
        each
        for each in next(iter(shown.values()))
        if not differing or any(row[each] == "fails" for row in shown.values())
    ]
    rows = [["probe", *shown], ["---", *[":-:"] * len(shown)]]
    rows += [[each, *(SYMBOLS[row[each]] for row in shown.values())] for each in probes]
    rows.append(["**fails**", *(f"**{list(row.values()).count('fails')}**" for row in shown.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def reasons(found: dict[str, Any]) -> str:
    """Why each failure is one, and what is absent."""
    failed = [
        f"* {name}, {each}: {reason}"
        for name, row in found["outcomes"].items()
        for each, (kind, reason) in row.items()
        if kind == "fails"
    ]
    return "\n".join(failed + [f"* {name}: not installed ({reason})" for name, reason in found["absent"].items()])


def markdown(found: dict[str, Any]) -> str:
    """The matrix and the reasons."""
    return f"{table(found)}\n\n{reasons(found)}"


def page(found: dict[str, Any]) -> str:
    """docs/robustness.md."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    ours = [name for name in found["outcomes"] if name in OURS]
    probes = "\n".join(f"* **{name}**: {(probe.__doc__ or '').strip()}" for name, probe in PROBES.items())
    parts = [
        INTRODUCTION,
        f"Measured with {versions}. Here: {'; '.join(ours)}.",
        table(found),
        "`torch.optim.Muon` takes matrices only, so it refuses every model with biases; only two probes have none.",
        "## The probes",
        probes,
        "## Why a failure is one",
        reasons(found),
    ]
    return "\n\n".join(parts)
