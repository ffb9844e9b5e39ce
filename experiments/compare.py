r"""The verb `compare`: what the theory says of every structure on the problem of a data file, on the command line.

.. math:: \min_x \; \frac1n \sum_i \varphi(\langle a_i, x\rangle;\, b_i) + \tfrac\alpha2 \|x\|^2

Source: `convex.smoothness`; this file only reads, calls and reports.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.compare_report import written
from experiments.memory import out_of_memory, require_memory
from experiments.options import (
    at_least_zero,
    count,
    file_options,
    positive,
    read_data,
    replace_file,
    require_writable,
    seed_number,
    settle_epsilon,
)
from experiments.solve_report import block

__all__ = ["HELP", "LOSSES", "compare", "declare"]

HELP = "compare the structures on the problem of a data file: norms, smoothness, noise, bounds"

DESCRIPTION = """\
Compare the structures of a preconditioner on the smooth problem of a data file,
  mean loss + alpha/2 * sum x^2        (no intercept: append a column of ones for one)
The table gives, for every structure H, the distance D_H of the start 0 from the solution, the adaptive smoothness
Lambda_H, the noise sigma_H of a mini-batch and the bound 4 Lambda D^2/T + 2 sqrt(2) D sigma/sqrt(T) of stochastic AdaGrad
in H after T steps, and says when not to trust their order.
"""

EPILOG = """\
files, by name: as in `solve` (npz, csv, tsv; any other is svmlight; .gz and .bz2 are unpacked); features are taken as they
are, and the comparison depends on their scales.

examples:
  python -m experiments compare a9a.bz2                                 logistic regression, ridge 1e-4
  python -m experiments compare digits.csv --loss softmax --run 300     and 300 measured steps of every structure
  python -m experiments compare houses.csv --loss squared_error --radius 10 --output table.csv
  python -m experiments compare wide.svm --memory-limit 100000          only structures that keep so few numbers

In a notebook, on NumPy arrays:
  from convex.smoothness import compare_structures
  from problems.smooth import from_arrays
  compare_structures(from_arrays(X, y, "logistic", alpha=1e-4), np.zeros(X.shape[1]))

exit status: 0 the table is printed, 1 the output cannot be written, 2 wrong use or an unreadable file, 130 interrupted.
"""

LOSSES = {"logistic": "logistic", "softmax": "softmax", "squared_error": "least_squares", "huber": "huber"}


def declare(subparsers: Any) -> argparse.ArgumentParser:
    """Add the verb to a parser's subparsers."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = subparsers.add_parser("compare", help=HELP, description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    add = parser.add_argument
    file_options(parser)
    add("--loss", choices=tuple(LOSSES), default="logistic", help="what is minimised (%(default)s)")
    add("--alpha", type=at_least_zero, default=1e-4, metavar="A", help="weight of the ridge (%(default)s)")
    add("--minibatch", type=count, default=1, metavar="B", help="samples of a stochastic gradient (%(default)s)")
    add("--horizon", type=count, default=1000, metavar="T", help="steps that the bound is for (%(default)s)")
    add(
        "--radius",
        type=positive,
        metavar="R",
        help="keep the iterates in a Euclidean ball around 0, whose diameter is D",
    )
    add("--memory-limit", type=count, metavar="N", help="leave out structures that keep more numbers than this")
    add(
        "--run",
        type=count,
        metavar="STEPS",
        help="also run every structure, at the best of the same grid of step sizes",
    )
    add("--seeds", type=count, default=4, metavar="S", help="runs of each step size, for --run (%(default)s)")
    add("--output", type=Path, metavar="FILE", help="where to write the table: .csv or .json; replaced in one step")
    add("--seed", type=seed_number, default=0, help="of mini-batches and probes (%(default)s)")
    return parser


def compare(
    parser: argparse.ArgumentParser,  # complains about what only the data can show
    options: argparse.Namespace,
) -> int:
    """Read, compare, print, write; 1 when the output cannot be written.  SystemExit(2) for wrong use."""
    _require_sense(parser, options)
    begun = time.perf_counter()
    data = read_data(parser, options)
    try:
        found = _compared(parser, options, data)
    except ValueError as error:
        parser.error(f"{options.file}: {error}")
    except MemoryError as error:
        parser.error(f"{options.file}: {out_of_memory(data.X.shape, error)}")
    print(
        "\n\n".join(
            [block(_about(options, data, found[0], time.perf_counter() - begun)), *_paragraphs(options, *found)]
        )
    )
    if options.output is None:
        return 0
    try:
        replace_file(options.output, written(options, data, *found))
    except OSError as error:
        print(f"cannot write {options.output}: {error}; what was there is as it was", file=sys.stderr)
        return 1
    print("\n" + block([("written", str(options.output))]))
    return 0


