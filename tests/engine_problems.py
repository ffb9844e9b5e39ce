"""Small problems for tests of the engine, and their optima by an interior-point method."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

import numpy as np

REGRESSION = ("squared_error", "huber")
LOSSES = ("log_loss", "squared_hinge", "modified_huber", *REGRESSION)
PENALTIES = MappingProxyType({"ridge": (0.0, 0.1), "elastic net": (0.05, 0.1), "lasso": (0.05, 0.0)})
EPSILON = 1.35  # of the Huber loss
TOL = 1e-9  # duality gap that a run is asked for
ORACLE = 2e-8  # what the interior-point optimum is trusted to, for objectives of size 1


@cache
def data(loss: str, n: int = 60, d: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(X, y, weights): columns of different sizes, one of them 0, a row of zeros, an offset in the targets."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) * np.exp(rng.standard_normal(d))
    X[:, 3], X[5] = 0.0, 0.0
    y = X @ rng.standard_normal(d) + rng.standard_normal(n) + 1.0
    return X, y if loss in REGRESSION else np.sign(y), rng.uniform(0.1, 3.0, n)


@cache
def optimum(loss: str, penalty: str, intercept: bool, weighted: bool = True) -> float:
    """min P by cvxpy."""
    import cvxpy as cp

    X, y, weights = data(loss)
    p = weights / weights.sum() if weighted else np.full(y.size, 1 / y.size)
    w, b = cp.Variable(X.shape[1]), cp.Variable()
    t = X @ w + (b if intercept else 0.0)
    if loss == "log_loss":
        losses = cp.logistic(-cp.multiply(y, t))
    elif loss == "squared_error":
        losses = 0.5 * cp.square(t - y)
    elif loss == "huber":
        losses = 0.5 * cp.huber(t - y, EPSILON)
    else:
        short = cp.pos(1 - cp.multiply(y, t))
        losses = cp.square(short) if loss == "squared_hinge" else cp.huber(short, 2)
    l1, l2 = PENALTIES[penalty]
    objective = p @ losses + l1 * cp.norm1(w) + 0.5 * l2 * cp.sum_squares(w)
    return float(cp.Problem(cp.Minimize(objective)).solve(solver=cp.CLARABEL))


def objective(loss: str, penalty: str, coef: np.ndarray, intercept: float, weighted: bool = True) -> float:
    """P, written out."""
    X, y, weights = data(loss)
    p = weights / weights.sum() if weighted else np.full(y.size, 1 / y.size)
    t = X @ coef + intercept
    short = np.maximum(1 - y * t, 0)
    r = np.abs(t - y)
    losses = {
        "log_loss": np.logaddexp(0, -y * t),
        "squared_hinge": short**2,
        "modified_huber": np.where(short <= 2, short**2, 4 * short - 4),
        "squared_error": r**2 / 2,
        "huber": np.where(r <= EPSILON, r**2 / 2, EPSILON * r - EPSILON**2 / 2),
    }[loss]
    l1, l2 = PENALTIES[penalty]
    return float(p @ losses + l1 * np.abs(coef).sum() + 0.5 * l2 * coef @ coef)


def conjugate(loss: str, theta: np.ndarray, y: np.ndarray) -> np.ndarray:
    """φ*(-θ), written out; inf outside of its domain."""
    a = theta * y
    if loss == "log_loss":
        inside = np.clip(a, 1e-300, 1 - 1e-16)
        value = inside * np.log(inside) + (1 - inside) * np.log1p(-inside)
        return np.where((a < 0) | (a > 1), np.inf, value)
    if loss in REGRESSION:
        outside = (np.abs(theta) > EPSILON) & (loss == "huber")
        return np.where(outside, np.inf, theta**2 / 2 - theta * y)
    outside = (a < 0) | ((a > 4) & (loss == "modified_huber"))
    return np.where(outside, np.inf, a**2 / 4 - a)


def dual_objective(loss: str, penalty: str, theta: np.ndarray, intercept: bool) -> float:
    """D(θ), written out; -inf where θ is infeasible by more than rounding."""
    X, y, weights = data(loss)
    p = weights / weights.sum()
    v = X.T @ (p * theta)
    l1, l2 = PENALTIES[penalty]
    beyond = np.maximum(np.abs(v) - l1, 0.0)
    if (intercept and abs(p @ theta) > 1e-14) or (l2 == 0 and beyond.max() > 1e-14):
        return -np.inf
    ridge = (beyond**2).sum() / (2 * l2) if l2 else 0.0
    return -float(p @ conjugate(loss, theta, y)) - ridge
