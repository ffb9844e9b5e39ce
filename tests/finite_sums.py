"""Small finite sums for the laws of solvers, and their minima."""

from __future__ import annotations

from functools import cache

import numpy as np

from problems import LeastSquares, Logistic, oracles
from problems.composite import Composite
from problems.penalties import L1, BoxIndicator, ElasticNet, GroupL1, Penalty, SquaredL2

PENALTIES: dict[str, Penalty] = {
    "l1": L1(0.05),
    "l2": SquaredL2(0.05),
    "elastic net": ElasticNet(0.03, 0.05),
    "box": BoxIndicator(-0.6, 0.4),
    "group": GroupL1(0.08, (0, 0, 1, 1), (1.0, 1.5)),
}


def data(n: int = 16, d: int = 4, seed: int = 0, spread: float = 0.6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of unequal norms, labels ±1 with noise, and real targets."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d)) * np.exp(spread * rng.standard_normal((n, 1)))
    score = A @ rng.standard_normal(d)
    labels = np.where(score + 2.0 * rng.standard_normal(n) > 0, 1.0, -1.0)
    return A, labels, score + rng.standard_normal(n)


@cache
def problem(loss: str, penalty: str, weighted: bool = False, n: int = 16) -> Composite:
    """By name: "logistic" or "squares", and a key of `PENALTIES`."""
    A, labels, targets = data(n)
    weights = np.random.default_rng(5).uniform(0.0, 2.0, n) if weighted else None
    chosen = Logistic(A, labels) if loss == "logistic" else LeastSquares(A, targets)
    return Composite(chosen, PENALTIES[penalty], weights)


@cache
def minimum(loss: str, penalty: str, weighted: bool = False) -> float:
    """The least value of the problem of these names, by a conic solver."""
    return oracles.composite_minimum(problem(loss, penalty, weighted))[0]
