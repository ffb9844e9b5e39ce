r"""What each addition to the published algorithm is worth: passes and seconds with one switch off at a time, and with all
off.

The same problems, rules and clock as the race: each variant runs with the loosest tolerance that reaches the target,
in pairs with the defaults. Passes count gradients of one row over the number of rows.

    python -m benchmarks.ablation [--data FOLDER] [--only NAME,...] [--target 1e-8] [--json FILE]
    python -m benchmarks.ablation --show FILE
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from benchmarks.finite_sum import race
from benchmarks.race.contest import Rules
from benchmarks.race.data import DATA_SETS
from benchmarks.race.peers import ENGINE, Engine
from benchmarks.race.table import variants_table

__all__ = ["main", "variants"]

RESULT = Path(__file__).parent / "results" / "ablation.json"
IDLE = ("exact_intercept", "batch")  # the race has no intercept; a batch size is not a switch
PLAIN: dict[str, Any] = {
    "importance": "iid",
    "restart": None,
}  # what switches that are not booleans fall back to


def variants() -> tuple[Engine, ...]:
    """The engine with one switch off at a time, then with all of them off."""
    from convex.engine import Options

    default, found = Options(), []
    for field in fields(Options):
        value = getattr(default, field.name)
        if field.name in IDLE or (value is False):
            continue
        other = PLAIN.get(field.name, False)
        name = f"without {field.name}" if other in (False, None) else f"{field.name} {other}"
        found.append(Engine(name, ENGINE.penalties, replace(default, **{field.name: other})))
    drawn = replace(default, contiguous=False, importance="iid")
    return (
        *found,
        Engine("rows one by one", ENGINE.penalties, drawn),
        Engine("published", ENGINE.penalties, Options.published()),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print the table, write JSON."""
    parser = argparse.ArgumentParser(description="Passes and seconds with each addition switched off.")
    parser.add_argument("--data", type=Path, help="folder with a9a, mushrooms, news20 in svmlight format")
    parser.add_argument("--only", help="names of data sets, with commas")
    parser.add_argument("--target", type=float, default=1e-8, help="relative suboptimality")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one run")
    parser.add_argument("--json", type=Path, default=RESULT, help="where the numbers go")
    parser.add_argument("--show", type=Path, help="print the table of this file and run nothing")
    options = parser.parse_args(arguments)
    if not options.show:
        names = tuple(options.only.split(",")) if options.only else tuple(data.name for data in DATA_SETS)
        rules = Rules((options.target,), options.repeats, options.limit, factor=1000.0, cold=False)
        race(names, options.data, rules, ENGINE, variants(), options.json)
    print(variants_table(json.loads((options.show or options.json).read_text())))


if __name__ == "__main__":
    main()
