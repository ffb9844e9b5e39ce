"""Adaptive regularization from its definition, on d×d matrices and one run at a time: what the learners are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def power(M: np.ndarray, p: float) -> np.ndarray:
    """M^p by NumPy's eigendecomposition; the pseudo-inverse power for p < 0, cut off at d · eps · λ_max."""
    values, vectors = np.linalg.eigh((M + M.T) / 2)
    if p < 0:
        kept = values > len(values) * np.finfo(float).eps * values[-1]
        powered = np.where(kept, np.where(kept, values, 1.0) ** p, 0.0)
    else:
        powered = np.maximum(values, 0.0) ** p
    return (vectors * powered) @ vectors.T


def dense_run(
    K,  # a well-structured set
    gradients: np.ndarray,  # (T, *shape)
    x0: np.ndarray,  # (*shape)
    lr: float,
    eps: float,
    accumulate: str = "cumulative",
    beta: float = 1.0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """x_{t+1} and H_t (d×d), step by step, unconstrained."""
    x, d = x0.reshape(-1).copy(), K.dim
    M = np.zeros((d, d))
    weight = 1.0 - beta if accumulate == "ema" else 1.0
    for G in gradients:
        g = G.reshape(-1)
        M = beta * M + weight * np.outer(g, g)
        projected = K.dense(K.project(M + eps * np.eye(d)))
        x = x - lr * power(projected, -0.5) @ g
        yield x.reshape(x0.shape), power(projected, 0.5)
