r"""Kernels on vectors of d + 1 weights: the start and the steps of a stage, and what a penalty adds to objective and gap.

.. math::
    \tilde y &= x + \alpha (x - x') + \beta (z - x), \\
    z_k &= \mathrm{prox}_{\eta A_k R}\Big(\tilde y - \eta \sum_{j \le k} a_j g_j\Big), \qquad
    x_k = x_{k-1} + \tfrac{2}{k+1} (z_k - x_{k-1}), \qquad y_{k+1} = x_k + \tfrac{2}{k+2} (z_k - x_k)

with :math:`a_k = k/2`, :math:`A_k = k(k+1)/4`: the averaged gradient of the paper times θ_k θ_{k-1} is :math:`\sum_j
a_j g_j`, and its part from the snapshot is :math:`A_k \nabla F(\tilde x)`, so only the noise is stored. The last
coordinate, the intercept, has no penalty.

Source: murata2017doubly, rearranged; derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.compiled import kernel, summing

__all__ = ["begin_stage", "dual_average", "end_stage", "penalty_terms"]


@summing
def begin_stage(x0: np.ndarray, before: np.ndarray, z0: np.ndarray, outer: tuple, start, noise, x, point) -> float:
    """start, x, point := ỹ, noise := 0; |ỹ - x̃|². (Slices would do; numba compiles the words of their errors for 3 seconds.)"""
    alpha, beta = outer[0], outer[1]
    near = 0.0
    for j in range(x0.size):
        move = alpha * (x0[j] - before[j]) + beta * (z0[j] - x0[j])
        start[j] = x[j] = point[j] = x0[j] + move
        noise[j] = 0.0
        near += move * move
    return near


@summing
def dual_average(
    k: int,  # from 1
    step: tuple[float, float, float],  # eta, l1, l2
    start: np.ndarray,  # (d + 1,) z_0
    gradient: np.ndarray,  # (d + 1,)
    noise: np.ndarray,  # (d + 1,) Σ a_j (g_j - ∇F)
    x: np.ndarray,  # (d + 1,) in and out
    point: np.ndarray,  # (d + 1,) out: y_{k+1}
) -> None:
    """x_k and y_{k+1} from z_k, which is not stored: for long vectors this loop is as fast as memory."""
    eta, l1, l2 = step
    weight = 0.25 * k * (k + 1)
    threshold, shrink = eta * weight * l1, 1.0 / (1.0 + eta * weight * l2)
    now, after = 2.0 / (k + 1), 2.0 / (k + 2)
    d = start.size - 1
    for j in range(d):
        u = start[j] - eta * (weight * gradient[j] + noise[j])
        v = (max(u - threshold, 0.0) + min(u + threshold, 0.0)) * shrink
        old = x[j]
        new = old + now * (v - old)
        x[j] = new
        point[j] = new + after * (v - new)
    v = start[d] - eta * (weight * gradient[d] + noise[d])
    x[d] += now * (v - x[d])
    point[d] = x[d] + after * (v - x[d])


@summing
def end_stage(
    m: int,  # steps taken
    step: tuple[float, float, float],
    outer: tuple,
    x0: np.ndarray,
    start: np.ndarray,
    gradient: np.ndarray,
    noise: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,  # (d + 1,) out: z_m
) -> tuple[float, float]:
    """|z_m - x̃|², and (ỹ_s - x_s) · (ỹ_{s+1} - x_s) of the gradient scheme of restarting."""
    eta, l1, l2 = step
    weight = 0.25 * m * (m + 1)
    threshold, shrink = eta * weight * l1, 1.0 / (1.0 + eta * weight * l2)
    alpha, beta = outer[2], outer[3]
    far, back = 0.0, 0.0
    d = start.size - 1
    for j in range(d + 1):
        u = start[j] - eta * (weight * gradient[j] + noise[j])
        v = (max(u - threshold, 0.0) + min(u + threshold, 0.0)) * shrink if j < d else u
        z[j] = v
        far += (v - x0[j]) * (v - x0[j])
        back += (start[j] - x[j]) * (alpha * (x[j] - x0[j]) + beta * (v - x[j]))
    return far, back


@kernel
def penalty_terms(w: np.ndarray, gradient: np.ndarray, l1: float, l2: float) -> tuple[float, float, float, float, int]:
    """(R(w), R(w) + R*(v) - w · v, max |v|, w · v, nonzeros of w) with v = -gradient, without the last coordinate.

    The second is a sum of terms that are not negative; for l2 = 0 it leaves R* out.
    """
    value, young, largest, product, nonzeros = 0.0, 0.0, 0.0, 0.0, 0
    half = 0.5 / l2 if l2 > 0.0 else 0.0
    for j in range(w.size - 1):
        a, v = abs(w[j]), -gradient[j]
        r = l1 * a + 0.5 * l2 * a * a
        value += r
        beyond = max(abs(v) - l1, 0.0)
        young += r - w[j] * v + half * beyond * beyond
        largest = max(largest, abs(v))
        product += w[j] * v
        nonzeros += w[j] != 0.0
    return value, young, largest, product, nonzeros
