r"""A duality gap without any penalty: the dual point that one Newton step of the primal leads to.

.. math::
    \theta' = -\varphi'(z) - \varphi''(z)\, \tilde X c, \qquad \tilde X^\top (p \circ \theta') = 0
    \iff \tilde X^\top \mathrm{diag}(p\,\varphi''(z))\, \tilde X c = -\nabla F(w)

Without l1 and l2 a dual point is feasible only if it is orthogonal to every column of the data; the slopes are not,
but this correction of them is (up to rounding, after one step of iterative refinement), and near the optimum it moves
each θ by a small share of itself, so it stays where the conjugate is finite. It takes a matrix of d² numbers: only
for few features.

Source: derived here.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from convex.engine.gap import loss_part
from convex.engine.hessian import curvatures, gram, gram_passes
from convex.engine.task import Snapshot, Task

__all__ = ["flattened", "flattened_passes", "unpenalised"]

FEW = 1000
ROUNDING = 1e-11  # of what a column sums up, that may be left of it; times |w_j| it is added to the gap


def unpenalised(task: Task) -> bool:
    """Whether this is the way to a certificate."""
    return task.l1 == 0.0 and task.l2 == 0.0 and task.rows.d <= FEW


def flattened_passes(task: Task) -> float:
    """What `flattened` costs."""
    return gram_passes(task.rows) + 2.0


def flattened(task: Task, snap: Snapshot) -> Snapshot | None:
    """The snapshot with corrected slopes, its `excess` what the correction adds to the gap; None where it cannot be made."""
    D = curvatures(task, snap)
    B = gram(task, D)
    size = B.shape[0]
    s, g = snap.s, snap.gradient
    for _ in range(2):
        c = np.zeros_like(snap.w)
        c[:size] = np.linalg.lstsq(B, -g[:size], rcond=None)[0]
        s = s + D * task.rows.scores(c, task.scale)
        g = task.rows.scatter(s, task.scale)
    # No column can sum up to more than this, by the inequality of Cauchy and Schwarz.
    lengths = np.sqrt(task.rows.squared_norms().sum() + task.rows.n * task.scale**2)
    if not float(np.abs(g).max(initial=0.0)) <= ROUNDING * float(np.linalg.norm(s)) * lengths:
        return None
    at = replace(snap, s=s, gradient=g)
    left = float(np.abs(snap.w) @ np.abs(g))
    excess = loss_part(task, at, 1.0) + left
    return replace(at, excess=excess, flat=True) if math.isfinite(excess) else None
