r"""Which samples a solver looks at: probabilities and their price in variance; the streams are those of `problems.sampling`.

.. math::
    q_i = \frac{L_i}{n \bar L} \text{ (importance)}, \qquad q_i = \frac1n \text{ (uniform)}, \qquad
    \bar L(q) = \max_i \frac{L_i}{n q_i} = \bar L,\; \max_i L_i .

:math:`\bar L(q)` is what replaces the mean smoothness in a step size when indices are drawn from q: with
:math:`e = \frac{\nabla F_i(y) - \nabla F_i(\tilde x)}{n q_i} - (\nabla F(y) - \nabla F(\tilde x))` one has
:math:`\mathbb E\|e\|^2 \le 2 \bar L(q) \frac1n \sum_i \|\nabla F_i(y) - \nabla F_i(\tilde x)\|^2 / (2 L_i)`.

Source: Xiao and Zhang 2014 (importance sampling), remembered; derived here.
"""

from __future__ import annotations

import numpy as np

from problems.composite import Composite
from problems.sampling import IndexStream, distribution, without_replacement
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
