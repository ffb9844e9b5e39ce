r"""The duality gap of a snapshot: an upper bound on P - P* that needs no other run.

.. math::
    P(w, b) - D(\theta) = \sum_i p_i \big[\varphi(z_i) + \varphi^*(-\theta_i) + \theta_i z_i\big]
        + \big[R(w) + R^*(v) - w \cdot v\big], \quad v = \sum_i p_i \theta_i x_i, \quad \sum_i p_i \theta_i = 0

Both brackets are sums of Fenchel-Young terms, none of them negative, so nothing cancels: the gap is accurate far
below the rounding of P. The first bracket is 0 for θ = -φ'(z). A point scaled down to τ θ pays there and gains in R*:
without a ridge |v|_∞ <= l1 is needed, and beside a tiny one it is still worth while, so τ = min(1, l1 / |v|_∞) is
tried.

Source: derived here.
"""

from __future__ import annotations

import math

from convex.engine import kernels_gap, numpy_losses
from convex.engine.task import Snapshot, Task

__all__ = ["certified_gap", "gap_below", "least_gap"]


def loss_part(task: Task, snap: Snapshot, tau: float) -> float:
    """Σ p_i [φ(z_i) + φ*(-τ θ_i) + τ θ_i z_i], θ_i = -s_i / p_i; a rounding below 0 is 0."""
    function = kernels_gap.young_rows if task.compiled else numpy_losses.young_rows
    return max(function(task.code, snap.z, task.y, task.p, snap.s, tau, task.delta), 0.0)


def gap_below(task: Task, snap: Snapshot, tol: float) -> tuple[float, float]:
    """(gap, τ) of the dual point -τ s / p, certified; (inf, τ) where it is above tol for sure and was not computed."""
    if not math.isfinite(snap.excess):
        return math.inf, 1.0
    terms = snap.penalty
    gap, scale = snap.excess if snap.flat else math.inf, 1.0
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
    """(gap, τ), always computed."""
    return gap_below(task, snap, math.inf)
