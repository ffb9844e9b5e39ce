r"""Newton steps for softmax regression: with the matrix where it is small, else by conjugate gradients in a trust region.

Free to move are the coefficients that are not 0, those at 0 whose gradient is beyond l1, and the intercepts. The step solves

.. math::
    \min_\Delta \; \tilde g_F \cdot \Delta + \tfrac12 \Delta^\top H_{FF} \Delta, \quad |\Delta|_M \le r, \qquad
    H V = X^\top \big[p_i \big(\pi_i \circ t_i - \pi_i (\pi_i \cdot t_i)\big)\big]_i + l_2 V, \quad t = X V

approximately: the more accurately the smaller the pseudo-gradient is against that at 0, so that convergence is superlinear. M
is the diagonal of H, the preconditioner; a share of it, which falls with the gradient, is added to H. The radius r follows the
steps: rows that are surely wrong have no curvature, and a model without curvature reaches too far.

Source: steihaug1983conjugate for the trust region; derived here.
"""

from __future__ import annotations

import math

import numpy as np

from convex.engine.softmax_descent import line_search, promise, pseudo_gradient, smooth_gradient
from convex.engine.softmax_model import matrix_passes, model_step, written_down
from convex.engine.softmax_task import SoftmaxSnapshot, SoftmaxTask

__all__ = ["SoftmaxNewton"]

EPS = float(np.finfo(np.float64).eps)
DAMPING = 1e-3  # at the size of the gradient at 0; without a ridge, weights that all classes share have no curvature
ACCURACY = 1e-3  # of a model's solution, relative to the pseudo-gradient
FORCING = 0.1  # largest relative residual
GOOD, GROW = 0.75, 3.0  # share of the model's decrease from which a step that met the boundary widens the region
MOST_PRODUCTS = 250


class SoftmaxNewton:
    """Steps on one task; remembers the radius of the trust region."""

    def __init__(self, task: SoftmaxTask) -> None:
        """The first radius is that of the first step of conjugate gradients."""
        self.task, self.radius, self.short = task, math.inf, False
        # Norm of the gradient of the loss at W = 0 with the best intercepts: what a gradient is small against.
        self.natural = float(np.linalg.norm(np.outer(task.mean, task.frequency) - task.target))

    def step(
        self,
        snap: SoftmaxSnapshot,
        most: float = math.inf,  # passes; a step may take one or two more
    ) -> tuple[SoftmaxSnapshot | None, float]:
        """The next point (None: no step makes progress), and the passes that it took."""
        g = pseudo_gradient(self.task, snap)
        norm = float(np.linalg.norm(g))
        if norm == 0.0 or not math.isfinite(norm):
            return None, 0.0
        if written_down(self.task) and matrix_passes(self.task) <= most:
            return self._by_matrix(snap, g, norm, most - matrix_passes(self.task))
        return self._by_products(snap, g, norm, most)

    def _by_matrix(
        self, snap: SoftmaxSnapshot, g: np.ndarray, norm: float, most: float
    ) -> tuple[SoftmaxSnapshot | None, float]:
        smooth = smooth_gradient(self.task, snap)
        step = model_step(self.task, snap, smooth, ACCURACY * float(np.abs(g).max()))
        slope = promise(self.task, snap, smooth, step)
        after, _, passes = line_search(self.task, snap, norm, step, slope, most=most)
        return after, matrix_passes(self.task) + passes

    def _by_products(
        self, snap: SoftmaxSnapshot, g: np.ndarray, norm: float, most: float
    ) -> tuple[SoftmaxSnapshot | None, float]:
        task, d = self.task, self.task.rows.d
        free = (snap.U != 0.0) | (g != 0.0)
        free[d:] = True
        share = norm / max(self.natural, norm)
        weight = diagonal(task, snap)
        if math.isinf(self.radius):
            self.radius = math.sqrt(float(np.vdot(g, free / weight * g)))
        enough = min(FORCING, math.sqrt(share)) * norm
        step, decrease, met, products = conjugate_gradients(
            task, snap, -g, free, weight, enough, DAMPING * share, self.radius, most
        )
        if task.l1:
            step[:d][(snap.U[:d] == 0.0) & (step[:d] * g[:d] > 0.0)] = 0.0  # may leave 0 only downhill
        orthant = g if task.l1 else None
        after, length, passes = line_search(task, snap, norm, step, float(np.vdot(g, step)), orthant, most - products)
        self.short = length < 1.0
        if after is not None:
            good = snap.objective - after.objective >= GOOD * decrease
            size = math.sqrt(float(np.vdot(step, weight * step)))
            self.radius = length * size if length < 1.0 else self.radius * (GROW if met and good else 1.0)
        return after, products + 0.5 + passes


