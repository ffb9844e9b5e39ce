r"""What a step of each optimizer costs: against AdamW, against its peers, and against the linear algebra that it cannot avoid.

.. math:: \frac{t(\text{step})}{t(\text{AdamW, foreach})}, \qquad \frac{t(\text{step})}{t(\text{floor})}

The reference, the contestants of a group and their floors take turns (`benchmarks.steps.clock`); who refreshes roots every
k steps is timed over whole periods of k steps, so its numbers are amortised. The floor is the products and decompositions
of `benchmarks.steps.floors`; "passes" are the elementwise passes beside them. State is counted in bytes and compared with the
method's formula. Packages that are not installed are named with the reason.

    python -m benchmarks.optimizer_step [--only WORD,...] [--lists NAME,...] [--json FILE] [--repeats N] [--quick] [--no-compile]
    python -m benchmarks.optimizer_step --device cuda --dtype float32|tf32|bfloat16 [--json FILE]
    python -m benchmarks.optimizer_step --show FILE
"""

from __future__ import annotations

import argparse
import shutil
import sys
import warnings
from typing import Any

import torch

from benchmarks.options import chosen, count, save, stored, target
from benchmarks.race.machine import machine
from benchmarks.steps.clock import Timed, Turns, paired, ratios
from benchmarks.steps.contestants import REFERENCE, Absent, Contestant, contestants, first_line
from benchmarks.steps.floors import linear_algebra, passes
from benchmarks.steps.memory import formula_bytes, state_bytes
from benchmarks.steps.parameters import LISTS, Shapes, gradients, parameters, resnet50, square
from benchmarks.steps.table import markdown
from optimizers.kronecker import KroneckerOptimizer

__all__ = ["main", "measured"]

DEVICE_SIZES = (256, 512, 1024, 2048, 4096, 8192)


