r"""What all Newton steps of softmax regression share: gradients, and a step along a line that never goes up.

.. math::
    \tilde g = \begin{cases} g + l_1 \mathrm{sign}(w) & w \ne 0 \\ \mathrm{sign}(g)\,(|g| - l_1)_+ & w = 0 \end{cases}, \qquad
    g = X^\top S + l_2 w

is the element of ∂P of smallest size. A step is halved until P falls by a share of what its linear model promises; near the
optimum, where P is all rounding, until the pseudo-gradient is halved. Along :math:`\mathrm{P}_{\text{orthant}}(w + t \Delta)`
what would change its sign is set to 0.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine.softmax_task import SoftmaxSnapshot, SoftmaxTask

__all__ = ["line_search", "promise", "pseudo_gradient", "smooth_gradient"]

EPS = float(np.finfo(np.float64).eps)
DECREASE = 1e-4  # of the promised change, that a step has to reach
HALF = 0.5
HALVINGS = 30


def smooth_gradient(task: SoftmaxTask, snap: SoftmaxSnapshot) -> np.ndarray:  # (size, K)
    """Gradient of the loss and the ridge."""
    g = snap.gradient.copy()
    g[: task.rows.d] += task.l2 * snap.U[: task.rows.d]
    return g


def pseudo_gradient(task: SoftmaxTask, snap: SoftmaxSnapshot) -> np.ndarray:  # (size, K)
    """The element of smallest size of ∂P."""
    g = smooth_gradient(task, snap)
    if task.l1:
        W, head = snap.U[: task.rows.d], g[: task.rows.d]
        at_zero = np.sign(head) * np.maximum(np.abs(head) - task.l1, 0.0)
        head[:] = np.where(W != 0.0, head + task.l1 * np.sign(W), at_zero)
    return g


def promise(task: SoftmaxTask, snap: SoftmaxSnapshot, g: np.ndarray, step: np.ndarray) -> float:
    """The change of P that its linear model promises."""
    d = task.rows.d
    kinks = float(np.sum(np.abs(snap.U[:d] + step[:d]) - np.abs(snap.U[:d]))) if task.l1 else 0.0
    return float(np.vdot(g, step)) + task.l1 * kinks


def line_search(
    task: SoftmaxTask,
    snap: SoftmaxSnapshot,
    norm: float,  # of the pseudo-gradient
    step: np.ndarray,
    slope: float,  # change of P that the whole step promises
    orthant: np.ndarray | None = None,  # the pseudo-gradient, where signs have to stay
    most: float = np.inf,  # passes, after which no other length is tried
) -> tuple[SoftmaxSnapshot | None, float, float]:
    """The snapshot after the first step of length 1, 1/2, ... that makes progress (None: none does), the length, the passes."""
    if not slope < 0.0:
        return None, 0.0, 0.0
    change, rounding = task.rows.scores(step), 8.0 * EPS * max(abs(snap.objective), 1.0)
    length, passes = 1.0, 0.5
    for _ in range(HALVINGS):
        U, crossed = projected(task, snap.U, step, length, orthant)
        Z = task.rows.scores(U) if crossed else snap.Z + length * change
        after = task.snapshot(U, None, Z)
        passes += 1.0 if crossed else 0.5
        decrease = after.objective - snap.objective
        if decrease <= DECREASE * length * slope - rounding:
            return after, length, passes
        if abs(decrease) <= rounding and np.linalg.norm(pseudo_gradient(task, after)) <= HALF * norm:
            return after, length, passes
        length *= 0.5
        if passes >= most:
            break
    return None, 0.0, passes


def projected(
    task: SoftmaxTask, U: np.ndarray, step: np.ndarray, length: float, g: np.ndarray | None
) -> tuple[np.ndarray, bool]:
    """U + length · step with what changes its sign set to 0, and whether anything did."""
    moved = U + length * step
    if g is None:
        return moved, False
    d = task.rows.d
    sign = np.where(U[:d] != 0.0, np.sign(U[:d]), -np.sign(g[:d]))
    crossing = moved[:d] * sign < 0.0
    moved[:d][crossing] = 0.0
    return moved, bool(crossing.any())
