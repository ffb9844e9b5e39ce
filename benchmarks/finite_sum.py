r"""The race: regularised logistic regression, our solver against those that people use, on one thread.

Every solver stops by its own rule. The time that counts is that of the loosest tolerance on a grid of half decades
whose result has :math:`(P - P^*) / P^* \le` target; the rule is the same for all and nobody sees P* while it runs. P*
comes from a separate solver, certified by its duality gap. Times are taken in pairs (ours, peer, ours, next peer,
...); the median of the ratios counts. Imports and compilation are measured apart, on a small problem first. No
intercepts; every solver gets its data in the layout it likes, before the clock starts.

    python -m benchmarks.finite_sum [--data FOLDER] [--quick] [--only NAME,...] [--json FILE]
    python -m benchmarks.finite_sum --show FILE        # the tables of a race that was run before
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.race.contest import Contest, Rules
from benchmarks.race.data import DATA_SETS, PENALTIES, problems
from benchmarks.race.machine import machine
from benchmarks.race.peers import ENGINE, ESTIMATOR, PEERS, Solver
from benchmarks.race.problem import Problem
from benchmarks.race.reference import facts, optimum
from benchmarks.race.remote import Workers
from benchmarks.race.results import Results
from benchmarks.race.table import markdown

__all__ = ["main", "race"]

QUICK = ("breast_cancer", "digits")
RESULT = Path(__file__).parent / "results" / "finite_sum.json"


def race(
    names: tuple[str, ...],
    folder: Path | None,
    rules: Rules,
    ours: Solver,
    peers: tuple[Solver, ...],
    json_file: Path | None = None,
    penalties: tuple[str, ...] = PENALTIES,
) -> Results:
    """Every problem of the named data sets; the file, if given, is written after each of them."""
    present = tuple(peer for peer in peers if peer.present)
    results = Results(machine(), _settings(rules, ours))
    results.skipped += [{"what": peer.name, "reason": "not installed"} for peer in peers if not peer.present]
    results.solvers = [{"name": s.name, "package": s.distribution, "version": s.version} for s in (ours, *present)]
    with Workers(cold=rules.cold) as workers:
        for name, found in problems(names, folder, penalties):
            if isinstance(found, str):
                results.skipped.append({"what": name, "reason": found})
                continue
            for problem in found:
                begin = perf_counter()
                run_one(problem, rules, ours, present, workers, results)
                print(f"{problem.name}: {perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
                if json_file is not None:
                    results.write(json_file)
    return results


def run_one(
    problem: Problem, rules: Rules, ours: Solver, peers: tuple[Solver, ...], workers: Workers, results: Results
) -> None:
    """One problem: its optimum, the contest, the second check of the optimum; appended to the results."""
    begin = perf_counter()
    best = optimum(problem)
    seconds = perf_counter() - begin
    contest = Contest(problem, best.value, rules, workers).run(ours, peers)
    results.problems.append(facts(problem, best, contest.lowest, seconds))
    results.entries += contest.entries
    results.cells += contest.cells
    results.warm_up = workers.warm_up()
    kind = "CSR" if problem.sparse else "dense"
    if rules.cold and kind not in results.from_cache:
        results.from_cache[kind] = workers.from_cache(ours, problem)


def _settings(rules: Rules, ours: Solver) -> dict[str, object]:
    """How the race was run."""
    return {
        "targets": list(rules.targets),
        "repeats": rules.repeats,
        "limit_seconds": rules.limit,
        "limit_times_ours": rules.factor,
        "ours": type(ours).__name__,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print the tables, write JSON."""
    parser = argparse.ArgumentParser(description="The race of finite-sum solvers.")
    parser.add_argument(
        "--data", type=Path, help="folder with a9a, mushrooms, news20 in svmlight format (.bz2, .gz or plain)"
    )
    parser.add_argument("--quick", action="store_true", help="breast_cancer and digits only, one repeat")
    parser.add_argument("--only", help="names of data sets, with commas")
    parser.add_argument("--penalties", default=",".join(PENALTIES), help="with commas")
    parser.add_argument("--against", default="", help="only peers whose names contain this")
    parser.add_argument("--engine", action="store_true", help="ours is the engine's function, not the estimator")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one run")
    parser.add_argument("--factor", type=float, default=10.0, help="times ours, the longest run of a peer")
    parser.add_argument("--json", type=Path, default=RESULT, help="where the numbers go")
    parser.add_argument("--show", type=Path, help="print the tables of this file and run nothing")
    options = parser.parse_args(arguments)
    if options.show:
        print(markdown(json.loads(options.show.read_text())))
        return
    names = (
        tuple(options.only.split(",")) if options.only else QUICK if options.quick else tuple(d.name for d in DATA_SETS)
    )
    quick = Rules(repeats=1, limit=5.0, shortest=0.3, cold=False)
    rules = quick if options.quick else Rules(repeats=options.repeats, limit=options.limit, factor=options.factor)
    peers = tuple(peer for peer in PEERS if options.against in peer.name)
    race(
        names,
        options.data,
        rules,
        ENGINE if options.engine else ESTIMATOR,
        peers,
        options.json,
        tuple(options.penalties.split(",")),
    )
    print(markdown(json.loads(options.json.read_text())))


if __name__ == "__main__":
    main()
