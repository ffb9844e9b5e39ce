"""The measurements of the two claims as Markdown: cosines and β₂ by rule, losses and cosines by way to share."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np

__all__ = ["markdown"]


def markdown(data: dict[str, Any]) -> str:
    """Two tables."""
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {"roots": [], "sharing": []}
    for name, entry in data["tasks"].items():
        kind, _, rest = name.partition(", ")
        groups[kind].append((rest, entry["methods"]))
    return "\n\n".join([roots(groups["roots"]), sharing(groups["sharing"])])


def roots(found: list[tuple[str, dict[str, Any]]]) -> str:
    """Medians over the second half of the run; the lowest cosine of it in brackets."""
    rules = list(dict.fromkeys(rule for _, rows in found for rule in rows))
    lines = ["| cosine to the exact step, β₂ | " + " | ".join(rules) + " |", "|---" * (len(rules) + 1) + "|"]
    for name, rows in found:
        size, steps = next((f"{row['size']}×{row['size']}", row["steps"]) for row in rows.values())
        cells = [root_cell(rows.get(rule)) for rule in rules]
        lines.append(f"| {name} ({size}, {steps} steps) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def root_cell(row: dict[str, Any] | None) -> str:
    """Median, least, β₂."""
    if row is None:
        return "-"
    cosine, least, beta2 = (row[key] for key in ("median_cosine_late", "least_cosine_late", "median_beta2_late"))
    return f"{cosine:.3f} ({least:.3f}), {beta2:.4f}"


def sharing(found: list[tuple[str, dict[str, Any]]]) -> str:
    """Losses with their range; for fresh coefficients the variance over positions and cosines, medians over seeds and layers."""
    lines = [
        "| task | coefficients | lr | training loss | accuracy | positions / chance | cos(table, fresh) | cos(SGD, fresh) |",
        "|---" * 8 + "|",
    ]
    for name, rows in found:
        lines += [f"| {name} | {key} | {sharing_cells(row)} |" for key, row in rows.items()]
    return "\n".join(lines)


def sharing_cells(row: dict[str, Any]) -> str:
    """The cells of one way to share."""
    losses = [value for value in row["train_loss"] if value is not None]
    spread = f"{median(losses):.3f} ({min(losses):.3f} to {max(losses):.3f})" if losses else "diverged"
    right = f"{np.mean(row['accuracy']):.3f}"
    extra = ["", "", ""]
    if "cosine" in row:
        cosine, ratio = np.array(row["cosine"]), np.array(row["position_ratio"])  # (seeds, layers, 2), (seeds, layers)
        extra = [f"{np.median(ratio):.2f}", *(f"{value:.3f}" for value in np.median(cosine, axis=(0, 1)))]
    lr = f"{row['lr']:.2g}" + (" (edge)" if row["at_edge"] else "")
    return " | ".join([lr, spread, right, *extra])
