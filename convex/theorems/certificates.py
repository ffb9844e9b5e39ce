r"""Points of a linear model with dual points beside them, whose feasibility is exact and not a matter of tolerance.

.. math::
    D(\alpha) = -\sum_i p_i \varphi^*(-\theta_i; y_i) - R^*(v), \qquad \theta_i = \frac{\alpha_i}{w_i}, \quad
    v = \frac1W \sum_i \alpha_i x_i, \quad p_i = \frac{w_i}W, \quad W = \sum_i w_i .

With an intercept :math:`\sum_i \alpha_i = 0` is needed, exactly: whatever is left of it is multiplied by an intercept that
nothing bounds. So the dual point is kept as its flow :math:`\alpha_i = w_i \theta_i` on a grid of dyadic numbers, where sums
are exact.

Source: derived here (docs/proofs/dasvrda.md#duality-gap).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import frexp, fsum, inf, ldexp

import numpy as np

__all__ = ["GapRun", "LinearProblem", "balanced", "descent", "grid_bits", "is_balanced", "scaled_inside"]


def _scalar():
    """The losses of the engine; its compiler is imported when a gap is computed, and not to list the theorems."""
    from convex.engine import losses

    return losses


def _rowwise():
    """The same on whole arrays."""
    from convex.engine import numpy_losses

    return numpy_losses


def grid_bits(n: int) -> int:
    """Bits that an entry keeps, so that the sum of n of them fits into 63."""
    return min(48, 61 - n.bit_length())


@dataclass(frozen=True, eq=False)
class LinearProblem:
    """Σ p_i φ(x_i · w + b; y_i) + l1 |w|_1 + (l2/2) |w|²."""

    X: np.ndarray = field(repr=False)  # (n, d)
    y: np.ndarray = field(repr=False)  # (n,)
    loss: str
    l1: float
    l2: float
    intercept: bool
    weights: np.ndarray = field(repr=False)  # (n,) positive, not normalised
    delta: float = 1.35

    @property
    def mass(self) -> np.ndarray:  # (n,)
        """p_i."""
        return self.weights / np.sum(self.weights)

    @property
    def code(self) -> int:
        """The number of the loss."""
        return _scalar().CODES[self.loss]

    def scores(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:  # (k, d), (k,) -> (k, n)
        """z_i."""
        return coef @ self.X.T + intercept[:, None]

    def primal(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:  # (k, d), (k,) -> (k,)
        """P."""
        losses = _rowwise().values(self.code, self.scores(coef, intercept), self.y, self.delta)
        return losses @ self.mass + self.l1 * np.sum(np.abs(coef), axis=1) + self.l2 / 2 * np.sum(coef**2, axis=1)

    def dual(self, flow: np.ndarray) -> np.ndarray:  # (k, n) -> (k,)
        """D, -inf where a conjugate is infinite."""
        code, conjugate = self.code, _scalar().conjugate
        theta = flow / self.weights
        conjugates = np.array(
            [[conjugate(code, t, y, self.delta) for t, y in zip(row, self.y, strict=True)] for row in theta]
        )
        beyond = np.maximum(np.abs(flow @ self.X) / np.sum(self.weights) - self.l1, 0.0)
        if self.l2 > 0:
            ridge = np.sum(beyond**2, axis=1) / (2.0 * self.l2)
        else:  # feasibility with its rounding is an assumption of the theorem, see `slack`
            ridge = np.where(np.any(beyond > 1e-12 * self.l1, axis=1), inf, 0.0)
        with np.errstate(invalid="ignore"):
            return -np.sum(np.where(self.mass > 0, self.mass * conjugates, 0.0), axis=1) - ridge

    def slack(self, flow: np.ndarray) -> tuple[float, float]:  # (k, n)
        """(least l1 - |v_j|, a bound of its rounding)."""
        total = float(np.sum(self.weights))
        v, size = np.abs(flow @ self.X) / total, np.abs(flow) @ np.abs(self.X) / total
        rounding = 2.0 * (len(self.y) + 4) * float(np.finfo(np.float64).eps)
        return float(np.min(self.l1 - v)), rounding * float(np.max(size))

    def flow_at(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:  # (k, d), (k,) -> (k, n)
        """The feasible flow of -φ'(z): balanced where there is an intercept, scaled down where there is no ridge."""
        theta = -_rowwise().slopes(self.code, self.scores(coef, intercept), self.y, self.delta)
        flow = np.stack([balanced(row) if self.intercept else row for row in self.weights * theta])
        if self.l2 > 0:
            return flow
        return np.stack([scaled_inside(row, self) for row in flow])


