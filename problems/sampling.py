r"""Streams of indices of samples: which of them a step looks at, reproducible run by run.

.. math:: i_1, i_2, \dots \sim q \text{ independently}, \qquad q_i \ge 0, \; \textstyle\sum_i q_i = 1 .

Each element of the batch has its own generator, ``SeedSequence([seed, element])``: a batch of B is B runs of one, and the first
steps of a long run are those of a short one.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

__all__ = ["IndexStream", "distribution", "without_replacement"]


class IndexStream:
    """Independent indices with replacement, drawn from q: steps follow each other over calls."""

    def __init__(self, q: np.ndarray, batch: int, seed: int, first: int = 0) -> None:
        """Raises ValueError for an empty batch, a negative seed, or q that is not a distribution."""
        if batch < 1 or seed < 0 or first < 0:
            raise ValueError(f"batch must be >= 1, seed and first >= 0, got {batch}, {seed}, {first}.")
        q = distribution(q, len(q))
        self._ends = np.cumsum(q) / np.sum(q)
        self._ends[np.flatnonzero(q)[-1] :] = (
            1.0  # the last end is 1 exactly, and u < 1: an index of probability 0 never comes
        )
        self._generators = [
            np.random.default_rng(np.random.SeedSequence([seed, element])) for element in range(first, first + batch)
        ]

    def draw(self, steps: int, b: int) -> np.ndarray:  # -> (steps, batch, b) int64
        """The next `steps` mini-batches of b indices."""
        uniform = np.stack([rng.random((steps, b)) for rng in self._generators], axis=1)
        return np.searchsorted(self._ends, uniform, side="right")

    def draw_distinct(self, steps: int, b: int) -> np.ndarray:  # -> (steps, batch, b) int64
        """The next mini-batches of b different indices, every set equally likely, whatever q is."""
        n = len(self._ends)
        drawn = [[without_replacement(rng, n, b) for rng in self._generators] for _ in range(steps)]
        return np.asarray(drawn, dtype=np.int64)


def without_replacement(rng: np.random.Generator, n: int, b: int) -> np.ndarray:  # -> (b,)
    """b different indices of 0..n-1, uniformly. Raises ValueError for b > n."""
    if b > n:
        raise ValueError(f"a mini-batch without replacement has at most {n} samples, got {b}.")
    return rng.choice(n, b, replace=False)


def distribution(q: np.ndarray, n: int) -> np.ndarray:  # -> (n,)
    """q in double precision. Raises ValueError unless it is (n,), nonnegative and of sum 1."""
    q = np.asarray(q, dtype=np.float64)
    if (
        q.shape != (n,) or not np.all(np.isfinite(q) & (q >= 0)) or abs(float(np.sum(q)) - 1.0) > 1e-9
    ):  # a sum of n roundings
        raise ValueError(
            f"probabilities must be {n} nonnegative numbers that sum to 1, got shape {q.shape}, sum {np.sum(q)}."
        )
    return q
