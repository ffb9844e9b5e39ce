r"""Two claims about optimizers on data from files: what Jorge's series keep of the root, and what FNGD's coefficients carry.

.. math:: \cos_t = \frac{\langle P_t G_t,\; L_t^{-1/4} G_t\rangle}{|P_tG_t|\,|L_t^{-1/4}G_t|}, \qquad
    \frac{\operatorname{Var}_j\, \bar w_j}{\text{variance by chance}}

The roots are kept on the gradients of layers of a network that SGD trains, by the rules of `experiments.suite.root_streams`
(float32, every step); the coefficients are those of `experiments.suite.fngd_sharing`, without momentum. What is in the JSON is
not done again.

    python -m benchmarks.optimizer_claims --data FOLDER [--json FILE] [--seeds N] [--only roots|sharing] [--tasks WORD,...]
    python -m benchmarks.optimizer_claims --show FILE
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.options import chosen, count, folder, stored, target
from benchmarks.trained.claims_table import markdown
from benchmarks.trained.files import tasks_in
from benchmarks.trained.protocol import finite
from benchmarks.trained.resume import Ledger, resumed
from experiments.spec import Result, quiet
from experiments.suite._tasks import Task
from experiments.suite._training import GRIDS
from experiments.suite.fngd_sharing import SHARINGS, compared
from experiments.suite.root_streams import RULES, followed, network

__all__ = ["LAYERS", "main", "roots", "sharing"]


@dataclass(frozen=True)
class Layer:
    """A side of a weight whose root is kept."""

    name: str
    weight: int  # among the parameters with several axes
    side: str  # "left" or "right"


LAYERS = {
    "MNIST MLP": (Layer("first layer, outputs", 0, "left"),),
    "CIFAR-10 CNN": (
        Layer("convolution 2, outputs", 1, "left"),
        Layer("convolution 3, outputs", 2, "left"),
        Layer("convolution 2, inputs", 1, "right"),
    ),
}
STREAMED = {"MNIST MLP": (3, 0.1), "CIFAR-10 CNN": (18, 0.1)}  # epochs and SGD's learning rate
SHARED = {"MNIST MLP": (2, 4), "CIFAR-10 CNN": (2, 8)}  # epochs for the grid and for the seeds
DAMPINGS = (0.1, 1.0)
GRID = "upper half decades"


def roots(name: str, task: Task, layer: Layer, seeds: int, ledger: Ledger) -> None:
    """Every rule on the gradients of one layer."""
    epochs, lr = STREAMED[name]
    settings = {"epochs": epochs, "lr": lr, "seeds": seeds, "weight": layer.weight, "side": layer.side}
    rows = ledger.task(f"roots, {name}, {layer.name}", settings)["methods"]
    missing = [rule for rule in RULES if rule not in rows]
    stream = list(network(task, epochs, seeds, layer.weight, layer.side, lr)) if missing else []
    for rule in missing:
        arrays, summary = followed(RULES[rule], iter(stream), quiet)
        columns = {key: [[finite(v) for v in row] for row in arrays[key]] for key in ("cosine", "beta2")}
        rows[rule] = {
            "size": stream[0][0].shape[1], "steps": len(stream), "step": arrays["step"].tolist(), **columns,
            **{key: finite(value) for key, value in summary.items()},
        }  # fmt: skip
        ledger.save()
        print(f"{name}, {layer.name}, {rule}: {summary['median_cosine_late']:.3f}", file=sys.stderr, flush=True)


def sharing(name: str, task: Task, seeds: int, ledger: Ledger) -> None:
    """SGD, and every way to share at every damping."""
    tuning, epochs = SHARED[name]
    settings = {
        "epochs": epochs,
        "tuning_epochs": tuning,
        "seeds": seeds,
        "grid": list(GRIDS[GRID]),
        "batch": task.batch,
    }
    rows = ledger.task(f"sharing, {name}", settings)["methods"]
    for share, damping in [("SGD", 0.0), *((share, d) for d in DAMPINGS for share in SHARINGS[1:])]:
        key = share if share == "SGD" else f"{share}, {damping:g}"
        if key in rows:
            continue
        params = {
            "share": share, "damping": damping, "grid": GRID, "seeds": seeds, "epochs": epochs, "tuning_epochs": tuning,
        }  # fmt: skip
        rows[key] = {"share": share, "damping": damping, **shared_facts(compared(task, params))}
        ledger.save()
        print(f"{name}, {key}: {rows[key]['train_loss']}", file=sys.stderr, flush=True)


def shared_facts(result: Result) -> dict[str, Any]:
    """Losses and accuracies of the seeds, and where coefficients are fresh what they carry, by seed and layer."""
    grid, lr = GRIDS[GRID], result.summary["lr"]
    found: dict[str, Any] = {"lr": lr, "at_edge": lr in (grid[0], grid[-1])}
    for key, values in result.arrays.items():
        if key != "loss":
            found[key] = rounded(values)
    return found


def rounded(values: np.ndarray) -> Any:
    """Nested lists of numbers with five digits, None where one is not finite."""
    return [rounded(v) for v in values] if np.ndim(values) else finite(float(values))


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Jorge's roots and FNGD's coefficients on MNIST and CIFAR-10.")
    parser.add_argument("--data", type=folder, help="folder with the files of MNIST and CIFAR-10")
    parser.add_argument("--json", type=target, help="keep the results in this file, and go on from what it has")
    parser.add_argument("--show", type=stored("tasks"), help="print the tables of a file, measure nothing")
    parser.add_argument("--seeds", type=count, default=2)
    parser.add_argument("--only", choices=("roots", "sharing"))
    parser.add_argument("--tasks", help="tasks whose name has one of these words, separated by commas")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure what is missing, and print the tables."""
    options = parsed(arguments)
    if options.show:
        print(markdown(options.show))
        return 0
    wanted = chosen("--tasks", options.tasks, LAYERS)

    def work(ledger: Ledger) -> None:
        for name, task in tasks_in(options.data).items():
            if name in wanted:
                examined(name, task, options, ledger)

    return resumed(options.json, work, markdown)


def examined(name: str, task: Task | str, options: argparse.Namespace, ledger: Ledger) -> None:
    """Both claims on one task; a task without files is named with the reason."""
    if isinstance(task, str):
        print(f"{name}: {task}", file=sys.stderr)
        return
    if options.only != "sharing":
        for layer in LAYERS[name]:
            roots(name, task, layer, options.seeds, ledger)
    if options.only != "roots":
        sharing(name, task, options.seeds, ledger)


if __name__ == "__main__":
    sys.exit(main())
