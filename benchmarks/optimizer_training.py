r"""Optimizers on data from files: digits, and MNIST, CIFAR-10 and a text where a folder has them.

Every method has the same grid of learning rates, the same budget and the same schedule; K-FAC (of curvlinops) takes part where
it is installed. Runs that are in the JSON are not done again: a stopped measurement goes on.

    python -m benchmarks.optimizer_training [--data FOLDER] [--json FILE] [--seeds N] [--tasks WORD,...] [--methods NAME;...]
    python -m benchmarks.optimizer_training --show FILE

The folder, or its subfolders, may have MNIST's four idx files, CIFAR-10's binary batches (``data_batch_1.bin`` and
``test_batch.bin``, or ``train*.bin`` and ``test*.bin``) and a ``.txt``, also compressed by gzip, bzip2 or xz.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.options import chosen, count, folder, stored, target
from benchmarks.trained.files import tasks_in
from benchmarks.trained.methods import METHODS
from benchmarks.trained.protocol import Plan, measure
from benchmarks.trained.resume import Ledger, resumed
from benchmarks.trained.table import markdown
from experiments.suite._tasks import Task, digits_mlp

__all__ = ["PLANS", "main"]

PLANS = {
    "digits MLP": Plan(tuning=7, epochs=20, checks=2),
    "MNIST MLP": Plan(tuning=2, epochs=4, checks=8),
    "CIFAR-10 CNN": Plan(tuning=3, epochs=9, checks=4),
    "text": Plan(tuning=2, epochs=4, checks=8),
}


def methods_of(text: str | None) -> tuple[str, ...]:
    """The methods that were asked for, all when none was. Raises ValueError for a name that there is not."""
    chosen = tuple(text.split(";")) if text else METHODS
    unknown = sorted(set(chosen) - set(METHODS))
    if unknown:
        raise ValueError(f"there is no method {', '.join(unknown)}: choose from {'; '.join(METHODS)}")
    return chosen


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Optimizers on digits, MNIST, CIFAR-10 and a text.")
    parser.add_argument("--data", type=folder, help="folder with the files of MNIST, CIFAR-10 and a text")
    parser.add_argument("--json", type=target, help="keep the results in this file, and go on from what it has")
    parser.add_argument("--show", type=stored("tasks"), help="print the tables of a file, measure nothing")
    parser.add_argument("--seeds", type=count, default=3)
    parser.add_argument("--tasks", help="tasks whose name has one of these words, separated by commas")
    parser.add_argument("--methods", help="methods separated by semicolons (their names have commas)")
    return parser.parse_args(arguments)


def chosen_tasks(options: argparse.Namespace) -> dict[str, Task | str]:
    """The tasks that were asked for, or why they cannot be done."""
    every: dict[str, Task | str] = {"digits MLP": digits_mlp(), **tasks_in(options.data)}
    return {name: every[name] for name in chosen("--tasks", options.tasks, every)}


def main(arguments: list[str] | None = None) -> int:
    """Measure what is missing, and print the tables."""
    options = parsed(arguments)
    if options.show:
        print(markdown(options.show))
        return 0

    def work(ledger: Ledger) -> None:
        methods = methods_of(options.methods)
        for name, task in chosen_tasks(options).items():
            if isinstance(task, str):
                print(f"{name}: {task}", file=sys.stderr)
            else:
                measure(task, PLANS[name], methods, options.seeds, ledger)

    return resumed(options.json, work, markdown)


if __name__ == "__main__":
    sys.exit(main())
