r"""AdaGrad's two ends as they are printed, in NumPy: the twins of ``optimizers.AdaGradNorm`` and ``FullMatrixAdaGrad``.

.. math::
    w_{t+1} = w_t - \frac{\eta}{\sqrt{\epsilon + \sum_{s \le t} \|g_s\|^2}}\, g_t, \qquad
    w_{t+1} = w_t - \eta \Bigl(\epsilon I + \sum_{s \le t} g_s g_s^\top\Bigr)^{-1/2} g_t .

The root here is Schur's method with an inversion, not an eigendecomposition.

Source: Duchi, Hazan and Singer 2011, Figure 1; Streeter and McMahan 2010.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Array = np.ndarray

__all__ = ["full_matrix_steps", "norm_steps"]


def norm_steps(w0: Array, gradients: Array, lr: float, eps: float) -> Iterator[Array]:  # (d,), (T, d)
    """The iterates after each step."""
    w, b = np.array(w0, dtype=np.float64), eps
    for g in gradients:
        b = b + float(np.dot(g, g))
        w = w - lr * g / np.sqrt(b)
        yield w


def full_matrix_steps(w0: Array, gradients: Array, lr: float, eps: float, beta2: float = 1.0) -> Iterator[Array]:
    """The iterates after each step; eps > 0."""
    from scipy.linalg import sqrtm

    w, M = np.array(w0, dtype=np.float64), eps * np.eye(len(w0))
    for g in gradients:
        M = beta2 * M + (1.0 if beta2 == 1.0 else 1.0 - beta2) * np.outer(g, g)
        w = w - lr * np.linalg.solve(np.real(sqrtm(M)), g)
        yield w
