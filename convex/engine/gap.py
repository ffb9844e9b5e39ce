r"""The duality gap of a snapshot: an upper bound on P - P* that needs no other run.

.. math::
    P(w, b) - D(\theta) = \sum_i p_i \big[\varphi(z_i) + \varphi^*(-\theta_i) + \theta_i z_i\big]
        + \big[R(w) + R^*(v) - w \cdot v\big], \quad v = \sum_i p_i \theta_i x_i, \quad \sum_i p_i \theta_i = 0

Both brackets are sums of Fenchel-Young terms, none of them negative, so nothing cancels: the gap is accurate far
below the rounding of P. The first bracket is 0 for θ = -φ'(z). A point scaled down to τ θ pays there and gains in R*:
without a ridge |v|_∞ <= l1 is needed, and beside a tiny one it is still worth while, so τ = min(1, l1 / |v|_∞) is
tried.

At τ = 0 every loss here has φ*(0) = -inf φ = 0, and R*(0) = 0: D(0) = 0, and the gap is never above P, whatever the
data. On the way there, as -φ* is concave and R*(τ v) <= τ² R*(v),

.. math:: D(\tau\theta) \ge \tau A - \tau^2 R^*(v), \qquad A = -\sum_i p_i \varphi^*(-\theta_i),
    \qquad \max_\tau = \frac{A^2}{4 R^*(v)} \text{ at } \tau = \frac{A}{2 R^*(v)} \le 1 .

Source: derived here.
"""

from __future__ import annotations

import math

import numpy as np

from convex.engine import kernels_gap, numpy_losses
from convex.engine.task import Snapshot, Task

__all__ = ["certified_gap", "gap_below", "least_gap"]


def loss_part(task: Task, snap: Snapshot, tau: float) -> float:
    """Σ p_i [φ(z_i) + φ*(-τ θ_i) + τ θ_i z_i], θ_i = -s_i / p_i; a rounding below 0 is 0."""
    function = kernels_gap.young_rows if task.compiled else numpy_losses.young_rows
    return max(function(task.code, snap.z, task.y, task.p, snap.s, tau, task.delta), 0.0)


def gap_below(task: Task, snap: Snapshot, tol: float) -> tuple[float, float]:
    """(gap, τ) of the dual point -τ s / p, certified; (inf, τ) where it is above tol for sure and was not computed."""
    gap, tau = fenchel_gap(task, snap, tol) if math.isfinite(snap.excess) else (math.inf, 1.0)
    return (snap.objective, 0.0) if snap.objective <= tol and not gap <= snap.objective else (gap, tau)


def fenchel_gap(task: Task, snap: Snapshot, tol: float) -> tuple[float, float]:
    """The same from the sums of Fenchel-Young terms, of a snapshot with Σ s = 0."""
    terms = snap.penalty
    if task.l1 == 0.0 and task.l2 == 0.0:  # without a bound on the minimiser even v = 0 proves nothing: it was rounded
        return snap.excess if snap.flat else math.inf, 1.0
    gap, scale = math.inf, 1.0
    if task.l2 > 0.0:
        gap = max(terms.young, 0.0) + snap.excess
        if task.l1 == 0.0:
            return gap, 1.0
    tau = 1.0 if terms.largest <= task.l1 else task.l1 / terms.largest
    part = max(terms.value - tau * terms.product, 0.0)
    if part < min(gap, tol):
        scaled = part + loss_part(task, snap, tau)
        if scaled < gap:
            gap, scale = scaled, tau
    return gap, scale


def least_gap(task: Task, snap: Snapshot) -> float:
    """What the penalty contributes: the gap is not smaller."""
    terms = snap.penalty
    if task.l2 > 0.0:
        return max(terms.young, 0.0)
    tau = 1.0 if terms.largest <= task.l1 else task.l1 / terms.largest
    return max(terms.value - tau * terms.product, 0.0)


def certified_gap(task: Task, snap: Snapshot) -> tuple[float, float]:
    """(gap, τ), always computed, and the best that is at hand."""
    gap, tau = gap_below(task, snap, math.inf)
    if task.l2 > 0.0 and math.isfinite(snap.excess):
        terms = snap.penalty
        conjugate = terms.young - terms.value + terms.product  # R*(v)
        reached = snap.loss + terms.product - snap.excess  # A, or a little less
        if 0.0 < reached < 2.0 * conjugate and snap.objective - 0.25 * reached * (reached / conjugate) < gap:
            shrunk = 0.5 * reached / conjugate
            over = np.maximum(shrunk * np.abs(snap.gradient[:-1]) - task.l1, 0.0)
            part = terms.value - shrunk * terms.product + 0.5 * float(over @ over) / task.l2
            gap, tau = min((max(part, 0.0) + loss_part(task, snap, shrunk), shrunk), (gap, tau))
    return gap, tau
