r"""What compiled code costs before it runs: the first solve ever, the first of a process, and a trivial kernel beside them.

Each number is of a fresh process that solves one small problem (logistic, elastic net, with an intercept): once with
an empty cache of machine code, and several times with the full one. "Load" is the first solve of a process less a
second one in the same process: reading machine code from the disk and linking it. CPU seconds are given too, since
compiling is one thread's work and a machine may be busy.

    python -m benchmarks.compile_time [--repetitions 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

FAMILIES = ("dense float64", "dense float32", "csr float64", "csr float32")

SOLVE = """
import json, sys
from time import perf_counter, process_time
import numpy as np, scipy.sparse as sp
import numba
family, dtype = sys.argv[1].split()
rng = np.random.default_rng(0)
X = rng.standard_normal((200, 10)).astype(dtype)
y = np.sign(X[:, 0] + rng.standard_normal(200))
X = sp.csr_matrix(X) if family == "csr" else X
from convex.engine import minimise
def solve():
    begin, cpu = perf_counter(), process_time()
    minimise(X, y, l1=1e-3, l2=1e-2, tol=1e-6)
    return perf_counter() - begin, process_time() - cpu
first, second = solve(), solve()
print(json.dumps([first[0] - second[0], first[1] - second[1]]))
"""

TRIVIAL = """
import json, pathlib, sys
from time import perf_counter, process_time
import numpy as np, numba
sys.path.insert(0, sys.argv[1])
import trivial_kernel
def call():
    begin, cpu = perf_counter(), process_time()
    trivial_kernel.twice(1.0)
    return perf_counter() - begin, process_time() - cpu
first, second = call(), call()
print(json.dumps([first[0] - second[0], first[1] - second[1]]))
"""

KERNEL = "import numba\n\n\n@numba.njit(cache=True)\ndef twice(x):\n    return 2.0 * x\n"


def run(script: str, argument: str, cache: str) -> tuple[float, float]:
    """(wall, CPU) seconds that a fresh process measured."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", script, argument], env=environment, capture_output=True, text=True, check=True
    )
    wall, cpu = json.loads(done.stdout)
    return wall, cpu


def measured(script: str, argument: str, repetitions: int) -> dict[str, float]:
    """Compile and load times, the cache in a folder of its own."""
    with tempfile.TemporaryDirectory() as cache:
        compiling = run(script, argument, cache)
        loads = [run(script, argument, cache) for _ in range(repetitions)]
    return {
        "compile_s": compiling[0],
        "compile_cpu_s": compiling[1],
        "load_s": median(wall for wall, _ in loads),
        "load_cpu_s": median(cpu for _, cpu in loads),
    }


def main() -> None:
    """Measure, print, and write JSON when asked."""
    parser = argparse.ArgumentParser(description="Compile and load times of the kernels.")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()
    numbers = {family: measured(SOLVE, family, options.repetitions) for family in FAMILIES}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "trivial_kernel.py").write_text(KERNEL)
        numbers["trivial kernel"] = measured(TRIVIAL, folder, options.repetitions)
    for name, row in numbers.items():
        print(f"  {name:16}" + "".join(f"  {key} {value:8.3f}" for key, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
