r"""The variance-reduced gradient of a mini-batch.

.. math::
    g = \frac1b \sum_{i \in I} \frac{\nabla F_i(y) - \nabla F_i(\tilde x)}{n q_i} + \nabla F(\tilde x), \qquad
    \mathbb E\, g = \nabla F(y) \text{ for } I \text{ i.i.d. from } q .

It costs 2b component gradients when those at the snapshot are not kept.

Source: Johnson and Zhang 2013; Xiao and Zhang 2014 (probabilities); remembered.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from problems.composite import Composite
from problems.losses.data import rows
from structures.arrays import Array, namespace

__all__ = ["as_index", "per_element", "reduced_gradient"]


def reduced_gradient(
    problem: Composite,
    i: Array,  # (..., b) int
    y: Array,  # (..., *shape)
    snapshot: Array,  # (..., *shape) xtil
    full: Array,  # (..., *shape) ∇F(xtil)
    scale: Array,  # (n,) 1/(n q_i)
) -> Array:  # (..., *shape)
    """The estimate g of ∇F(y)."""
    xp, ndim = namespace(y), len(problem.shape)
    lead = np.broadcast_shapes(
        tuple(i.shape[:-1]), *(tuple(point.shape[: point.ndim - ndim]) for point in (y, snapshot))
    )
    points = [xp.broadcast_to(point, (*lead, *problem.shape)) for point in (y, snapshot)]
    both = problem.sample_gradient(i, xp.stack(points))  # one call for both: half of the overhead
    difference = both[0, ...] - both[1, ...]
    weights = rows(scale, i) / i.shape[-1]
    weighted = xp.reshape(weights, (*weights.shape, *[1] * ndim)) * difference
    return xp.sum(weighted, axis=-1 - ndim) + full


def as_index(i: Any, x: Array) -> Array:
    """Host integers, or integers of the namespace of `x`, beside `x`. Raises ValueError unless they are integers."""
    if isinstance(i, np.ndarray | list | tuple):
        host = np.asarray(i)
        if host.dtype.kind not in "iu":
            raise ValueError(f"indices must be integers, got dtype {host.dtype}.")
        xp = namespace(x)
        host = host if host.flags.writeable else host.copy()  # torch warns when it shares such memory
        plain = host.tolist() if type(x).__module__.startswith("array_api_strict") else host
        return xp.asarray(plain, dtype=xp.int64, device=x.device)
    return i


def per_element(step: Array | float, ndim: int) -> Array | float:  # float or (...) -> float or (..., 1, ..., 1)
    """`step` as a factor of parameters with `ndim` axes."""
    if isinstance(step, int | float | np.floating):
        return float(step)
    return namespace(step).reshape(step, (*step.shape, *[1] * ndim))
