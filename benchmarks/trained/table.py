"""The measurements of training as Markdown tables: quality, time and memory of every method on every task."""

from __future__ import annotations

from typing import Any

from experiments.suite.optimizer_files import summary, target_of

__all__ = ["markdown"]


def markdown(data: dict[str, Any]) -> str:
    """A table for every task."""
    return "\n\n".join(
        section(name, entry)
        for name, entry in data["tasks"].items()
        if any(m["runs"] for m in entry["methods"].values())
    )


def section(name: str, entry: dict[str, Any]) -> str:
    """Heading, table and who did not take part."""
    settings, target = entry["settings"], target_of(entry)
    learn, choose, report = settings["samples"]
    lines = [
        f"{name}: {settings['parameters']} parameters, {settings['steps']} steps of {settings['batch']}, "
        f"{learn} samples to learn from, {choose} to choose by, {report} to report on; "
        + ("no target" if target is None else f"target {target:.3f} (AdamW's last loss on the choosing part)"),
        "",
        "| method | lr | report loss | low | high | accuracy | CPU ms per step | CPU s to the target | bytes per parameter |",
        "|---" * 9 + "|",
    ]
    for row in summary(entry):
        lr = f"{row['lr']:.2g}" + (" (edge)" if row["at_edge"] else "")
        values = [shown(row[key], ".3f") for key in ("loss", "low", "high", "accuracy")]
        values += [shown(row[key], ".2f") for key in ("ms", "seconds_to")]
        lines.append(f"| {row['method']} | {lr} | {' | '.join(values)} | {row['bytes']:.1f} |")
    skipped = [f"- {method}: {reason}" for method, reason in entry.get("skipped", {}).items()]
    return "\n".join(lines + ([""] + skipped if skipped else []))


def shown(value: float | None, form: str) -> str:
    """A number, a dash where there is none."""
    return "-" if value is None else format(value, form)