def hessian_product(task: SoftmaxTask, snap: SoftmaxSnapshot, V: np.ndarray) -> np.ndarray:
    """H V, with the ridge; (size, K)."""
    T = task.rows.scores(V)
    T -= np.vecdot(snap.pi, T)[:, None]
    T *= snap.pi
    T *= task.p[:, None]
    out = task.rows.scatter(T)
    out[: task.rows.d] += task.l2 * V[: task.rows.d]
    return out


def diagonal(task: SoftmaxTask, snap: SoftmaxSnapshot) -> np.ndarray:
    """Diagonal of H, positive; (size, K)."""
    out = task.rows.scatter_squares(snap.pi * (1.0 - snap.pi) * task.p[:, None])
    out[: task.rows.d] += task.l2
    return np.maximum(out, EPS * max(float(out.max()), EPS))


def conjugate_gradients(
    task: SoftmaxTask,
    snap: SoftmaxSnapshot,
    right: np.ndarray,  # (size, K)
    free: np.ndarray,  # (size, K) bool
    weight: np.ndarray,  # (size, K) diagonal of H
    enough: float,  # norm of the residual
    damping: float,  # share of the diagonal that is added
    radius: float,  # of the trust region, in the norm of the diagonal
    most: float = math.inf,  # passes
) -> tuple[np.ndarray, float, bool, float]:
    """V with (H + damping diag H)_FF V ≈ right_F, the decrease that the model expects, whether V met the radius, the passes."""
    V, residual = np.zeros_like(right), right * free
    inverse, product, met = free / weight, 0, False
    direction = inverse * residual
    square = float(np.vdot(residual, direction))
    while product < max(min(MOST_PRODUCTS, most), 1.0) and not met:
        product += 1
        image = (hessian_product(task, snap, direction) + damping * weight * direction) * free
        curvature, size = float(np.vdot(direction, image)), float(np.vdot(direction, weight * direction))
        flat = curvature <= 4.0 * EPS * size  # rounding: nothing changes along it
        length = math.inf if flat else square / curvature
        limit = to_boundary(float(np.vdot(V, weight * V)), float(np.vdot(V, weight * direction)), size, radius)
        if math.isinf(min(length, limit)):  # so short a direction that its square is 0
            break
        met = length >= limit
        V += min(length, limit) * direction
        residual -= min(length, limit) * image
        if float(np.linalg.norm(residual)) <= enough:
            break
        scaled = inverse * residual
        before, square = square, float(np.vdot(residual, scaled))
        direction = scaled + (square / before) * direction
    return V, 0.5 * float(np.vdot(V, right * free + residual)), met, float(product)


def to_boundary(inner: float, mixed: float, size: float, radius: float) -> float:
    """t > 0 with |V + t D| = radius, from |V|², V · D and |D|²."""
    room = max(radius * radius - inner, 0.0)
    reach = mixed + math.hypot(mixed, math.sqrt(size) * math.sqrt(room))
    return 0.0 if room == 0.0 else room / reach if reach > 0.0 else math.inf
