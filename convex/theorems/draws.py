r"""The mini-batches of a run: every index path with its probability, or those that seeded generators drew.

.. math:: \mathbb P(i_1, \dots, i_K) = \prod_{k, j} q_{i_{k,j}} \qquad \text{for } K \text{ mini-batches of } b

A run over all :math:`n^{bK}` paths has an expectation without sampling error.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np

from convex.solvers.sampling import IndexStream

__all__ = ["Draws", "every_path", "seeded"]

MOST_PATHS = 20_000  # beyond it an enumeration is a mistake


@dataclass(frozen=True, eq=False)
class Draws:
    """K mini-batches of b indices for each of B paths or seeds; `probabilities` is None for seeds, `seed` None for paths."""

    indices: np.ndarray = field(repr=False)  # (K, B, b) int
    probabilities: np.ndarray | None = field(default=None, repr=False)  # (B,) of the paths
    seed: int | None = None

    @property
    def enumerated(self) -> bool:
        """Whether the elements are all paths, each with its probability."""
        return self.probabilities is not None

    def departure(self, q: np.ndarray) -> str:  # q: (n,)
        """How these differ from independent draws with replacement from q, or an empty string."""
        steps, batch, b = self.indices.shape
        if self.probabilities is not None:
            if len(q) ** (steps * b) != batch:
                return f"{batch} paths are not the {len(q)}^{steps * b} that there are"
            expected = every_path(q, steps, b)
            if not np.array_equal(self.indices, expected.indices):
                return "the paths are not all the paths, once each"
            wrong = np.max(np.abs(self.probabilities - expected.probabilities))
            room = 1e-14 * steps * b  # a product of K b rounded factors
            return "" if wrong <= room else f"a path has a probability that is {wrong:.2g} off the product of its q_i"
        if self.seed is None:
            return "neither probabilities nor a seed say where the indices come from"
        same = np.array_equal(self.indices, seeded(q, steps, b, batch, self.seed).indices)
        return "" if same else f"the indices are not those that seed {self.seed} draws from q"


def every_path(q: np.ndarray, steps: int, b: int) -> Draws:
    """All n^(steps · b) paths. Raises ValueError when they are more than an enumeration should hold."""
    n, drawn = len(q), int(steps) * int(b)  # not of NumPy: its powers wrap around
    if n**drawn > MOST_PATHS:
        raise ValueError(f"{n}^{drawn} paths are too many to enumerate; the limit is {MOST_PATHS}.")
    flat = np.array(list(product(range(n), repeat=drawn)), dtype=np.int64).reshape(-1, steps, b)
    return Draws(np.moveaxis(flat, 0, 1), np.prod(q[flat], axis=(1, 2)))


def seeded(q: np.ndarray, steps: int, b: int, batch: int, seed: int) -> Draws:
    """What the generators of a solver draw, element by element."""
    return Draws(IndexStream(q, batch, seed).draw(steps, b), seed=seed)