def measured(
    shapes: Shapes, members: list[Contestant], reference: Contestant, options: argparse.Namespace
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The contestants of one group on one list, in turns: a cell for each that can take part, a reason for each other."""
    dtype = torch.bfloat16 if options.dtype == "bfloat16" else torch.float32
    sets = gradients(shapes, dtype, options.device)
    timed = {REFERENCE: stepping(reference, shapes, sets, dtype, options.device)[0]}
    entered: dict[str, tuple[Contestant, Any]] = {}
    skipped = []
    for each in members:
        try:
            step, optimizer = stepping(each, shapes, sets, dtype, options.device)
            tried(step)
        except Absent as reason:
            skipped.append({"name": each.name, "reason": str(reason)})
            continue
        entered[each.name] = each, optimizer
        timed[each.name] = step
        if isinstance(optimizer, KroneckerOptimizer):
            floor = linear_algebra(optimizer, sets)
            if floor is not None:
                timed[f"{each.name}: floor"] = floor
            group = optimizer.param_groups[0]
            timed[f"{each.name}: passes"] = passes(group, group["params"], sets)
    turns = paired(timed, options.repeats, options.device)
    others = [name for name, (each, _) in entered.items() if not each.ours]
    cells = []
    for name, (each, optimizer) in entered.items():
        found = numbers(turns, name, others if each.ours else [])
        cells.append({"name": name, "group": each.group, "ours": each.ours, **found, **memory(optimizer)})
    return cells, skipped


def tried(step: Timed) -> None:
    """A period of a contestant. Raises Absent when it fails."""
    try:
        for _ in range(step.period):
            step.run()
    except (RuntimeError, ValueError, TypeError, IndexError, torch.linalg.LinAlgError) as error:
        raise Absent(f"fails: {first_line(error)}") from error


def stepping(each: Contestant, shapes: Shapes, sets: list, dtype: torch.dtype, device: str) -> tuple[Timed, Any]:
    """A call that hands the next gradients over and takes a step."""
    params = parameters(shapes, dtype, device)
    optimizer, count = each.on(params, shapes), 0

    def run() -> None:
        nonlocal count
        for p, g in zip(params, sets[count % len(sets)], strict=True):
            p.grad = g
        optimizer.step()
        count += 1

    return Timed(run, each.period), optimizer


def numbers(turns: Turns, name: str, others: list[str]) -> dict[str, Any]:
    """Medians and ratios of one contestant; `against` has the time of each other one over its own."""
    found: dict[str, Any] = {"step": turns.median(name), "reference": turns.median(REFERENCE)}
    found["ratio"], found["ratio_low"], found["ratio_high"] = turns.ratio(name, REFERENCE)
    found["against"] = {other: turns.ratio(other, name) for other in others}
    floor, beside = turns.seconds.get(f"{name}: floor"), turns.seconds.get(f"{name}: passes")
    if floor and beside:
        found["floor"] = turns.median(f"{name}: floor")
        found["to_floor"], found["to_floor_low"], found["to_floor_high"] = turns.ratio(name, f"{name}: floor")
        both = [a + b for a, b in zip(floor, beside, strict=True)]
        found["to_floor_and_passes"] = ratios(turns.seconds[name], both)[0]
    return found


def memory(optimizer: Any) -> dict[str, Any]:
    """Bytes held and bytes of the formula."""
    held, formula = state_bytes(optimizer), formula_bytes(optimizer)
    return {"state_bytes": held, "formula_bytes": formula, "state_to_formula": held / formula if formula else None}


def all_of(
    lists: dict[str, Shapes], members: list[Contestant], options: argparse.Namespace, results: dict[str, Any]
) -> None:
    """Every group of contestants on every list, appended to the results."""
    reference = next(each for each in contestants(False) if each.name == REFERENCE)
    for name, shapes in lists.items():
        for group in dict.fromkeys(each.group for each in members):
            together = [each for each in members if each.group == group]
            cells, skipped = measured(shapes, together, reference, options)
            results["cells"] += [{"list": name, **cell} for cell in cells]
            results["skipped"] += [{"list": name, **each} for each in skipped]
            for cell in results["cells"][len(results["cells"]) - len(cells) :]:
                print(line(cell), file=sys.stderr, flush=True)
        if options.json:
            save(options.json, results)


def line(cell: dict[str, Any]) -> str:
    """One measurement for who waits."""
    floor = f"  {cell['to_floor']:6.2f} x floor" if "to_floor" in cell else ""
    return f"{cell['list']:>20}  {cell['name']:<42} {1e3 * cell['step']:9.3f} ms  {cell['ratio']:7.2f} x{floor}"


def facts(options: argparse.Namespace) -> dict[str, Any]:
    """Where and how it was measured."""
    where = machine()
    if options.device == "cuda":
        where["gpu"] = torch.cuda.get_device_name()
    return {
        **where,
        "threads_used": torch.get_num_threads(),
        "device": options.device,
        "dtype": options.dtype,
    }


def selected(options: argparse.Namespace) -> tuple[dict[str, Shapes], list[Contestant]]:
    """Lists and contestants that were asked for."""
    lists = dict(LISTS)
    if options.device == "cuda":
        lists |= {f"{n} x {n}": square(n) for n in DEVICE_SIZES} | {"ResNet-50": resnet50()}
    if options.quick:
        lists = {"24 x 16": ((24, 16), (16,)), "6 x 4 x 3 x 3": ((6, 4, 3, 3),)}
    lists = {name: lists[name] for name in chosen("--lists", options.lists, lists)}
    compiled = not options.no_compile and (options.device == "cuda" or shutil.which("g++") is not None)
    found = {each.name: each for each in contestants(compiled) if each.name != REFERENCE}
    return lists, [found[name] for name in chosen("--only", options.only, found)]


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What a step of each optimizer costs.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "tf32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=count, default=9)
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--only", help="contestants whose name has one of these words, separated by commas")
    parser.add_argument("--lists", help="lists whose name has one of these words, separated by commas")
    parser.add_argument("--json", type=target, help="write the numbers to this file")
    parser.add_argument("--show", type=stored("cells"), help="print the tables of a file, measure nothing")
    parser.add_argument("--quick", action="store_true", help="tiny lists, to see that it runs")
    parser.add_argument("--no-compile", action="store_true", help="leave compiled steps out")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the tables, and write JSON when asked."""
    options = parsed(arguments)
    if options.show:
        print(markdown(options.show))
        return 0
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device is available to torch", file=sys.stderr)
        return 2
    torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = options.dtype == "tf32"
    results: dict[str, Any] = {"machine": facts(options), "repeats": options.repeats, "cells": [], "skipped": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other packages' advice
        all_of(*selected(options), options, results)
    print(markdown(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
