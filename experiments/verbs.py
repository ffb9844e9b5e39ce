"""What each verb of the command line does: compute, count, judge or write, say so, and return the exit status."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from experiments import runner
from experiments.plan import Planned, State, counts, pending, plan, specs
from experiments.spec import SCALES, Experiment
from experiments.store import Store
from experiments.table import table
from theory.theorem import Theorem

__all__ = ["report", "run", "show", "status", "verify"]

OK, BAD, INTERRUPTED = 0, 1, 130

Suite = Mapping[str, Experiment]


def show(suite: Suite, store: Store, options: Namespace) -> int:
    """Print the experiments with their claims and the number of runs at each scale."""
    lines = [(e.id, *(str(len(specs(e, scale))) for scale in SCALES), e.title) for e in suite.values()]
    print(table(("experiment", *SCALES, "title"), lines))
    for experiment in suite.values():
        print(f"\n{experiment.id}: {experiment.claim}")
    return OK


def run(suite: Suite, store: Store, options: Namespace) -> int:
    """Compute what is missing; 1 when a run failed, a worker died, or a stored verdict is bad."""
    planned = plan(suite.values(), store, options.scale, options.device)
    todo = pending(planned, options.stale, options.force)
    print(f"{len(planned)} runs planned at scale {options.scale}, {len(todo)} to compute, store {store.root}")
    outcome = runner.run(todo, store, jobs=_jobs(options), progress=True)
    for report in outcome.failed:
        print(f"FAILED {report.experiment} {report.key[:12]}: {report.error}", file=sys.stderr)
    if outcome.failed:
        print(f"{len(outcome.failed)} runs failed; tracebacks under {store.root / 'failed'}", file=sys.stderr)
    if outcome.broken:
        print(_broken(outcome), file=sys.stderr)
    if outcome.interrupted:
        print(f"interrupted: {outcome.done} finished runs are kept; the same command resumes", file=sys.stderr)
        return INTERRUPTED
    _hint_stale(plan(suite.values(), store, options.scale, options.device))
    print(f"{outcome.done} runs computed")
    bad = _print_bad_verdicts(planned, store)
    return BAD if bad or not outcome.ok else OK


def status(suite: Suite, store: Store, options: Namespace) -> int:
    """Print the number of fresh, stale, missing and failed runs; 1 when a run has failed."""
    planned = plan(suite.values(), store, options.scale, options.device)
    lines = [(name, *(str(states[s]) for s in State)) for name, states in counts(planned).items()]
    print(table(("experiment", *State), lines))
    failed = [run for run in planned if run.state is State.FAILED]
    for run in failed:
        failure = store.failure(run.spec.key)
        print(f"FAILED {run.experiment.id} {run.spec.key[:12]}: {failure.error if failure else 'unknown'}")
    return BAD if failed else OK


def verify(suite: Suite, store: Store, options: Namespace, theorems: Sequence[Theorem] | None = None) -> int:
    """Print theorem x experiment x verdicts and judge every theorem's examples; 1 when something is not as it must be."""
    from experiments.verification import bad_cases, catalogue
    from theory import registry

    planned = plan(suite.values(), store, options.scale, options.device)
    bad = _print_rows(planned, store)
    failed = sum(run.state is State.FAILED for run in planned)
    missing = sum(not store.has(run.spec.key) for run in planned)
    if missing:
        print(f"note: {missing} of {len(planned)} planned runs are not stored ({failed} failed); see `status`")
    _hint_stale(planned)

    judged = catalogue(registry.theorems() if theorems is None else theorems, jobs=_jobs(options), progress=True)
    path = store.write_catalogue(judged)
    print(f"\n{_catalogue_table(judged)}\nwritten to {path}")
    wrong = bad_cases(judged)
    for theorem, case in wrong:
        came = case["verdict"]["kind"] if case["verdict"] else case["error"].strip().splitlines()[-1]
        expected = " or ".join(case.get("expect", ())) or "a declared `expect`"
        print(f"BAD {theorem}, {case['role']} {case['name']!r}: {came}, expected {expected}", file=sys.stderr)
    return BAD if bad or wrong or failed else OK


def report(suite: Suite, store: Store, options: Namespace) -> int:
    """Write the pages for the browser and print where they are."""
    from experiments.report import write_report

    print(write_report(store, options.scale, options.out))
    return OK


def _jobs(options: Namespace) -> int:
    if options.jobs:
        return options.jobs
    # One process per GPU: several would share its memory and time each other's kernels.
    return 1 if options.device == "cuda" else _cores()


def _cores() -> int:
    from joblib import cpu_count

    return cpu_count() or os.cpu_count() or 1


def _broken(outcome: runner.Outcome) -> str:
    return (
        f"the sweep stopped early, {outcome.done} runs are kept and {outcome.left} are left: {outcome.broken}\n"
        "A worker that dies has usually run out of memory or crashed in native code. The same command resumes with "
        "what is left; try fewer workers (--jobs 1)."
    )


def _hint_stale(planned: Sequence[Planned]) -> None:
    stale = sum(run.state is State.STALE for run in planned)
    if stale:
        print(f"note: {stale} stored runs are older than the sources they depend on; `run --stale` recomputes them")


def _print_rows(planned: Sequence[Planned], store: Store) -> int:
    from experiments.verification import rows

    found = rows(planned, store)
    lines = [
        (
            row.theorem,
            row.experiment + (" (misuse)" if row.control else ""),
            ", ".join(f"{kind} {n}" for kind, n in sorted(row.kinds.items())),
            f"{row.worst:.4g}",
            str(len(row.bad)),
        )
        for row in found
    ]
    print(table(("theorem", "experiment", "verdicts", "worst ratio", "bad"), lines))
    return _print_bad_verdicts(planned, store)


def _print_bad_verdicts(planned: Sequence[Planned], store: Store) -> int:
    from experiments.verification import rows

    bad = [(row, key) for row in rows(planned, store) for key in row.bad]
    for row, key in bad:
        print(f"BAD {row.theorem} in {row.experiment}: see {store.path(key) / 'verdicts.json'}", file=sys.stderr)
    return len(bad)


def _catalogue_table(catalogue: Mapping[str, Any]) -> str:
    lines = []
    for entry in catalogue["theorems"]:
        kept = {role: [c for c in entry["cases"] if c["role"] == role] for role in ("example", "control")}
        tally = [f"{sum(c['ok'] for c in cases)}/{len(cases)}" for cases in kept.values()]
        lines.append((entry["id"], entry["kind"], *tally, f"{_tightest(kept['example']):.4g}"))
    return table(("theorem", "kind", "examples", "controls", "worst ratio"), lines)


def _tightest(cases: Sequence[Mapping[str, Any]]) -> float:
    ratios = [case["verdict"]["ratio"] for case in cases if case["verdict"]]
    return max((r for r in ratios if r == r), default=float("nan"))
