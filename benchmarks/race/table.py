r"""The race as tables: the best peer of each cell, every solver over all cells, who did not get there, first calls.

Everything is computed from the JSON alone.

Source: derived here.
"""

from __future__ import annotations

import math
from statistics import median
from typing import Any

__all__ = ["best_peers", "best_ratios", "headline", "markdown", "over_all_cells", "variants_table"]

OURS = "ours"
TIE = 1.1  # ratios between 1/TIE and TIE are ties


def markdown(results: dict[str, Any]) -> str:
    """All tables, under one another."""
    parts = [headline(results), best_peers(results), over_all_cells(results), not_there(results), first_calls(results)]
    return "\n\n".join(part for part in parts if part)


def headline(results: dict[str, Any]) -> str:
    """Ours against the fastest peer of each cell, counted."""
    best = best_ratios(results)
    missed = sum(cell["solver"] == OURS and not cell["reached"] for cell in results["cells"])
    if not best:
        return f"No cell with a pair; not reached by ours: {missed}."
    slower, faster = sum(r > TIE for r in best), sum(r < 1.0 / TIE for r in best)
    counts = f"faster in {slower}, tied (within 10 %) in {len(best) - slower - faster}, slower in {faster}"
    spread = f"median ratio {median(best):.2f}, range {min(best):.2f} to {max(best):.2f}"
    return f"Against the fastest peer of each of {len(best)} cells: {counts}; {spread}; not reached by ours: {missed}."


def best_ratios(results: dict[str, Any]) -> list[float]:
    """The smallest ratio of every problem and target."""
    least: dict[tuple[str, float], float] = {}
    for cell in results["cells"]:
        if cell["ratio"] is not None:
            key = (cell["problem"], cell["target"])
            least[key] = min(least.get(key, cell["ratio"]), cell["ratio"])
    return list(least.values())


def best_peers(results: dict[str, Any]) -> str:
    """For every problem and target: our time, and the fastest peer with its time over ours."""
    targets = results["settings"]["targets"]
    lines = [
        "| data, penalty | " + " | ".join(f"{target:.0e}" for target in targets) + " |",
        "|---|" + "---|" * len(targets),
    ]
    for facts in results["problems"]:
        cells = [_best(results, facts["problem"], target) for target in targets]
        lines.append(f"| {facts['problem']} | " + " | ".join(cells) + " |")
    head = "Our time, then the fastest peer's time over ours (over 1: ours is faster), at relative suboptimality"
    return f"{head}\n\n" + "\n".join(lines)


def _best(results: dict[str, Any], problem: str, target: float) -> str:
    """One cell of the first table."""
    cells = [cell for cell in results["cells"] if cell["problem"] == problem and cell["target"] == target]
    mine = next(cell for cell in cells if cell["solver"] == OURS)
    if not mine["reached"]:
        others = [cell for cell in cells if cell["reached"]]
        best = min(others, key=lambda cell: cell["seconds"], default=None)
        return "not reached" + (f"; {best['solver']} {_seconds(best['seconds'])}" if best else "")
    peers = [cell for cell in cells if cell["ratio"] is not None]
    ours = _seconds(mine["seconds"])
    if not peers:
        return f"{ours}; no peer"
    best = min(peers, key=lambda cell: cell["ratio"])
    text = f"{best['solver']} {best['ratio']:.2f}"
    return f"{ours}; " + (f"**{text}**" if best["ratio"] < 1.0 / TIE else text)


def over_all_cells(results: dict[str, Any]) -> str:
    """Every peer: median ratio, how often it is slower, tied, faster, and how often it does not get there."""
    lines = [
        "| peer | cells | median of peer / ours | range | slower | tie | faster | not reached |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(cell["solver"] for cell in results["cells"] if cell["solver"] != OURS):
        cells = [cell for cell in results["cells"] if cell["solver"] == name]
        ratios = [cell["ratio"] for cell in cells if cell["ratio"] is not None]
        missed = sum(not cell["reached"] for cell in cells)
        slower, faster = sum(r > TIE for r in ratios), sum(r < 1.0 / TIE for r in ratios)
        middle = median([*ratios, *[math.inf] * missed] or [math.nan])  # who is not there has no finite time
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
        counts = f"{slower} | {len(ratios) - slower - faster} | {faster} | {missed}"
        words = "no pair" if math.isnan(middle) else f"{middle:.2f}" if math.isfinite(middle) else "not reached"
        lines.append(f"| {name} | {len(cells)} | {words} | {spread} | {counts} |")
    return "\n".join(lines)


def not_there(results: dict[str, Any]) -> str:
    """Who did not come to the optimum, how near it came, and why it stopped."""
    lines = ["| solver | problem | outcome | nearest (P - P*)/P* | ended by |", "|---|---|---|---|---|"]
    for entry in results["entries"]:
        if entry["status"] != "ok":
            near = "" if entry["best"] is None else f"{entry['best']:.1e}"
            lines.append(f"| {entry['solver']} | {entry['problem']} | {entry['status']} | {near} | {entry['detail']} |")
    for skip in results["skipped"]:
        lines.append(f"| {skip['what']} | all | skipped | | {skip['reason']} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def first_calls(results: dict[str, Any]) -> str:
    """Seconds of the first call on a small problem, where it costs more than half a second beyond the second."""
    lines = ["| first call | format, penalty | first | second |", "|---|---|---|---|"]
    for row in results["warm_up"]:
        if row["first_call"] - row["second_call"] > 0.5:
            times = f"{row['first_call']:.1f} s | {_seconds(row['second_call'])}"
            lines.append(f"| {row['solver']} | {row['format']}, {row['penalty']} | {times} |")
    cached = [
        f"| ours, compiled before | {kind} | {seconds:.1f} s | |" for kind, seconds in results["from_cache"].items()
    ]
    return "\n".join(lines + cached) if len(lines) > 2 else ""


def _seconds(value: float) -> str:
    """Two or three digits with a unit."""
    if value < 1e-3:
        return f"{1e6 * value:.0f} µs"
    return f"{1e3 * value:.3g} ms" if value < 1.0 else f"{value:.3g} s"


def variants_table(results: dict[str, Any]) -> str:
    """The ablation: for each problem and variant passes, and seconds over those of the defaults."""
    names = list(dict.fromkeys(cell["solver"] for cell in results["cells"]))
    lines = ["| data, penalty | " + " | ".join(["defaults", *names[1:]]) + " |", "|---|" + "---|" * len(names)]
    for facts in results["problems"]:
        cells = {cell["solver"]: cell for cell in results["cells"] if cell["problem"] == facts["problem"]}
        lines.append(f"| {facts['problem']} | " + " | ".join(_variant(cells[name]) for name in names) + " |")
    target = results["settings"]["targets"][0]
    head = f"Passes to relative suboptimality {target:.0e}, then time (defaults) or time over that of the defaults"
    return f"{head}\n\n" + "\n".join(lines)


def _variant(cell: dict[str, Any]) -> str:
    """Passes, then seconds or the ratio."""
    if not cell["reached"]:
        return "not reached"
    passes = f"{cell['iterations']:.3g}"
    if cell["solver"] == OURS:
        return f"{passes}; {_seconds(cell['seconds'])}"
    return f"{passes}; x{cell['ratio']:.2f}" if cell["ratio"] is not None else passes