@dataclass(frozen=True, eq=False)
class GapRun:
    """k points with k dual points, and a better pair beside them that brackets the least value."""

    problem: LinearProblem
    coef: np.ndarray = field(repr=False)  # (k, d)
    intercept: np.ndarray = field(repr=False)  # (k,)
    flow: np.ndarray = field(repr=False)  # (k, n)
    best_coef: np.ndarray = field(repr=False)  # (d,)
    best_intercept: float
    best_flow: np.ndarray = field(repr=False)  # (n,)


def balanced(flow: np.ndarray, largest: float | None = None) -> np.ndarray:  # (n,) -> (n,)
    """The flow on a dyadic grid, each entry shrunk towards 0, with a sum that is exactly 0.

    `largest` bounds the entries of all flows that are to be on one grid; default: those of this one.
    """
    largest = float(np.max(np.abs(flow))) if largest is None else largest
    if largest == 0.0:
        return flow
    unit = ldexp(1.0, frexp(largest)[1] - grid_bits(len(flow)))
    counts = np.trunc(flow / unit).astype(np.int64)
    surplus = int(np.sum(counts))
    heavier = np.flatnonzero(np.sign(counts) == np.sign(surplus)) if surplus else np.array([], dtype=np.int64)
    sizes, left = np.abs(counts[heavier]), abs(surplus)
    taken = np.minimum(sizes, (sizes * (left / max(1, int(np.sum(sizes))))).astype(np.int64))
    left -= int(np.sum(taken))
    for j in range(len(heavier)):
        more = max(min(left, int(sizes[j] - taken[j])), -int(taken[j]))  # a proportion may have been rounded up
        taken[j], left = taken[j] + more, left - more
    counts[heavier] -= np.sign(surplus) * taken
    return counts * unit


def scaled_inside(flow: np.ndarray, problem: LinearProblem) -> np.ndarray:  # (n,) -> (n,)
    """The flow scaled so that |v|_∞ ≤ l1 by more than rounding; balanced again, because products are rounded."""
    total, largest = float(np.sum(problem.weights)), float(np.max(np.abs(flow)))
    moved = 4.0 * len(flow) * largest * 2.0 ** -grid_bits(len(flow)) * float(np.max(np.abs(problem.X))) / total
    target = problem.l1 - 2.0 * problem.slack(flow[None])[1] - moved
    height = float(np.max(np.abs(flow @ problem.X))) / total
    if height <= target:
        return flow
    smaller = flow * max(target / height, 0.0)
    return balanced(smaller) if problem.intercept else smaller


def is_balanced(flow: np.ndarray) -> bool:  # (k, n)
    """Whether every sum is exactly 0: fsum rounds the exact sum once, and no sum of doubles but 0 rounds to 0."""
    return all(fsum(row) == 0.0 for row in flow)


def descent(problem: LinearProblem, steps: int) -> tuple[np.ndarray, np.ndarray]:  # -> (steps + 1, d), (steps + 1,)
    """Accelerated proximal gradient from 0, every iterate; restarted when it turns."""
    columns = np.concatenate([problem.X, np.ones((len(problem.y), 1))], axis=1)
    if not problem.intercept:
        columns[:, -1] = 0.0
    code, mass, slopes = problem.code, problem.mass, _rowwise().slopes
    L = (
        _scalar().CURVATURE[code] * float(np.linalg.eigvalsh((columns.T * mass) @ columns)[-1]) * (1 + 1e-12)
        + problem.l2
    )
    penalised = np.r_[np.ones(problem.X.shape[1]), 0.0]
    x = y = np.zeros(columns.shape[1])
    points, t = [x], 1.0
    for _ in range(steps):
        gradient = (mass * slopes(code, columns @ y, problem.y, problem.delta)) @ columns + problem.l2 * penalised * y
        v = y - gradient / L
        new = np.sign(v) * np.maximum(np.abs(v) - problem.l1 * penalised / L, 0.0)
        turned = float((y - new) @ (new - x)) > 0
        following = 1.0 if turned else (1.0 + (1.0 + 4.0 * t * t) ** 0.5) / 2.0
        y = new if turned else new + (t - 1.0) / following * (new - x)
        x, t = new, following
        points.append(x)
    path = np.stack(points)
    return path[:, :-1], path[:, -1]
