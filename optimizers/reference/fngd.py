r"""FNGD, literally: per-sample gradients as columns, the inverse of a d × d matrix, a dictionary of weights by id.

.. math:: x = \Bigl(\frac1n UU^\top + \lambda I\Bigr)^{-1} \frac1n U\mathbf 1, \qquad
          m \leftarrow \mu m + x + \rho w, \qquad w \leftarrow w - \eta m .

Slow and plain on purpose: the twin that the optimizer is compared with.

Source: Ou, Zhu, Huang and Liu 2024 (ou2024inverse), abstract; layerwise damping as in docs/proofs/fngd.md.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Recursion", "Table", "direct_inverse", "per_sample_gradients", "push_through", "three_terms", "weights"]


def per_sample_gradients(
    a: np.ndarray,  # (n, T, p) inputs of a linear layer
    g: np.ndarray,  # (n, T, q) gradients of each sample's own loss with respect to the outputs
    bias: bool,
) -> np.ndarray:  # (d, n) with d = q p (+ q)
    """U, one column per sample: vec of the weight's gradient, then the bias'."""
    columns = []
    for a_i, g_i in zip(a, g, strict=True):
        weight = sum(np.outer(g_it, a_it) for a_it, g_it in zip(a_i, g_i, strict=True))
        parts = [np.asarray(weight).reshape(-1)] + ([g_i.sum(axis=0)] if bias else [])
        columns.append(np.concatenate(parts))
    return np.stack(columns, axis=1)


def direct_inverse(
    U: np.ndarray,  # (d, n)
    damping: float,
) -> np.ndarray:  # (d,)
    """The damped natural gradient, from the empirical Fisher matrix itself."""
    d, n = U.shape
    return np.linalg.solve(U @ U.T / n + damping * np.eye(d, dtype=U.dtype), U.mean(axis=1))


def weights(
    U: np.ndarray,  # (d, n)
    damping: float,
) -> np.ndarray:  # (n,)
    """c = (nλI + UᵀU)⁻¹ 1."""
    n = U.shape[1]
    return np.linalg.solve(n * damping * np.eye(n, dtype=U.dtype) + U.T @ U, np.ones(n, dtype=U.dtype))


def push_through(
    U: np.ndarray,  # (d, n)
    damping: float,
) -> np.ndarray:  # (d,)
    """U c, in the precision of U."""
    return U @ weights(U, damping)


def three_terms(
    U: np.ndarray,  # (d, n)
    damping: float,
) -> np.ndarray:  # (d,)
    """Sherman, Morrison and Woodbury as printed: the difference of two vectors of size |ḡ|/λ, in the precision of U."""
    n = U.shape[1]
    mean = U.mean(axis=1)
    inner = damping * np.eye(n, dtype=U.dtype) + U.T @ U / n
    return (mean - U @ np.linalg.solve(inner, U.T @ mean) / n) / U.dtype.type(damping)


class Table:
    """Weights n c by sample id; unknown ids have the mean of the known ones."""

    def __init__(self) -> None:
        self.entries: dict[int, float] = {}

    def write(self, ids: list[int], w: np.ndarray) -> None:
        for key, value in zip(ids, w, strict=True):
            self.entries[key] = float(value)

    def read(self, ids: list[int]) -> np.ndarray:
        mean = sum(self.entries.values()) / len(self.entries)
        return np.array([self.entries.get(key, mean) for key in ids])


class Recursion:
    """Heavy ball on a given direction, with decay added to it."""

    def __init__(self, w: np.ndarray, lr: float, momentum: float, weight_decay: float) -> None:
        self.w, self.m = w.copy(), np.zeros_like(w)
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay

    def step(self, x: np.ndarray) -> np.ndarray:
        """The parameter after a step along x, same shape."""
        self.m = self.momentum * self.m + x + self.weight_decay * self.w
        self.w = self.w - self.lr * self.m
        return self.w
