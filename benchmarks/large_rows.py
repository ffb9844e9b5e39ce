r"""A data matrix in a file, too large to be copied: memory of the solver, and time of a pass against its floor.

Writes (or finds) a float32 file of n rows under the given folder, maps it, and solves a logistic regression on it in
a process of its own. Measured there: the most anonymous memory held at any time (RssAnon: what is not the file's own
pages), the time of a whole pass, and that of a stage. The floor of a pass is the sum of two times measured alike:
reading every number of the file once, and multiplying as many numbers twice (by a vector, and transposed) from a
block that stays in the cache.

    python -m benchmarks.large_rows FOLDER [--rows 10000000] [--dim 100] [--json FILE] [--keep]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np

from convex.engine import Options, minimise
from convex.engine.compiled import summing
from convex.engine.minimise import make_task
from convex.engine.rows import Rows
from convex.engine.snapshot import snapshot

BLOCK, ROUNDS = 100_000, 9


def write_rows(folder: Path, rows: int, dim: int) -> tuple[Path, Path]:
    """Files of X (rows, dim) float32 and y (rows,) float64, from a fixed seed."""
    matrix, targets = folder / f"rows_{rows}_{dim}.f32", folder / f"targets_{rows}_{dim}.f64"
    if matrix.exists() and targets.exists():
        return matrix, targets
    rng = np.random.default_rng(0)
    scales = (np.logspace(0, -2, dim) / np.sqrt(dim)).astype(np.float32)
    weights = rng.standard_normal(dim) * 5
    with matrix.open("wb") as out, targets.open("wb") as labels:
        for start in range(0, rows, BLOCK):
            X = rng.standard_normal((min(BLOCK, rows - start), dim), dtype=np.float32) * scales
            z = X @ weights + rng.logistic(size=X.shape[0])
            X.tofile(out)
            np.where(z > 0, 1.0, -1.0).tofile(labels)
    return matrix, targets


@summing
def total(X: np.ndarray) -> float:
    """The sum of all numbers: every one is read once."""
    s = np.float32(0.0)
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            s += X[i, j]
    return float(s)


class AnonymousMemory:
    """The largest RssAnon of this process while the block runs, in bytes."""

    def __enter__(self) -> AnonymousMemory:
        """Begin to look every 20 ms."""
        self.most, self._run = 0, True
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking."""
        self._run = False
        self._thread.join()

    def _look(self) -> None:
        while self._run:
            text = Path("/proc/self/status").read_text()
            line = next(line for line in text.splitlines() if line.startswith("RssAnon"))
            self.most = max(self.most, 1024 * int(line.split()[1]))
            sleep(0.02)


def seconds(call: Callable[[], object]) -> float:
    """Time of one call."""
    begin = perf_counter()
    call()
    return perf_counter() - begin


def paired_times(X: np.ndarray, y: np.ndarray, rounds: int) -> dict[str, float]:
    """Medians of reading once, multiplying twice in the cache, and a whole pass; they take turns, and so does a busy machine."""
    block, view, inside = Rows.of(np.ascontiguousarray(X[:2000])), np.asarray(X), np.zeros(X.shape[1] + 1)
    w, z, repeats = np.ones(X.shape[1] + 1), np.ones(2000), 200
    task = make_task(X, y, "log_loss", 0.0, 1e-6, None, True, 1.0)

    def twice() -> None:
        for _ in range(repeats):
            block.kernels.scores(*block.arrays, w, 1.0, z)
            block.kernels.scatter(*block.arrays, z, 1.0, inside)

    def whole_pass() -> None:
        snapshot(task, np.zeros(X.shape[1] + 1), exact_intercept=False)

    total(view[:1]), twice(), whole_pass()  # warm up: compile, and bring the file into memory
    times = np.array([[seconds(lambda: total(view)), seconds(twice), seconds(whole_pass)] for _ in range(rounds)])
    times[:, 1] *= X.shape[0] / (repeats * 2000)
    read, multiply, whole = np.median(times, axis=0)
    ratio = np.median(times[:, 2] / (times[:, 0] + times[:, 1]))
    return {"read_once": read, "multiply_twice": multiply, "pass": whole, "pass_over_floor": float(ratio)}


def measured(matrix: Path, targets: Path, rows: int, dim: int, passes: float) -> dict[str, float]:
    """All numbers, for a process of its own."""
    X = np.memmap(matrix, np.float32, "r", shape=(rows, dim))
    y = np.fromfile(targets)
    small = slice(0, 5000)
    minimise(np.ascontiguousarray(X[small]), y[small], max_passes=3)  # compile
    numbers = paired_times(X, y, ROUNDS)
    numbers["data_gib"] = X.nbytes / 2**30
    for name, options, tol in (("stages", Options(finish=False), 1e-6), ("finished", Options(), 1e-10)):
        with AnonymousMemory() as memory:
            begin = perf_counter()
            solution = minimise(X, y, l2=1e-6, tol=tol, max_passes=passes, options=options)
            seconds_taken = perf_counter() - begin
        steps = np.diff([[line.passes, line.seconds] for line in solution.history], axis=0)
        numbers |= {
            f"{name}_seconds": seconds_taken,
            f"{name}_seconds_per_pass": float(median(steps[:, 1] / steps[:, 0])),
            f"{name}_passes": solution.passes,
            f"{name}_gap": solution.gap,
            f"{name}_anonymous_gib": memory.most / 2**30,
        }
    return numbers


def main() -> None:
    """Write the file, measure in a fresh process, print, and write JSON when asked."""
    parser = argparse.ArgumentParser(description="Memory and time per pass on a mapped float32 file.")
    parser.add_argument("folder", type=Path, help="where the data file is written (4 bytes times rows times dim)")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--passes", type=float, default=60, help="at most so many for a solve")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--keep", action="store_true", help="leave the data file for the next time")
    options = parser.parse_args()
    matrix, targets = write_rows(options.folder, options.rows, options.dim)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        numbers = pool.apply(measured, (matrix, targets, options.rows, options.dim, options.passes))
    for name, value in numbers.items():
        print(f"  {name:26} {value:.4g}")
    if options.json:
        shape = {"rows": options.rows, "dim": options.dim}
        options.json.write_text(json.dumps({**shape, **numbers}, indent=2) + "\n")
    if not options.keep:
        matrix.unlink()
        targets.unlink()


if __name__ == "__main__":
    main()
