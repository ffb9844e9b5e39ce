r"""The kernels without numba: the same functions on a dense or SciPy CSR matrix, whole batches at a time.

.. math:: z = X w + \beta s, \qquad g = X^\top c, \qquad |x_i|^2, \qquad (x_m, z_m) = \text{AccSVRDA}(\tilde y, \tilde x)

Source: derived here.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from convex.engine.numpy_losses import slopes

__all__ = ["penalty_terms", "scatter", "scores", "squared_norms", "stage"]


def scores(X, w: np.ndarray, scale: float, z: np.ndarray) -> None:
    """z := X w[:d] + w[d] scale."""
    z[:] = X @ w[:-1] + w[-1] * scale


def scatter(X, c: np.ndarray, scale: float, g: np.ndarray) -> None:
    """g += (Xᵀ c, scale Σ c)."""
    g[:-1] += X.T @ c
    g[-1] += scale * c.sum()


def squared_norms(X, out: np.ndarray) -> None:
    """out := |x_i|²."""
    if sp.issparse(X):
        squares = X.astype(np.float64)
        out[:] = squares.multiply(squares).sum(axis=1)
    else:
        out[:] = (X.astype(np.float64) ** 2).sum(axis=1)


def soft(u: np.ndarray, threshold: float) -> np.ndarray:
    """Soft thresholding."""
    return np.maximum(u - threshold, 0.0) + np.minimum(u + threshold, 0.0)


def batch_rows(
    starts: np.ndarray, weights: np.ndarray, length: int, wrap: bool, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and weights of one batch."""
    rows = (starts.astype(np.int64)[:, None] + np.arange(length)).reshape(-1)
    weight = np.repeat(weights, length)
    return (rows % n, weight) if wrap else (rows[rows < n], weight[rows < n])


def stage(
    X, y, p, s, loss, starts, weights, length, wrap, step, x0, before, z0, outer, gradient, x, z
) -> tuple[float, float, float]:
    """m steps of AccSVRDA; arguments and answer as in `kernels_dense.stage`."""
    (code, delta, scale), (eta, l1, l2) = loss, step
    start = x0 + outer[0] * (x0 - before) + outer[1] * (z0 - x0)
    point, noise = start.copy(), np.zeros(start.size)
    x[:] = start
    for k in range(1, starts.shape[0] + 1):
        rows, weight = batch_rows(starts[k - 1], weights[k - 1], length, wrap, y.size)
        block = X[rows]
        t = block @ point[:-1] + point[-1] * scale
        c = 0.5 * k * weight * (p[rows] * slopes(code, t, y[rows], delta) - s[rows])
        noise[:-1] += block.T @ c
        noise[-1] += scale * c.sum()
        a = 0.25 * k * (k + 1)
        z[:] = start - eta * (a * gradient + noise)
        z[:-1] = soft(z[:-1], eta * a * l1) / (1.0 + eta * a * l2)
        x += 2.0 / (k + 1) * (z - x)
        point = x + 2.0 / (k + 2) * (z - x)
    near, far, ahead = start - x0, z - x0, outer[2] * (x - x0) + outer[3] * (z - x)
    return float(near @ near), float(far @ far), float((start - x) @ ahead)


def penalty_terms(w: np.ndarray, gradient: np.ndarray, l1: float, l2: float) -> tuple[float, float, float, float, int]:
    """As `kernels_vector.penalty_terms`."""
    w, v = w[:-1], -gradient[:-1]
    a = np.abs(w)
    r = l1 * a + 0.5 * l2 * a * a
    young = r - w * v
    if l2 > 0.0:
        young += 0.5 / l2 * np.maximum(np.abs(v) - l1, 0.0) ** 2
    return float(r.sum()), float(young.sum()), float(np.abs(v).max(initial=0.0)), float(w @ v), int(np.count_nonzero(w))
