r"""Points of a softmax regression with dual points beside them, whose feasibility is exact and not a matter of tolerance.

.. math::
    D(q) = \sum_i p_i H(q_i) - R^*(V), \qquad V = \sum_i p_i (e_{y_i} - q_i)\, x_i^\top, \qquad
    q_i \in \Delta_K, \quad \sum_i p_i (e_{y_i} - q_i) = 0 \text{ with intercepts},

with the entropy H. A dual point is kept as its flow :math:`\alpha_i = w_i (e_{y_i} - q_i)` on a grid of dyadic numbers, where
the sums over classes and over samples can be exactly 0.

Source: derived here (docs/proofs/dasvrda.md#softmax-gap).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import frexp, inf, ldexp

import numpy as np
from scipy.special import entr, logsumexp, softmax

from convex.theorems.certificates import balanced, grid_bits

__all__ = ["SoftmaxPoints", "SoftmaxProblem", "softmax_descent"]

MARGIN = 1e-11  # share of the frequencies in a dual point: rounding to the grid is smaller, so entries stay positive


@dataclass(frozen=True, eq=False)
class SoftmaxProblem:
    """Σ p_i [log Σ_k exp z_ik - z_i,y_i] + l1 |W|_1 + (l2/2) |W|², z_i = W x_i + b."""

    X: np.ndarray = field(repr=False)  # (n, d)
    codes: np.ndarray = field(repr=False)  # (n,) classes 0..K-1
    l1: float
    l2: float
    intercept: bool
    weights: np.ndarray = field(repr=False)  # (n,) positive, not normalised

    @property
    def classes(self) -> int:
        """K."""
        return int(np.max(self.codes)) + 1

    @property
    def mass(self) -> np.ndarray:  # (n,)
        """p_i."""
        return self.weights / np.sum(self.weights)

    @property
    def target(self) -> np.ndarray:  # (n, K)
        """e_{y_i}."""
        return np.eye(self.classes)[self.codes]

    def scores(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:  # (..., K, d), (..., K) -> (..., n, K)
        """z."""
        return self.X @ np.swapaxes(coef, -1, -2) + intercept[..., None, :]

    def primal(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:  # (..., K, d), (..., K) -> (...)
        """P."""
        z = self.scores(coef, intercept)
        losses = logsumexp(z, axis=-1) - np.sum(z * self.target, axis=-1)
        penalty = self.l1 * np.abs(coef) + self.l2 / 2 * coef**2
        return losses @ self.mass + np.sum(penalty, axis=(-2, -1))

    def dual(self, flow: np.ndarray) -> np.ndarray:  # (..., n, K) -> (...)
        """D, -inf outside of its domain (without a ridge: beyond l1 by more than 1e-12 of it)."""
        q = self.probabilities(flow)
        entropy = np.sum(entr(q), axis=-1) @ self.mass  # entr is -inf for a negative number
        beyond = np.maximum(np.abs(self.slopes(flow)) - self.l1, 0.0)
        if self.l2 > 0:
            return entropy - np.sum(beyond**2, axis=(-2, -1)) / (2.0 * self.l2)
        return np.where(np.any(beyond > 1e-12 * self.l1, axis=(-2, -1)), -inf, entropy)

    def probabilities(self, flow: np.ndarray) -> np.ndarray:  # (..., n, K) -> (..., n, K)
        """q_i."""
        return self.target - flow / self.weights[:, None]

    def slopes(self, flow: np.ndarray) -> np.ndarray:  # (..., n, K) -> (..., K, d)
        """V."""
        return np.swapaxes(flow, -1, -2) @ self.X / np.sum(self.weights)

    def flow_at(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:  # (K, d), (K,) -> (n, K)
        """A feasible flow from the probabilities of a point; scaled down where there is no ridge."""
        frequency = self.mass @ self.target
        q = softmax(self.scores(coef, intercept), axis=-1)
        if self.intercept:  # the part of q that is there, and the rest of the frequencies for everybody
            mean = self.mass @ q
            keep = min(1.0, float(np.min(frequency / mean)))
            q = keep * q + np.maximum(frequency - keep * mean, 0.0)
        q = (1.0 - MARGIN) * q + MARGIN * frequency
        flow = self.weights[:, None] * (self.target - q / np.sum(q, axis=1, keepdims=True))
        height = float(np.max(np.abs(self.slopes(flow))))
        if self.l2 == 0 and height > self.l1 * (1.0 - 1e-9):  # towards e_y, which has V = 0
            flow = flow * (self.l1 * (1.0 - 1e-9) / height)
        return on_grid(flow, self.intercept)


@dataclass(frozen=True, eq=False)
class SoftmaxPoints:
    """k points with k dual points, and a better pair beside them that brackets the least value."""

    problem: SoftmaxProblem
    coef: np.ndarray = field(repr=False)  # (k, K, d)
    intercept: np.ndarray = field(repr=False)  # (k, K)
    flow: np.ndarray = field(repr=False)  # (k, n, K)
    best_coef: np.ndarray = field(repr=False)  # (K, d)
    best_intercept: np.ndarray = field(repr=False)  # (K,)
    best_flow: np.ndarray = field(repr=False)  # (n, K)


def on_grid(flow: np.ndarray, frequencies: bool) -> np.ndarray:  # (n, K) -> (n, K)
    """The flow with sums over classes, and if asked over samples, that are exactly 0; moved by a few units of the grid."""
    largest = float(np.max(np.abs(flow)))
    unit = ldexp(1.0, frexp(largest)[1] - grid_bits(len(flow)))
    columns = [
        balanced(column, largest) if frequencies else np.trunc(column / unit) * unit for column in flow[:, :-1].T
    ]
    first = np.stack(columns, axis=1)
    return np.concatenate([first, -np.sum(first, axis=1, keepdims=True)], axis=1)


def softmax_descent(problem: SoftmaxProblem, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Accelerated proximal gradient from 0, restarted when it turns: every (W, b), (steps + 1, K, d) and (steps + 1, K)."""
    columns = np.concatenate([problem.X, np.full((len(problem.X), 1), float(problem.intercept))], axis=1)
    step = 1.0 / (0.5 * float(np.linalg.eigvalsh((columns.T * problem.mass) @ columns)[-1]) * (1 + 1e-12) + problem.l2)
    penalised = np.r_[np.ones(problem.X.shape[1]), 0.0]
    U = Y = np.zeros((problem.classes, columns.shape[1]))
    points, t = [U], 1.0
    for _ in range(steps):
        residual = problem.mass[:, None] * (softmax(columns @ Y.T, axis=1) - problem.target)
        V = Y - step * (residual.T @ columns + problem.l2 * penalised * Y)
        new = np.sign(V) * np.maximum(np.abs(V) - step * problem.l1 * penalised, 0.0)
        turned = float(np.sum((Y - new) * (new - U))) > 0
        following = 1.0 if turned else (1.0 + (1.0 + 4.0 * t * t) ** 0.5) / 2.0
        Y = new if turned else new + (t - 1.0) / following * (new - U)
        U, t = new, following
        points.append(U)
    path = np.stack(points)
    return path[:, :, :-1], path[:, :, -1]
