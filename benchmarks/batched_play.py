r"""What a batch axis is worth: the cost of one step of a game per seed, for one seed and for many.

AdaGrad on a box against random signs, d = 50, measured as users run it: `play` with everything that it records. Prints the
median over repetitions of the time per step and seed, and how many times cheaper a seed of the batch is.

    python -m benchmarks.batched_play [--batch 1024] [--dim 50] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from time import perf_counter

from problems.domains import Box
from regret import AdaptiveRegularization, RandomSigns, play
from structures import Diagonal


def seconds_per_step(dim: int, batch: int, steps: int) -> float:
    """Time of one step of one game, all seeds together."""
    learner = AdaptiveRegularization(Diagonal((dim,)), lr=2**0.5, domain=Box(1.0))
    begin = perf_counter()
    play(learner, RandomSigns((dim,)), steps, batch, progress=False)
    return (perf_counter() - begin) / steps


def measured(dim: int, batch: int, repetitions: int) -> dict[str, float]:
    """Medians in seconds; the two cases take turns, so that a busy machine slows both."""
    single, many = [], []
    seconds_per_step(dim, 1, 100), seconds_per_step(dim, batch, 3)  # warm up
    for _ in range(repetitions):
        single.append(seconds_per_step(dim, 1, 1000))
        many.append(seconds_per_step(dim, batch, 100) / batch)
    return {
        "step_per_seed_batch_1": median(single),
        "step_per_seed_batched": median(many),
        "ratio": median(single) / median(many),
    }


def main() -> None:
    """Measure, print, and write JSON when asked."""
    parser = argparse.ArgumentParser(description="Time per step and seed, for one seed and for a batch.")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--dim", type=int, default=50)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()
    numbers = measured(options.dim, options.batch, options.repetitions)
    print(f"AdaGrad on a box, d = {options.dim}, median of {options.repetitions} runs")
    print(f"  batch 1:    {1e6 * numbers['step_per_seed_batch_1']:8.2f} µs per step and seed")
    print(f"  batch {options.batch}: {1e6 * numbers['step_per_seed_batched']:8.2f} µs per step and seed")
    print(f"  a seed of the batch is {numbers['ratio']:.0f} times cheaper")
    if options.json:
        options.json.write_text(json.dumps({**numbers, "batch": options.batch, "dim": options.dim}, indent=2) + "\n")


if __name__ == "__main__":
    main()
