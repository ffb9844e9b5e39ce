r"""One stage of DASVRDA: accelerated dual averaging with variance-reduced gradients of mini-batches.

From :math:`x_0 = z_0 = \tilde y`, :math:`\bar g_0 = 0`, with :math:`\theta_k = (k+1)/2`, for k = 1, ..., m:

.. math::
    y_k &= (1 - \tfrac1{\theta_k}) x_{k-1} + \tfrac1{\theta_k} z_{k-1}, \\
    g_k &= \frac1b \sum_{i \in I_k} \frac{\nabla F_i(y_k) - \nabla F_i(\tilde x)}{n q_i} + \nabla F(\tilde x), \qquad
    \bar g_k = (1 - \tfrac1{\theta_k}) \bar g_{k-1} + \tfrac1{\theta_k} g_k, \\
    z_k &= \operatorname{prox}_{\eta \theta_k \theta_{k-1} R}\bigl(z_0 - \eta \theta_k \theta_{k-1} \bar g_k\bigr), \qquad
    x_k = (1 - \tfrac1{\theta_k}) x_{k-1} + \tfrac1{\theta_k} z_k .

Every prox starts from :math:`z_0`. With :math:`a_k = k/2` and :math:`A_k = \theta_k\theta_{k-1} = \sum_{j \le k} a_j` the
averages are :math:`A_k \bar g_k = \sum_j a_j g_j` and :math:`A_k x_k = \sum_j a_j z_j`.

Source: Murata and Suzuki 2017 (One Stage AccSVRDA), of which only the beginning was seen, so that it is re-derived here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from convex.solvers.constants import gamma_star, step_size
from convex.solvers.estimator import as_index, per_element, reduced_gradient
from convex.solvers.sampling import distribution, inverse_probabilities, probabilities
from problems.composite import Composite
from structures.arrays import Array, namespace, require_shape

__all__ = ["Stage", "Step", "acc_svrda", "acc_svrda_steps", "gamma_star", "step_size"]


class Step(NamedTuple):
    """What one step k = 1, 2, ... computes; arrays (..., *shape)."""

    k: int
    y: Array
    g: Array
    average: Array  # ḡ_k
    z: Array
    x: Array


class Stage(NamedTuple):
    """The two points that a stage hands to the outer loop; arrays (..., *shape)."""

    x: Array
    z: Array


def acc_svrda(
    problem: Composite,
    ytil: Array,  # (..., *shape) where the stage starts
    xtil: Array,  # (..., *shape) the snapshot
    *,
    step: Array | float,  # η, or one for each batch element
    indices: Any,  # (m, ..., b) int, host or beside ytil
    length: int | None = None,  # m; None takes it from the indices
    q: np.ndarray | None = None,  # (n,) the probabilities that the indices were drawn from; None: importance
) -> Stage:
    """x_m and z_m. Costs n + 2bm component gradients.

    The leading axes of ytil, xtil and of each indices[k] broadcast, so that many index paths run from one start. Raises
    ValueError for indices that are not (m, ..., b) with m ≥ 1, b ≥ 1, or out of range, and for a step that is not positive.
    """
    steps = acc_svrda_steps(problem, ytil, xtil, step=step, indices=indices, length=length, q=q)
    (last,) = deque(steps, maxlen=1)
    return Stage(last.x, last.z)


def acc_svrda_steps(
    problem: Composite,
    ytil: Array,
    xtil: Array,
    *,
    step: Array | float,
    indices: Any,
    length: int | None = None,
    q: np.ndarray | None = None,
) -> Iterator[Step]:
    """The steps of `acc_svrda`, one by one; arguments and errors are its."""
    xp, ndim = namespace(ytil), len(problem.shape)
    require_shape("ytil", ytil, problem.shape)
    require_shape("xtil", xtil, problem.shape)
    paths = _checked(indices, length, problem.samples, ytil)
    q = probabilities(problem) if q is None else distribution(q, problem.samples)
    scale = inverse_probabilities(q, ytil)
    full = problem.gradient(xtil)
    lead = np.broadcast_shapes(
        tuple(paths.shape[1:-1]), *(tuple(point.shape[: point.ndim - ndim]) for point in (ytil, xtil))
    )
    start = xp.broadcast_to(ytil, (*lead, *problem.shape))
    x = z = start
    average = xp.zeros_like(start)
    for k in range(1, paths.shape[0] + 1):
        weight, A = 2.0 / (k + 1.0), k * (k + 1.0) / 4.0  # 1/θ_k and θ_k θ_{k-1}
        y = x + weight * (z - x)
        g = reduced_gradient(problem, paths[k - 1, ...], y, xtil, full, scale)
        average = average + weight * (g - average)
        z = problem.penalty.prox(start - per_element(step, ndim) * A * average, step * A)
        x = x + weight * (z - x)
        yield Step(k, y, g, average, z, x)


def _checked(indices: Any, length: int | None, n: int, x: Array) -> Array:  # -> (m, ..., b)
    """The index paths beside `x`."""
    paths = as_index(indices, x)
    shape = tuple(paths.shape)
    if len(shape) < 2 or 0 in shape:
        raise ValueError(f"indices must be (m, ..., b) with at least one step and one sample, got shape {shape}.")
    if length is not None and length != shape[0]:
        raise ValueError(f"the stage has length {length}, but the indices hold {shape[0]} steps.")
    xp = namespace(paths)
    if bool(xp.any((paths < 0) | (paths >= n))):
        raise ValueError(f"indices must lie in 0..{n - 1}.")
    return paths
