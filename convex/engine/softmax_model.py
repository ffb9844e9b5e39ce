r"""Proximal Newton steps for softmax regression where the matrix is small enough to be written down.

.. math::
    \Delta = \arg\min_\Delta \; g \cdot \Delta + \tfrac12 \Delta^\top (H + l_2 I) \Delta + l_1 |w + \Delta|_1, \qquad
    H_{(jk)(j'l)} = \sum_i p_i\, x_{ij} x_{ij'} (\pi_{ik} \delta_{kl} - \pi_{ik} \pi_{il})

The penalty is kept as it is, so that a step may change any sign: where the classes share a weight, H has no curvature and the
kinks of the penalty decide. The matrix costs d (K + 1) / 4 passes.

Source: derived here; lee2014proximal for proximal Newton.
"""

from __future__ import annotations

import numpy as np

from convex.engine.quadratic import GramModel, minimise_model
from convex.engine.softmax_task import SoftmaxSnapshot, SoftmaxTask

__all__ = ["matrix_passes", "model_step", "written_down"]

WITH_KINKS, SMOOTH = 150.0, 50.0  # most passes that a matrix may cost, with an L1 penalty and without
LARGEST = 1500  # rows of the matrix
BLOCK = 2**20  # numbers of X that are dense at a time


def matrix_passes(task: SoftmaxTask) -> float:
    """What H costs."""
    return (
        task.rows.size * (task.classes + 1) / 4.0 * max(1.0, task.rows.n * task.rows.size / max(task.rows.entries, 1))
    )


def written_down(task: SoftmaxTask) -> bool:
    """Whether H is worth its cost."""
    small = task.rows.size * task.classes <= LARGEST
    return small and matrix_passes(task) <= (WITH_KINKS if task.l1 else SMOOTH)


def model_step(
    task: SoftmaxTask,
    snap: SoftmaxSnapshot,
    g: np.ndarray,  # (size, K) gradient of the smooth part
    accuracy: float,  # of the model's optimality conditions
) -> np.ndarray:  # (size, K)
    """The step."""
    model = GramModel(hessian(task, snap), g.ravel(), task.l2, task.rows.d * task.classes)
    w = snap.U.ravel()
    return (minimise_model(model, w, task.l1, accuracy) - w).reshape(g.shape)


def hessian(task: SoftmaxTask, snap: SoftmaxSnapshot) -> np.ndarray:
    """H of the loss, (size K, size K)."""
    size, K = task.rows.size, task.classes
    H = np.zeros((size, K, size, K))
    for start, X in task.rows.dense_blocks(BLOCK):
        pi, p = (part[start : start + len(X)] for part in (snap.pi, task.p))
        for k in range(K):
            for other in range(k + 1):
                weight = p * pi[:, k] * ((1.0 if k == other else 0.0) - pi[:, other])
                H[:, k, :, other] += (X * weight[:, None]).T @ X
    for k in range(K):
        for other in range(k):
            H[:, other, :, k] = H[:, k, :, other]
    return H.reshape(size * K, size * K)
