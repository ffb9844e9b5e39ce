r"""Softmax cross entropy with an elastic net: the problem, its snapshots, and the best intercepts.

.. math::
    P(W, b) = \sum_i p_i \Big[\log \sum_k e^{z_{ik}} - z_{i y_i}\Big] + l_1 \|W\|_1 + \tfrac{l_2}{2} \|W\|^2, \qquad
    z_i = W x_i + b, \qquad \pi_{ik} = e^{z_{ik}} / \textstyle\sum_l e^{z_{il}} .

The gradient is :math:`X^\top S` with :math:`S_i = p_i (\pi_i - e_{y_i})`. At the best intercepts the mean probabilities are the
frequencies of the classes, :math:`\sum_i p_i \pi_i = f`. They are found by Newton steps in K variables; where one of those
raises P, by :math:`b \leftarrow b + \delta`, :math:`\delta = \log f - \log \bar\pi` (iterative scaling), which never raises P:
by :math:`\log x \le x - 1` the change is at most :math:`\sum_k \bar\pi_k e^{\delta_k} - 1 - f \cdot \delta = -\mathrm{KL}(f \|
\bar\pi)`.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convex.engine.softmax_rows import SoftmaxRows

__all__ = ["SoftmaxSnapshot", "SoftmaxTask"]

EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class SoftmaxSnapshot:
    """A point at which a whole pass was made."""

    U: np.ndarray  # (size, K): weights, then the intercepts over the scale
    Z: np.ndarray  # (n, K) scores
    log_total: np.ndarray  # (n,) log Σ exp
    pi: np.ndarray  # (n, K) probabilities
    gradient: np.ndarray  # (size, K) of the loss
    loss: float
    objective: float


@dataclass(frozen=True)
class SoftmaxTask:
    """One problem; p sums to 1 and every class has a row."""

    rows: SoftmaxRows
    codes: np.ndarray  # (n,) class of each row, int64
    p: np.ndarray  # (n,)
    classes: int
    l1: float
    l2: float
    frequency: np.ndarray  # (K,) Σ p_i of each class
    target: np.ndarray  # (size, K) Xᵀ (p e_y)
    mean: np.ndarray  # (size,) Xᵀ p

    @classmethod
    def of(cls, rows: SoftmaxRows, codes: np.ndarray, p: np.ndarray, classes: int, l1: float, l2: float) -> SoftmaxTask:
        """The task with what its gap needs."""
        ones = np.zeros((rows.n, classes))
        ones[np.arange(rows.n), codes] = p
        mean = rows.scatter(p[:, None])[:, 0]
        return cls(rows, codes, p, classes, l1, l2, ones.sum(axis=0), rows.scatter(ones), mean)

    def penalty(self, U: np.ndarray) -> float:
        """R(W)."""
        W = U[: self.rows.d]
        return self.l1 * float(np.abs(W).sum()) + 0.5 * self.l2 * float(np.vdot(W, W))

    def slopes(self, pi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # (n, K), (n,)
        """p_i (π_i - e_y), and Σ_{k ≠ y} π_ik: sums of small numbers, where 1 - π_iy would be all rounding."""
        S, own = pi.copy(), (np.arange(self.rows.n), self.codes)
        S[own] = 0.0
        others = S @ np.ones(self.classes)
        S[own] = -others
        S *= self.p[:, None]
        return S, others

    def value(self, Z: np.ndarray, log_total: np.ndarray, others: np.ndarray) -> float:
        """Σ p_i φ(z_i), φ = -log π_y = -log(1 - Σ_{k ≠ y} π_k) where that is below log 2."""
        losses = log_total - Z[np.arange(self.rows.n), self.codes]
        losses = np.where(others < 0.5, -np.log1p(-np.minimum(others, 0.5)), losses)
        return float(self.p @ losses)

    def snapshot(
        self,
        U: np.ndarray,
        best_intercept: float | None = None,  # minimise over b, until frequencies agree to this relative accuracy
        Z: np.ndarray | None = None,  # scores of U, when they are known
    ) -> SoftmaxSnapshot:
        """One pass at U, or at U with the best intercepts."""
        Z = self.rows.scores(U) if Z is None else Z
        if best_intercept is not None and self.rows.scale:
            shift = self._best_shift(Z, best_intercept)
            Z, U = Z + shift, U.copy()
            U[self.rows.d] += shift / self.rows.scale
        log_total, pi = probabilities(Z)
        S, others = self.slopes(pi)
        loss, gradient = self.value(Z, log_total, others), self.rows.scatter(S)
        return SoftmaxSnapshot(U, Z, log_total, pi, gradient, loss, loss + self.penalty(U))

    def _best_shift(self, Z: np.ndarray, accuracy: float) -> np.ndarray:
        """(K,) what to add to every row of the scores."""
        shift, value, reach, scaling = np.zeros(self.classes), np.inf, 1.0, np.zeros(self.classes)
        best = shift
        for _ in range(100):
            log_total, pi = probabilities(Z + shift)
            now, mean = float(self.p @ log_total - self.frequency @ shift), self.p @ pi
            if now > value:  # a Newton step that was too long; iterative scaling is safe
                shift, reach, value = best + scaling, 0.25 * reach, np.inf
                continue
            best, value, residual = shift, now, mean - self.frequency
            if np.all(np.abs(residual) <= max(accuracy, 8 * EPS) * self.frequency):
                break
            scaling = np.log(self.frequency) - np.log(np.maximum(mean, TINY))
            step, reach = self._shift_step(pi, mean, residual), 2.0 * reach
            shift = shift + step * min(1.0, reach / max(float(np.abs(step).max()), TINY))
        return best - best.mean()

    def _shift_step(self, pi: np.ndarray, mean: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The Newton step."""
        hessian = np.diag(mean) - (pi * self.p[:, None]).T @ pi
        # The same shift of all classes changes nothing: the rank-one term fills that null direction, the step has none of it.
        # A class without any probability left has no curvature either: the least-norm step lets the others move.
        return -np.linalg.lstsq(hessian + mean.max() / self.classes, residual, rcond=1e-14)[0]


def probabilities(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # (n, K) -> (n,), (n, K)
    """log Σ exp of each row, and the softmax."""
    peak = Z.max(axis=1, keepdims=True)
    pi = np.exp(Z - peak)
    total = pi.sum(axis=1, keepdims=True)
    pi /= total
    return (peak + np.log(total))[:, 0], pi
