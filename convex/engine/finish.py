r"""Second-order and coordinate methods that end what first-order steps began, or do all of it where the problem is small.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from convex.engine import kernels_csr
from convex.engine.conjugate_gradient import truncated_newton
from convex.engine.dual_ascent import dual_ascent
from convex.engine.newton import newton
from convex.engine.progress import Progress
from convex.engine.task import Snapshot, Task
from convex.engine.working_set import working_sets

__all__ = ["finish"]

FEW = 1000  # features whose Gram matrix is written down


def finish(task: Task, snap: Snapshot, progress: Progress, rng: np.random.Generator) -> Snapshot:
    """From a recorded snapshot."""
    if task.rows.d <= FEW:
        snap = newton(task, snap, progress, rng)
    elif task.l1 > 0.0:
        return working_sets(task, snap, progress)
    elif task.rows.kernels is kernels_csr and not np.any(snap.w[:-1]):
        snap = dual_ascent(task, snap, progress, rng)
    if progress.over or task.l1 > 0.0:
        return snap
    return truncated_newton(task, snap, progress)
