r"""DASVRDA: stages of AccSVRDA under outer momentum, with adaptive restart and, when asked, a step that grows.

.. math::
    \tilde y_s &= x_{s-1} + \frac{\vartheta_{s-1} - 1}{\vartheta_s} (x_{s-1} - x_{s-2})
        + \frac{\vartheta_{s-1}}{\vartheta_s} (z_{s-1} - x_{s-1}), \qquad \vartheta_s = c\,\frac{s + 2}{2}, \\
    (x_s, z_s) &= \text{AccSVRDA}(\tilde y_s, x_{s-1})

Growing the step: a stage is accepted when the stage lemma's inequality holds at the snapshot,

.. math:: P(x_m) - P(\tilde x) \le K (|\tilde y - \tilde x|^2 - |z_m - \tilde x|^2), \qquad K = \frac{2}{\eta m (m + 1)},

and η grows; else it is halved (not below the published one). The momentum goes on unless P went up: starting it anew
at every rejected stage needs up to 5 times as many passes where the problem is ill-conditioned (measured). The lemma
holds in expectation and at the optimum too, which cannot be tested: beyond the published step this is a heuristic,
and what vouches for the answer is the duality gap. Where P changes by no more than its rounding the step goes back
and the gradient scheme decides.

Source: murata2017doubly; the growing step is derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from convex.engine.options import Options
from convex.engine.progress import Progress
from convex.engine.sampling import Plan, contraction, gamma_star, step_size
from convex.engine.snapshot import snapshot
from convex.engine.task import Snapshot, Task

__all__ = ["accelerate"]

HALVE = 0.5
ROUNDING = 1e-14  # relative to P: smaller differences say nothing


@dataclass(frozen=True)
class Stage:
    """What a stage hands back."""

    x: np.ndarray
    z: np.ndarray
    near: float  # |ỹ - x̃|²
    far: float  # |z_m - x̃|²
    back: float  # (ỹ_s - x_s) · (ỹ_{s+1} - x_s): positive when the momentum points back


def run_stage(
    task: Task,
    plan: Plan,
    rng: np.random.Generator,
    snap: Snapshot,
    before: np.ndarray,
    z: np.ndarray,
    theta: tuple[float, float, float],  # ϑ_{s-1}, ϑ_s, ϑ_{s+1}
    eta: float,
) -> Stage:
    """One stage of AccSVRDA around the snapshot."""
    x_out, z_out = np.empty_like(z), np.empty_like(z)
    outer = ((theta[0] - 1.0) / theta[1], theta[0] / theta[1], (theta[1] - 1.0) / theta[2], theta[1] / theta[2])
    numbers = task.rows.kernels.stage(
        *task.rows.arrays,
        *(task.y, task.p, snap.s, task.loss),
        *plan.draw(rng),
        (eta, task.l1, task.l2),
        *(snap.w, before, z, outer, snap.gradient),
        *(x_out, z_out),
    )
    return Stage(x_out, z_out, *numbers)


def accepted(plan: Plan, eta: float, gain: float, stage: Stage) -> bool:
    """Whether the stage lemma's inequality holds at the snapshot."""
    return -gain <= 2.0 / (eta * plan.length * (plan.length + 1)) * (stage.near - stage.far)


def restarts(options: Options, gain: float, visible: bool, stage: Stage) -> bool:
    """Whether the momentum starts anew."""
    if options.restart == "function" and visible:
        return gain < 0.0
    return stage.back > 0.0 and (options.restart is not None or (options.grow_step and not visible))


def growth(rejected: int) -> float:
    """The factor of η after an accepted stage: fast at first, slow near the step that the data allow."""
    return 1.0 + 0.6 * max(1.0 / (1.0 + 2.0 * rejected), 0.2)


def accelerate(
    task: Task,
    plan: Plan,
    start: Snapshot,
    options: Options,
    rng: np.random.Generator,
    progress: Progress,
    leave: Callable[[Snapshot], bool] = lambda _: False,  # whether to stop at a snapshot
) -> Snapshot:
    """Run from a recorded snapshot until `progress` is over; the last snapshot, or the best one of a heuristic step."""
    gamma = gamma_star(plan.length, plan.batch)
    c = contraction(gamma, options.sharp_constants)
    least = eta = step_size(gamma, plan.length, plan.batch, plan.smoothness)
    now = best = start
    before, z, s, rejected = now.w, now.w, 1, 0
    while not (progress.over or leave(now)):
        theta = (0.5 * c * (s + 1), 0.5 * c * (s + 2), 0.5 * c * (s + 3))
        stage = run_stage(task, plan, rng, now, before, z, theta, eta)
        after = snapshot(task, stage.x, options.exact_intercept, progress.tol)
        progress.passes += 1.0 + plan.passes
        progress.record(task, after, "dasvrda")
        gain = now.objective - after.objective
        visible = abs(gain) > ROUNDING * abs(now.objective)
        again = restarts(options, gain, visible, stage)
        if options.grow_step and visible and accepted(plan, eta, gain, stage):
            eta *= growth(rejected)
        elif options.grow_step:
            eta, rejected = max(eta * HALVE, least), rejected + visible
        if after.objective <= best.objective + ROUNDING * abs(best.objective):
            best = after
        if again:
            now = best if options.grow_step and visible else after
            before, z, s = now.w, now.w, 1
        else:
            before, z, s, now = now.w, stage.z, s + 1, after
    return best if options.grow_step else now
