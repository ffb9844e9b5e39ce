"""The command line: ``python -m paper_figures [NAME ...]``."""

from __future__ import annotations

import argparse
import difflib
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.results import Results
from experiments.spec import SCALES, Experiment
from experiments.store import DEFAULT_ROOT, Store
from paper_figures.base import FigureSpec, load_figures
from paper_figures.files import MANIFEST, draw

__all__ = ["main"]

OK, BAD = 0, 1

DESCRIPTION = "Draw figures from stored results: PDF for the paper, PNG for the page, CSV with the numbers."

EPILOG = """\
examples:
  python -m paper_figures --list                       the figures, and the experiments that each needs
  python -m paper_figures                              draw all of them from results/ into figures/
  python -m paper_figures regret_vs_bound              draw one
  python -m paper_figures --scale ci                   from the runs of the smallest scale
  python -m paper_figures --out paper/img              somewhere else

A figure never computes. When runs are missing, the message names the command that computes them.
Beside the pictures lies manifest.json: for each figure its caption, the keys of its runs, and the SHA-256 of its files.
A new figure is one new file in paper_figures/; docs/howto/add-a-figure.md shows how.

exit status: 0 all figures were drawn, 1 results are missing or a figure failed, 2 wrong use.
"""


def main(
    argv: Sequence[str] | None = None,
    figures: Mapping[str, FigureSpec] | None = None,  # default: every file of paper_figures
    suite: Mapping[str, Experiment] | None = None,  # default: every experiment of experiments.suite
) -> int:
    """Run the command line; returns the exit status.  Raises SystemExit(2) for wrong use, as argparse does."""
    parser = build_parser()
    options = parser.parse_args(argv)
    figures = load_figures() if figures is None else figures
    chosen = _chosen(parser, figures, options.names)
    if options.list:
        for spec in chosen.values():
            print(f"{spec.name}: {spec.title} (needs {', '.join(spec.needs)})")
        return OK
    store = Store(options.results)
    drawn = [_draw(spec, store, options.scale, options.out, suite) for spec in chosen.values()]
    print(
        f"{sum(drawn)} of {len(drawn)} figures drawn; see {options.out / MANIFEST}"
        if any(drawn)
        else "no figure was drawn"
    )
    return OK if all(drawn) else BAD


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m paper_figures", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures; all of them when none is named")
    parser.add_argument("--scale", choices=SCALES, default="laptop", help="whose runs to draw (%(default)s)")
    parser.add_argument("--results", type=Path, default=DEFAULT_ROOT, metavar="DIR", help="the store (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="where to write (%(default)s)")
    parser.add_argument("--list", action="store_true", help="say what there is and draw nothing")
    return parser


def _chosen(
    parser: argparse.ArgumentParser, figures: Mapping[str, FigureSpec], names: Sequence[str]
) -> dict[str, FigureSpec]:
    for name in names:
        if name not in figures:
            close = difflib.get_close_matches(name, figures, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(close)}?" if close else "`python -m paper_figures --list` shows them all"
            parser.error(f"there is no figure {name!r}; {hint}")
    return {name: figures[name] for name in (names or figures)}


def _draw(spec: FigureSpec, store: Store, scale: str, out: Path, suite: Mapping[str, Experiment] | None) -> bool:
    """Draw one figure and say so; False when its results are missing or the drawing failed."""
    try:
        results = Results.read(store, spec.needs, scale, suite=suite)
        if results.missing or not len(results):
            print(_missing(spec, results, store, scale), file=sys.stderr)
            return False
        draw(spec, results, scale, out)
    except Exception:  # one broken figure must not keep the others from being drawn
        print(f"FAILED {spec.name}:\n{traceback.format_exc()}", file=sys.stderr)
        return False
    print(f"{spec.name}: {', '.join(str(out / f'{spec.name}.{kind}') for kind in ('pdf', 'png', 'csv'))}")
    return True


def _missing(spec: FigureSpec, results: Results, store: Store, scale: str) -> str:
    total = len(results) + len(results.missing)
    return (
        f"{spec.name}: {len(results.missing)} of {total} runs at scale {scale} are not in {store.root}; compute them with\n"
        f"  {spec.commands(scale)[0]} --results {store.root}"
    )


if __name__ == "__main__":
    sys.exit(main())
