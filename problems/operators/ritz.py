r"""A lower bound of the largest eigenvalue of a symmetric operator that can only be applied.

.. math:: \theta = \max_{v \in \mathcal K_k(A, b)} \frac{\langle v, A v\rangle}{\|v\|^2} \le \lambda_{\max}(A)

with b random: whatever the number of steps, an eigenvalue above a limit that θ shows is there; one that θ does not show may be.

Source: derived here (Lanczos' method; every new vector is orthogonalised twice against all others).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["largest_ritz"]

NUMBERS = 4_000_000  # that the basis may hold


def largest_ritz(
    apply: Callable[[np.ndarray], np.ndarray],  # (*shape) -> (*shape), symmetric
    shape: tuple[int, ...],
    steps: int = 40,
    seed: int = 0,
) -> float:
    """θ, up to rounding."""
    d = int(np.prod(shape))
    steps = max(1, min(steps, d, NUMBERS // d))
    b = np.random.default_rng([seed, d, 2]).standard_normal(d)
    basis, images = [b / np.linalg.norm(b)], []
    for _ in range(steps):
        images.append(np.asarray(apply(basis[-1].reshape(shape))).reshape(-1))
        w, V = images[-1], np.stack(basis)
        for _ in range(2):
            w = w - V.T @ (V @ w)
        norm = float(np.linalg.norm(w))
        if norm <= 1e-13 * float(np.linalg.norm(images[-1])):
            break
        basis.append(w / norm)
    T = np.stack(basis[: len(images)]) @ np.stack(images).T
    return float(np.linalg.eigvalsh((T + T.T) / 2.0)[-1])