def _require_sense(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Complain about options that say nothing here, before the work."""
    settle_epsilon(parser, options)
    if options.output is not None:
        if options.output.suffix.lower() not in (".csv", ".json"):
            parser.error(f"--output {options.output}: the name must end in .csv or .json")
        require_writable(parser, options.output)


def _compared(parser: argparse.ArgumentParser, options: argparse.Namespace, data: Any) -> tuple[Any, Any, Any, list]:
    """The problem, the table, the choice and the runs."""
    from convex.smoothness import choose_structure, compare_structures
    from experiments.structure_runs import run_structures
    from problems.domains import L2Ball

    problem = _problem(options, data)
    x0, domain = np.zeros(problem.shape), None if options.radius is None else L2Ball(options.radius)
    if problem.solution is None:
        parser.error(
            f"{options.file}: no minimiser was found at --alpha {options.alpha:g}; there may be none, or it is far away: "
            "raise --alpha"
        )
    length = float(np.linalg.norm(problem.solution))
    if options.radius is not None and length > options.radius:
        parser.error(f"--radius {options.radius:g}: the minimiser has norm {length:.6g} and must lie inside")
    chosen = _allowed(parser, options, problem.shape)
    table = compare_structures(problem, x0, chosen, domain=domain, horizon=options.horizon)
    choice = choose_structure(problem, chosen, x0=x0, horizon=options.horizon, seed=options.seed)
    if options.run is None:
        return problem, table, choice, []
    structures = [row.structure for row in table.rows]
    runs = run_structures(problem, x0, structures, options.run, seeds=options.seeds, seed=options.seed, domain=domain)
    return problem, table, choice, runs


MOST_NUMBERS = 100_000_000  # in the samples of one step
VECTORS = 256  # of the size of a parameter that a comparison keeps at once


def _problem(options: argparse.Namespace, data: Any) -> Any:
    """Raises MemoryError for more parameters than the machine can hold, ValueError for data that do not fit the loss."""
    from problems.smooth import from_arrays

    require_memory(data.X.shape, VECTORS)
    if options.minibatch * data.X.shape[1] > MOST_NUMBERS:
        raise ValueError(
            f"--minibatch {options.minibatch}: a step would hold {options.minibatch * data.X.shape[1]} numbers"
        )
    X = data.X.toarray() if options.loss == "softmax" and hasattr(data.X, "toarray") else data.X
    X = X if hasattr(X, "toarray") else np.asarray(X, dtype=np.float64)
    if data.y.dtype.kind not in "iuf" and options.loss in ("squared_error", "huber"):
        raise ValueError(f"--loss {options.loss} needs numbers as targets, and the labels are words")
    return from_arrays(
        X, data.y, LOSSES[options.loss], alpha=options.alpha, delta=options.epsilon, minibatch=options.minibatch
    )


def _allowed(parser: argparse.ArgumentParser, options: argparse.Namespace, shape: tuple[int, ...]) -> list:
    """The structures within the memory limit."""
    from convex.smoothness.candidates import candidates, state_size

    every = candidates(shape)
    allowed = [K for K in every if options.memory_limit is None or state_size(K) <= options.memory_limit]
    if not allowed:
        parser.error(
            f"--memory-limit {options.memory_limit}: the smallest structure keeps {min(map(state_size, every))}"
        )
    return allowed


def _about(options: argparse.Namespace, data: Any, problem: Any, seconds: float) -> list[tuple[str, str]]:
    n, d = data.X.shape
    where = "anywhere" if options.radius is None else f"in the ball of radius {options.radius:g}"
    return [
        ("data", f"{n} rows, {d} features{', ' * bool(data.note)}{data.note}"),
        ("problem", f"loss {options.loss}, alpha {options.alpha:g}, no intercept, parameter of shape {problem.shape}"),
        (
            "gradients",
            f"{options.minibatch} random sample{'s' * (options.minibatch > 1)} a step, iterates {where}, start 0",
        ),
        ("minimum", f"{problem.minimum.upper:.10g}  (at least {problem.minimum.lower:.10g})"),
        ("seconds", f"{seconds:.3f}"),
    ]


def _paragraphs(options: argparse.Namespace, problem: Any, table: Any, choice: Any, runs: list) -> list[str]:
    from experiments.compare_report import disagreement, measured_table, prediction, title

    parts = [
        repr(table),
        prediction(table),
        f"choose_structure, from the curvature and the noise at the start:\n{choice!r}",
    ]
    if table.best is not None and title(table.best) != title(choice.structure):
        parts.append(disagreement(table, choice, measured=bool(runs)))
    return [*parts, measured_table(options.run, options.seeds, table, choice, runs)] if runs else parts
