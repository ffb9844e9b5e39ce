"""The command line: ``python -m experiments list | run | status | verify | report | solve | compare``."""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments import compare, solve, verbs
from experiments.spec import SCALES, Experiment
from experiments.store import DEFAULT_ROOT, Store
from theory.theorem import Theorem

__all__ = ["main"]

DESCRIPTION = "Run the declared experiments, keep their results, and say what the verdicts add up to."

EPILOG = """\
examples:
  python -m experiments list                                what there is, with the claim of each experiment
  python -m experiments run                                 compute everything that is missing, on all cores
  python -m experiments run regret_vs_bound --scale ci      one experiment, smallest scale
  python -m experiments run --stale                         also recompute what the sources have outdated
  python -m experiments run --device cuda --jobs 1          on the GPU, for the experiments that support it
  python -m experiments status                              fresh, stale, missing and failed runs
  python -m experiments verify                              theorem x experiment x verdict, and every theorem's examples
  python -m experiments report --out report                 the pages for the browser
  python -m experiments solve a9a.bz2 --l1-ratio 0.5        one model from a data file (more in `solve --help`)
  python -m experiments compare a9a.bz2                     what theory says of every structure on a data file

An interrupted or killed sweep is resumed by the same command: finished runs are kept and never repeated.
A failed run is recorded with its traceback under results/failed and tried again by the next `run`.

exit status: 0 all is well, 1 a theorem is violated, a run failed or `solve` fell short, 2 wrong use, 130 interrupted.
"""

VERBS = {
    "list": "the experiments, what each claims, and how many runs it has at each scale",
    "run": "compute the runs that are missing or have failed",
    "status": "count fresh, stale, missing and failed runs",
    "verify": "judge the stored verdicts and every theorem's examples and controls",
    "report": "write the pages for the browser from what is stored",
}


def main(
    argv: Sequence[str] | None = None,
    suite: Mapping[str, Experiment] | None = None,  # default: every experiment of experiments.suite
    theorems: Sequence[Theorem] | None = None,  # default: every theorem of theory.registry
) -> int:
    """Run the command line; returns the exit status.  Raises SystemExit(2) for wrong use, as argparse does."""
    parser = build_parser()
    options = parser.parse_args(argv)
    if options.verb == "solve":
        return _ended(lambda: solve.solve(options.parser, options), "interrupted; nothing is written")
    if options.verb == "compare":
        return _ended(lambda: compare.compare(options.parser, options), "interrupted; nothing is written")
    if suite is None:
        from experiments.suite import load_suite

        suite = load_suite()
    chosen = _chosen(parser, suite, getattr(options, "names", []))
    if options.verb != "list":
        _require_device(parser, chosen, options)
    calls = {"list": verbs.show, "run": verbs.run, "status": verbs.status, "report": verbs.report}
    store = Store(options.results)
    if options.verb == "verify":
        return _ended(
            lambda: verbs.verify(chosen, store, options, theorems), "interrupted; what is stored stays stored"
        )
    return _ended(lambda: calls[options.verb](chosen, store, options), "interrupted; what is stored stays stored")


def _ended(call: Callable[[], int], interrupted: str) -> int:
    """The exit status of `call`, also when it is interrupted or its reader has gone."""
    try:
        with _terminated_like_interrupted():
            return call()
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return verbs.INTERRUPTED
    except BrokenPipeError:  # `... | head` closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM (`kill`, `timeout`, a job scheduler) ends a sweep like Ctrl-C: workers left behind would compute on."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m experiments", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw
    )
    subparsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB", title="verbs")
    parsers = {name: subparsers.add_parser(name, help=text, description=text) for name, text in VERBS.items()}
    for name, sub in parsers.items():
        sub.add_argument("--results", type=Path, default=DEFAULT_ROOT, metavar="DIR", help="the store (%(default)s)")
        if name == "list":
            continue
        if name != "report":
            sub.add_argument("names", nargs="*", metavar="NAME", help="experiments; all of them when none is named")
        sub.add_argument("--scale", choices=SCALES, default="laptop", help="how much to compute (%(default)s)")
        sub.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (%(default)s)")
    for sub in (solve.declare(subparsers), compare.declare(subparsers)):
        sub.set_defaults(parser=sub)  # its complaints then show its own usage line
    for name in ("run", "verify"):
        text = "worker processes (one per core; 1 with --device cuda)"
        parsers[name].add_argument("--jobs", type=_positive, metavar="N", help=text)
    parsers["run"].add_argument("--stale", action="store_true", help="recompute stale runs too")
    parsers["run"].add_argument("--force", action="store_true", help="recompute every run")
    parsers["report"].add_argument(
        "--out", type=Path, default=Path("report"), metavar="DIR", help="where (%(default)s)"
    )
    return parser


def _chosen(
    parser: argparse.ArgumentParser, suite: Mapping[str, Experiment], names: Sequence[str]
) -> dict[str, Experiment]:
    for name in names:
        if name not in suite:
            close = difflib.get_close_matches(name, suite, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(close)}?" if close else "`python -m experiments list` shows them all"
            parser.error(f"there is no experiment {name!r}; {hint}")
    return {name: suite[name] for name in (names or suite)}


def _require_device(
    parser: argparse.ArgumentParser, chosen: Mapping[str, Experiment], options: argparse.Namespace
) -> None:
    if options.device == "cpu":
        return
    unable = [name for name in getattr(options, "names", []) if options.device not in chosen[name].devices]
    if unable:
        parser.error(f"{', '.join(unable)} cannot run on {options.device}: leave --device out")
    if options.verb == "run" and not _cuda_available():
        parser.error("--device cuda needs PyTorch and a CUDA device, and none is available here; use --device cpu")


def _cuda_available() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, got {text}")
    return int(text)
