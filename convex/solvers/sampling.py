r"""Which samples a solver looks at: probabilities, their price in variance, and reproducible streams of indices.

.. math::
    q_i = \frac{L_i}{n \bar L} \text{ (importance)}, \qquad q_i = \frac1n \text{ (uniform)}, \qquad
    \bar L(q) = \max_i \frac{L_i}{n q_i} = \bar L,\; \max_i L_i .

:math:`\bar L(q)` is what replaces the mean smoothness in a step size when indices are drawn from q: with
:math:`e = \frac{\nabla F_i(y) - \nabla F_i(\tilde x)}{n q_i} - (\nabla F(y) - \nabla F(\tilde x))` one has
:math:`\mathbb E\|e\|^2 \le 2 \bar L(q) \frac1n \sum_i \|\nabla F_i(y) - \nabla F_i(\tilde x)\|^2 / (2 L_i)`.

Each element of the batch has its own generator, ``SeedSequence([seed, element])``: a batch of B is B runs of one, and the first
steps of a long run are those of a short one.

Source: Xiao and Zhang 2014 (importance sampling), remembered; derived here.
"""

from __future__ import annotations

import numpy as np

from problems.composite import Composite
from structures.arrays import Array, asarray_like, to_numpy

__all__ = [
    "IndexStream",
    "curvature",
    "distribution",
    "inverse_probabilities",
    "probabilities",
    "variance_constant",
    "without_replacement",
]


def probabilities(problem: Composite, sampling: str = "importance") -> np.ndarray:  # -> (n,)
    """q on the host, for "importance" or "uniform". Raises ValueError for another word, or when all L_i are 0."""
    n = problem.samples
    if sampling == "uniform":
        return np.full(n, 1.0 / n)
    if sampling != "importance":
        raise ValueError(f'sampling must be "importance" or "uniform", got {sampling!r}.')
    constants = to_numpy(problem.constants).astype(np.float64)
    total = float(np.sum(constants))
    if not (np.isfinite(total) and total > 0):
        raise ValueError(f"the smoothness constants sum to {total}: importance sampling needs a curved, smooth loss.")
    return constants / total


def variance_constant(problem: Composite, q: np.ndarray) -> float:  # q: (n,)
    """max L_i/(n q_i). Raises ValueError unless q is a distribution that gives every L_i > 0 a chance."""
    constants, q = to_numpy(problem.constants).astype(np.float64), distribution(q, problem.samples)
    curved = constants > 0
    if np.any(q[curved] == 0):
        raise ValueError("a sample with L_i > 0 has probability 0: the gradient estimates would be biased.")
    return float(np.max(constants[curved] / (problem.samples * q[curved]), initial=0.0))


def curvature(problem: Composite, sampling: str) -> float:
    """The `variance_constant` of a sampling, for a step size. Raises ValueError when it is 0: a linear loss has no step."""
    found = variance_constant(problem, probabilities(problem, sampling))
    if not found > 0:
        raise ValueError("every L_i is 0: a step size needs a curved, smooth loss.")
    return found


def inverse_probabilities(q: np.ndarray, x: Array) -> Array:  # (n,) -> (n,)
    """1/(n q_i) beside `x`, and 0 where q_i = 0: such an index is never drawn; in a sum over all paths it has no weight."""
    q = distribution(q, len(q))
    scale = np.divide(1.0, len(q) * q, out=np.zeros(len(q)), where=q > 0)
    return asarray_like(scale, x)


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
