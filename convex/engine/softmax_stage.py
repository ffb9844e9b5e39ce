r"""DASVRDA for softmax regression: stages of AccSVRDA under outer momentum, with adaptive restart and a step that grows.

The same method as `accelerate.py` for K columns of weights. A mini-batch is one matrix product with the drawn rows, so the
batch is larger where a row has few entries against the d K numbers that each step has to move.

.. math:: L_i = \tfrac12 (|x_i|^2 + s^2) \quad \text{since } \operatorname{diag}(\pi) - \pi \pi^\top \preceq \tfrac12 I .

Source: murata2017doubly; the growing step is derived here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convex.engine import softmax_kernels
from convex.engine.compiled import HAS_NUMBA
from convex.engine.options import Options
from convex.engine.sampling import contraction, gamma_star, step_size
from convex.engine.softmax_task import SoftmaxSnapshot, SoftmaxTask, probabilities

__all__ = ["SoftmaxStages"]

NEARLY_EQUAL = 1.5  # max L / mean L up to which equal chances cost less than importance sampling
GROW, HALVE = 1.3, 0.5


@dataclass
class SoftmaxStages:
    """The state of the outer loop; `step` runs one stage."""

    task: SoftmaxTask
    options: Options
    rng: np.random.Generator

    def __post_init__(self) -> None:
        """Batch, chances and the step that they allow."""
        rows, n = self.task.rows, self.task.rows.n
        L = self.task.p * 0.5 * (rows.squared_norms() + rows.scale**2)
        mean, largest = float(L.sum()), n * float(L.max())
        uniform = self.options.importance == "uniform" or mean == 0.0
        uniform = uniform or (self.options.contiguous and largest <= NEARLY_EQUAL * mean)
        self.chance = None if uniform else L / mean
        self.batch = min(n, self.options.batch or automatic_batch(rows.n, rows.size, rows.entries))
        self.length = max(1, n // self.batch)
        gamma = gamma_star(self.length, self.batch)
        self.c = contraction(gamma, self.options.sharp_constants)
        self.eta = step_size(gamma, self.length, self.batch, (largest if uniform else mean) or 1.0)
        self.stage, self.before, self.z = 1, None, None

    @property
    def passes(self) -> float:
        """Gradients of a stage over n, with the snapshot at its end."""
        return self.length * self.batch / self.task.rows.n + 1.0

    def step(
        self,
        now: SoftmaxSnapshot,
        accuracy: float | None,  # of the intercepts of the next snapshot; None: as the stage left them
    ) -> SoftmaxSnapshot:
        """One stage from `now`; what comes back may be worse, then the momentum has been dropped."""
        x = now.U
        if self.before is None or self.z is None:
            self.stage, self.before, self.z = 1, x, x
        theta, theta_before = 0.5 * self.c * (self.stage + 2), 0.5 * self.c * (self.stage + 1)
        start = x + ((theta_before - 1.0) / theta) * (x - self.before) + (theta_before / theta) * (self.z - x)
        x_next, z = self._run(now, start)
        after = self.task.snapshot(x_next, accuracy)
        again = self.options.restart == "function" and not after.objective <= now.objective
        if self.options.restart == "gradient":
            theta_next = 0.5 * self.c * (self.stage + 3)
            ahead = x_next + ((theta - 1.0) / theta_next) * (x_next - x) + (theta / theta_next) * (z - x_next)
            again = float(np.vdot(start - x_next, ahead - x_next)) > 0.0
        if self.options.grow_step:
            again = not self._accepted(after.objective - now.objective, start - x, z - x) or again
        self.stage, self.before, self.z = (1, None, None) if again else (self.stage + 1, x, z)
        return after

    def restart(self) -> None:
        """Forget the momentum: the next stage begins at another point."""
        self.before, self.z = None, None

    def _accepted(self, change: float, near: np.ndarray, far: np.ndarray) -> bool:
        """Whether the stage lemma's inequality holds at the snapshot; moves the step size."""
        scale = 2.0 / (self.eta * self.length * (self.length + 1))
        accepted = change <= scale * (float(np.vdot(near, near)) - float(np.vdot(far, far)))
        self.eta *= GROW if accepted else HALVE
        return accepted

    def _run(self, now: SoftmaxSnapshot, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(x_m, z_m) of AccSVRDA."""
        task, shape = self.task, start.shape
        x, z, point = start.ravel().copy(), start.ravel().copy(), start.ravel().copy()
        origin, gradient, noise = start.ravel(), now.gradient.ravel(), np.zeros(start.size)
        step, penalised = (self.eta, task.l1, task.l2), task.rows.d * task.classes
        for k, (drawn, weights) in enumerate(self._draw(), start=1):
            pi = probabilities(task.rows.scores(point.reshape(shape), drawn))[1]
            change = (pi - now.pi[drawn]) * (0.5 * k * weights)[:, None]
            noise += task.rows.scatter(change, drawn).ravel()
            average(k, step, penalised, origin, gradient, noise, x, z, point)
        return x.reshape(shape), z.reshape(shape)

    def _draw(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row numbers and p_i / (b q_i) of each mini-batch."""
        n, m, b, p = self.task.rows.n, self.length, self.batch, self.task.p
        if self.chance is not None:
            drawn = self.rng.choice(n, size=(m, b), p=self.chance)
            return zip(drawn, p[drawn] / (b * self.chance[drawn]), strict=True)
        drawn = (
            self.rng.permutation(n)[: m * b].reshape(m, b)
            if self.options.contiguous
            else self.rng.integers(n, size=(m, b))
        )
        return zip(drawn, p[drawn] * (n / b), strict=True)


def automatic_batch(n: int, size: int, entries: int) -> int:
    """About sqrt(n), or as many rows as have two entries per row of U, whichever is more; at most n / 4."""
    balanced = 2.0 * size * n / max(entries, 1)
    return max(1, min(int(max(math.sqrt(n), balanced)), n // 4))


def average(k, step, penalised, start, gradient, noise, x, z, point) -> None:
    """`softmax_kernels.average`, or the same on whole arrays without numba."""
    if HAS_NUMBA:
        softmax_kernels.average(k, step, penalised, start, gradient, noise, x, z, point)
        return
    eta, l1, l2 = step
    weight = 0.25 * k * (k + 1)
    z[:] = start - eta * (weight * gradient + noise)
    head = z[:penalised]
    head[:] = np.sign(head) * np.maximum(np.abs(head) - eta * weight * l1, 0.0) / (1.0 + eta * weight * l2)
    x += 2.0 / (k + 1) * (z - x)
    point[:] = x + 2.0 / (k + 2) * (z - x)
