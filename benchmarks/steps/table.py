"""The measurements of steps as Markdown tables: ratios to AdamW, ratios to the floor, memory, and what was left out."""

from __future__ import annotations

from typing import Any

__all__ = ["markdown", "short"]

# Of ours, those whose peers are named beside them.
COMPARED = ("AGD", "AGD compiled", "OneSidedShampoo", "Shampoo", "Shampoo sandwich", "Shampoo each axis")


def markdown(results: dict[str, Any]) -> str:
    """All tables of a measurement."""
    cells = results["cells"]
    where = results["machine"]
    processor, version = where.get("gpu", where["processor"]), where["versions"]["torch"]
    parts = [
        f"Measured on {processor}, {where['threads_used']} thread(s), torch {version}.",
        "Step / AdamW (foreach), median of paired repeats:\n\n" + grid(cells, "ratio"),
        "Step / floor (products and decompositions alone); in brackets beside floor and elementwise passes:\n\n"
        + grid([cell for cell in cells if "to_floor" in cell], "to_floor", "to_floor_and_passes"),
        "A peer's step / ours, roots renewed equally often:\n\n" + against_peers(cells),
        "State / formula:\n\n" + grid([cell for cell in cells if cell["state_to_formula"]], "state_to_formula"),
        left_out(results["skipped"]),
    ]
    return "\n\n".join(part for part in parts if part)


def grid(cells: list[dict[str, Any]], key: str, second: str | None = None) -> str:
    """One row for each contestant, one column for each list."""
    lists, names = unique(cell["list"] for cell in cells), unique(cell["name"] for cell in cells)
    found = {(cell["name"], cell["list"]): cell for cell in cells}
    rows = ["| optimizer | " + " | ".join(lists) + " |", "|---" * (len(lists) + 1) + "|"]
    for name in names:
        values = [entry(found.get((name, each)), key, second) for each in lists]
        rows.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(rows)


def against_peers(cells: list[dict[str, Any]]) -> str:
    """Each peer's time over each of ours that is compared with it, turn by turn."""
    lists = unique(cell["list"] for cell in cells)
    rows = ["| peer / ours | " + " | ".join(lists) + " |", "|---" * (len(lists) + 1) + "|"]
    own = [cell for cell in cells if cell.get("against") and cell["name"].split(",")[0] in COMPARED]
    for name, peer in unique((cell["name"], peer) for cell in own for peer in cell["against"] if "SGD" not in peer):
        found = {cell["list"]: cell["against"].get(peer) for cell in own if cell["name"] == name}
        values = [short(found[each][0]) if found.get(each) else "-" for each in lists]
        rows.append(f"| {peer} / {name.split(', every')[0]} | " + " | ".join(values) + " |")
    return "\n".join(rows) if len(rows) > 2 else ""


def entry(cell: dict[str, Any] | None, key: str, second: str | None) -> str:
    """A number with two or three digits; a dash where there is none."""
    if cell is None or cell.get(key) is None:
        return "-"
    text = short(cell[key])
    return f"{text} ({short(cell[second])})" if second and cell.get(second) else text


def short(value: float) -> str:
    """Three significant digits, none of them an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def left_out(skipped: list[dict[str, str]]) -> str:
    """Who did not take part, and why."""
    reasons = {(each["name"], each["reason"]): [] for each in skipped}
    for each in skipped:
        reasons[each["name"], each["reason"]].append(each["list"])
    return "\n".join(f"- {name}: {reason} ({', '.join(lists)})" for (name, reason), lists in reasons.items())


def unique(values: Any) -> list[Any]:
    """Each once, in the order of the first."""
    return list(dict.fromkeys(values))
