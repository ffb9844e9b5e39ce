r"""The verb `solve`: one penalised linear model from a data file, to a certified duality gap, on the command line.

.. math::
    \min_{w, b} \; \frac1n \sum_i \varphi(x_i^\top w + b;\, y_i) + \alpha \Big( \rho \|w\|_1 + \frac{1 - \rho}{2} \|w\|_2^2 \Big)

Source: the estimators of `convex`; this file only reads, calls and reports.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.memory import out_of_memory, require_memory
from experiments.options import (
    at_least_zero,
    count,
    file_options,
    number,
    positive,
    read_data,
    replace_file,
    require_writable,
    seed_number,
    settle_epsilon,
)
from experiments.solve_report import archive, block, reached, report

__all__ = ["HELP", "LOSSES", "declare", "solve"]

HELP = "fit a penalised linear model to a data file, with a certificate"

DESCRIPTION = """\
Fit a penalised linear model to a data file and prove how close the result is to the optimum: the duality gap is an upper bound on
objective - minimum, computed from a feasible dual point. The objective is
  mean loss + alpha * (l1_ratio * sum|w| + (1 - l1_ratio)/2 * sum w^2)
and the intercept is not penalised.
"""

EPILOG = """\
files, by name:
  FILE.npz               arrays X and y, or a CSR matrix as data, indices, indptr, shape with y beside it
  FILE.csv, FILE.tsv     numbers, labels in the last column or in --label-column; a header is recognised
  any other              svmlight: label index:value index:value ...
  .gz and .bz2 after csv, tsv and svmlight names are unpacked on the fly
  (an svmlight or CSV file that was cut at the end of a line looks whole: compare the number of rows)

examples:
  python -m experiments solve a9a.bz2                                   logistic regression, L2 penalty 1e-4
  python -m experiments solve a9a.bz2 --alpha 1e-3 --l1-ratio 0.5       elastic net
  python -m experiments solve test.svm --n-features 123                 a file that does not show its last feature
  python -m experiments solve houses.csv --loss huber --epsilon 10 --label-column price --output model.npz

The output archive holds coef (1, d) or (K, d), or (d,) for a regression; intercept; classes; and meta, a JSON text with the
problem, the objective, the gap and the passes:
  with np.load("model.npz") as model: scores = X @ model["coef"].T + model["intercept"]

exit status: 0 the gap is at most --tol, 1 it is not or the output cannot be written, 2 wrong use or an unreadable file,
130 interrupted.
"""

# What is typed -> the estimator's loss; "logistic" turns into a softmax when there are more than two classes.
CLASSIFICATION = {
    "logistic": "log_loss",
    "multinomial": "multinomial",
    "squared_hinge": "squared_hinge",
    "modified_huber": "modified_huber",
}
REGRESSION = {"squared_error": "squared_error", "huber": "huber"}
LOSSES = (*CLASSIFICATION, *REGRESSION)
VECTORS = 16  # of the size of a parameter that a fit keeps at once, for each class of a softmax more


def declare(subparsers: Any) -> argparse.ArgumentParser:
    """Add the verb to a parser's subparsers."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = subparsers.add_parser("solve", help=HELP, description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    add = parser.add_argument
    file_options(parser)
    add("--loss", choices=LOSSES, default="logistic", help="what is minimised (%(default)s)")
    add("--alpha", type=at_least_zero, default=1e-4, metavar="A", help="strength of the penalty (%(default)s)")
    add("--l1-ratio", type=_share, default=0.0, metavar="R", help="0 is L2 only, 1 is L1 only (%(default)s)")
    add("--no-intercept", action="store_true", help="no constant")
    add("--balanced", action="store_true", help="weigh the classes by the inverse of their frequencies")
    add("--tol", type=positive, default=1e-6, metavar="T", help="duality gap to reach (%(default)s)")
    add("--max-iter", type=count, default=1000, metavar="N", help="most passes over the data (%(default)s)")
    add("--output", type=Path, metavar="FILE.npz", help="where to write the coefficients; replaced in one step")
    add("--seed", type=seed_number, default=0, help="of the mini-batches (%(default)s)")
    return parser


def solve(
    parser: argparse.ArgumentParser,  # complains about what only the data can show
    options: argparse.Namespace,
) -> int:
    """Read, fit, print, write; 0 when the gap is reached and the output written, else 1.  SystemExit(2) for wrong use."""
    if options.output is not None:
        require_writable(parser, options.output)
    if options.balanced and options.loss in REGRESSION:
        parser.error(f"--balanced weighs classes, and --loss {options.loss} has none")
    settle_epsilon(parser, options)
    begun = time.perf_counter()
    data = read_data(parser, options)
    read_in = time.perf_counter() - begun
    model = _model(options)
    begun = time.perf_counter()
    try:
        require_memory(data.X.shape, VECTORS)
        with _short_warnings():
            model.fit(data.X, data.y)
    except ValueError as error:
        parser.error(f"{options.file}: {error}")
    except MemoryError as error:
        parser.error(f"{options.file}: {out_of_memory(data.X.shape, error)}")
    seconds = time.perf_counter() - begun
    print(block(report(options, data, model, read_in, seconds)))
    if options.output is not None:
        try:
            replace_file(options.output, archive(options, data, model, seconds))
        except OSError as error:
            print(f"cannot write {options.output}: {error}; what was there is as it was", file=sys.stderr)
            return 1
        print(block([("written", str(options.output))]))
    return 0 if reached(options, model) else 1


def _model(options: argparse.Namespace) -> Any:
    from convex.estimators import DASVRDAClassifier, DASVRDARegressor

    common = {
        "alpha": options.alpha,
        "l1_ratio": options.l1_ratio,
        "fit_intercept": not options.no_intercept,
        "tol": options.tol,
        "max_iter": options.max_iter,
        "random_state": options.seed,
        "verbose": sys.stderr.isatty(),
    }
    if options.loss in REGRESSION:
        return DASVRDARegressor(
            loss=REGRESSION[options.loss], epsilon=1.35 if options.epsilon is None else options.epsilon, **common
        )
    weight = "balanced" if options.balanced else None
    return DASVRDAClassifier(loss=CLASSIFICATION[options.loss], class_weight=weight, **common)


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Warnings as one line each on stderr, without the source line that a reader of the terminal cannot use."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        print(f"note: {warning.message}", file=sys.stderr)


def _share(text: str) -> float:
    return number(text, "a number between 0 and 1", 0.0, 1.0)
