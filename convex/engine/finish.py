r"""What ends a run that first-order steps began, or does all of it: one method for each kind of problem.

============================  ==============================================================================
features                      method
============================  ==============================================================================
at most 1000                  proximal Newton steps with a Hessian that is written down
more, l1 = 0                  dual coordinate ascent from 0 (sparse rows), then Newton steps truncated
more, l1 > 0                  working sets of columns, proximal Newton steps on each
============================  ==============================================================================

Each is monotone in P (dual ascent: in D, and its last point counts only if it is better), and ends by the certified gap.

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
    """Go on from a recorded snapshot until `progress` is over or steps make no difference; the best snapshot found.

    Works from w = 0 as well as from a point nearby.
    """
    if task.rows.d <= FEW:
        snap = newton(task, snap, progress, rng)
    elif task.l1 > 0.0:
        return working_sets(task, snap, progress)
    elif task.rows.kernels is kernels_csr and not np.any(snap.w[:-1]) and task.l2 > 0.0:
        snap = dual_ascent(task, snap, progress, rng)
    if progress.over or task.l1 > 0.0:
        return snap
    return truncated_newton(task, snap, progress)
