r"""What a step of one-sided Shampoo costs beside the linear algebra that it cannot avoid.

One step of ``AdaptiveRegularization(LeftKronecker((n, n)))`` against one symmetric eigendecomposition of size n and the two
n×n products of the definition (the new statistic :math:`GG^\top`, and :math:`H^{-1} G`), in the same run.

    python -m benchmarks.left_kronecker_step [--size 1000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from regret import AdaptiveRegularization
from structures import LeftKronecker


def measured(size: int, repetitions: int) -> dict[str, float]:
    """Medians in seconds; step and reference take turns, so that a busy machine slows both."""
    rng = np.random.default_rng(0)
    learner = AdaptiveRegularization(LeftKronecker((size, size)), lr=0.1, eps=1e-2)
    state = learner.step(learner.init(np.zeros((1, size, size))), rng.standard_normal((1, size, size)))
    steps, references = [], []
    for _ in range(repetitions):
        G = rng.standard_normal((1, size, size))
        begin = perf_counter()
        after = learner.step(state, G)
        steps.append(perf_counter() - begin)
        statistic = after["statistic"][0]
        begin = perf_counter()
        G[0] @ G[0].T
        np.linalg.eigh(statistic)
        statistic @ G[0]
        references.append(perf_counter() - begin)
        state = after
    return {
        "step": median(steps),
        "eigh_and_two_products": median(references),
        "ratio": median(steps) / median(references),
    }


def main() -> None:
    """Measure, print, and write JSON when asked."""
    parser = argparse.ArgumentParser(description="A step of one-sided Shampoo beside its eigendecomposition.")
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()
    numbers = measured(options.size, options.repetitions)
    print(f"LeftKronecker(({options.size}, {options.size})), median of {options.repetitions} steps")
    print(f"  step:                  {1e3 * numbers['step']:8.1f} ms")
    print(f"  eigh and two products: {1e3 * numbers['eigh_and_two_products']:8.1f} ms")
    print(f"  ratio: {numbers['ratio']:.2f}")
    if options.json:
        options.json.write_text(json.dumps({**numbers, "size": options.size}, indent=2) + "\n")


if __name__ == "__main__":
    main()
