r"""The duality gap of softmax regression at a snapshot: an upper bound on P - P* that needs no other run.

For any q_i in the simplex with :math:`\sum_i p_i q_i = f` (the frequencies; only with an intercept) and
:math:`V = \sum_i p_i (e_{y_i} - q_i) x_i^\top`,

.. math::
    P(W, b) - D(q) = \sum_i p_i\, \mathrm{KL}(q_i \,\|\, \pi_i)
        + \sum_{jk} \Big[ \tfrac{l_2}{2} (w - u)^2 + |w|\,(l_1 - r \operatorname{sign} w) \Big],
    \qquad r = \operatorname{clip}(V, -l_1, l_1), \quad u = (V - r) / l_2 .

Every term is at least 0, so nothing cancels. From the probabilities π a feasible q is mixed: with :math:`\bar\pi = \sum_i p_i
\pi_i` and :math:`1 - t = \min(1, \min_k f_k / \bar\pi_k)`,

.. math:: q_i = (1 - t) \pi_i + c, \qquad c = f - (1 - t) \bar\pi \ge 0, \qquad \textstyle\sum_k c_k = t,

which is in the simplex and has mean f. Without a ridge |V| must not exceed l1: :math:`\tau q_i + (1 - \tau) e_{y_i}` has the
mean f too, and τV. With a ridge τ < 1 helps far from the optimum: the best of a few values is taken, τ = 0 among them, for
which D = 0.

Source: derived here.
"""

from __future__ import annotations

import math

import numpy as np

from convex.engine.softmax_task import SoftmaxSnapshot, SoftmaxTask

__all__ = ["softmax_gap"]

FAR = 0.1  # gap over objective above which a smaller dual point is tried


def softmax_gap(task: SoftmaxTask, snap: SoftmaxSnapshot) -> float:
    """P(W, b) - D(q) for the best q that is at hand; inf when the snapshot is not finite."""
    if not math.isfinite(snap.objective):
        return math.inf
    keep, constant = mixture(task, snap.pi) if task.rows.scale else (1.0, np.zeros(task.classes))
    q = keep * snap.pi + constant if keep < 1.0 or constant.any() else snap.pi
    d = task.rows.d
    V = ((1.0 - keep) * task.target - keep * snap.gradient - np.outer(task.mean, constant))[:d]
    gaps = [snap.objective]  # that of the dual point 0, whose dual objective is 0
    if task.l1 == 0.0 and task.l2 == 0.0:  # V = 0 would have to be exact
        return gaps[0]
    if task.l2 > 0.0:
        gaps.append(divergence(task, snap, q) + penalty_terms(task, snap.U[:d], V))
    for tau in shrinkages(task, q, V, min(gaps) if len(gaps) > 1 else math.inf, snap.objective):
        shrunk = tau * q
        shrunk[np.arange(task.rows.n), task.codes] += 1.0 - tau
        gaps.append(divergence(task, snap, shrunk) + penalty_terms(task, snap.U[:d], tau * V))
    return min(gaps)


def shrinkages(task: SoftmaxTask, q: np.ndarray, V: np.ndarray, gap: float, objective: float) -> list[float]:
    """Values of τ worth trying; none where the gap of τ = 1 is small already."""
    largest = float(np.abs(V).max(initial=0.0))
    tau = min(1.0, task.l1 / largest) if largest > 0.0 else 1.0
    if task.l2 == 0.0:
        return [tau]
    found = [tau] if 0.0 < tau < 1.0 else []
    if gap > FAR * objective:
        entropy = float(-(task.p @ (q * np.log(np.where(q > 0.0, q, 1.0))).sum(axis=1)))
        quadratic = float(np.sum(np.maximum(np.abs(V) - task.l1, 0.0) ** 2)) / (2.0 * task.l2)
        if entropy < 2.0 * quadratic:  # by concavity D(τ) >= τ entropy - τ² quadratic
            found.append(entropy / (2.0 * quadratic))
    return found


def mixture(task: SoftmaxTask, pi: np.ndarray) -> tuple[float, np.ndarray]:
    """(1 - t, c)."""
    mean = task.p @ pi
    keep = min(1.0, float((task.frequency / np.maximum(mean, np.finfo(np.float64).tiny)).min()))
    return keep, np.maximum(task.frequency - keep * mean, 0.0)


def divergence(
    task: SoftmaxTask,
    snap: SoftmaxSnapshot,
    q: np.ndarray,  # (n, K) rows in the simplex
) -> float:
    """Σ p_i KL(q_i || π_i), with log π = z - log Σ exp so that no probability is rounded to 0."""
    if q is snap.pi:
        return 0.0
    log_pi = snap.Z - snap.log_total[:, None]
    ratio = np.log(np.where(q > 0.0, q, 1.0)) - log_pi
    terms = q * ratio - q + snap.pi  # each at least 0; the rows of q and π have the same sum
    return max(float(np.sum(task.p * terms.sum(axis=1))), 0.0)


def penalty_terms(task: SoftmaxTask, W: np.ndarray, V: np.ndarray) -> float:  # both (d, K)
    """R(W) + R*(V) - <W, V>."""
    r = np.clip(V, -task.l1, task.l1)
    linear = float(np.sum(task.l1 * np.abs(W) - r * W))
    if task.l2 == 0.0:  # V is within l1 up to the rounding of τ
        return max(linear, 0.0)
    return max(linear, 0.0) + 0.5 * task.l2 * float(np.sum((W - (V - r) / task.l2) ** 2))
