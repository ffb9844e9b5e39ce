r"""How far the update with shared weights is from the one with fresh weights, on one batch.

With :math:`x = Uc` fresh, :math:`x_s = Uc_s` shared, everything follows from K = UᵀU alone:

.. math::
    \cos(x_s, x) = \frac{c_s^\top Kc}{\sqrt{c_s^\top Kc_s}\sqrt{c^\top Kc}}, \qquad
    \|x_s - x\| \le \frac{\|\mathbf 1 - (n\lambda I + K)c_s\|}{2\sqrt{n\lambda}} .

Source: derived here (docs/proofs/fngd.md#drift).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["MEASURES", "measure"]

MEASURES = ("change", "cosine", "residual")


def measure(
    K: Tensor,  # (n, n)
    damping: float,
    fresh: Tensor,  # (n,) c
    shared: Tensor,  # (n,) c_s
    scalar: bool,
) -> dict[str, float]:
    """Each is 0 without drift.

    "change": |c_s - c| / |c|, of the means if `scalar`. "cosine": 1 - cos(x_s, x). "residual": the bound above, divided by
    |x|. Beside them "uniform": 1 - cos(ḡ, x), what plain SGD would have.
    """
    n = K.shape[0]
    energy = math.sqrt(max(float(fresh @ (K @ fresh)), 0.0))
    residual = 1.0 - (n * damping * shared + K @ shared)
    reach = float(torch.linalg.vector_norm(residual)) / (2.0 * math.sqrt(n * damping))
    return {
        "change": _relative(shared.mean()[None], fresh.mean()[None]) if scalar else _relative(shared, fresh),
        "cosine": 1.0 - _cosine(K, shared, fresh),
        "residual": reach / energy if energy > 0.0 else math.inf,
        "uniform": 1.0 - _cosine(K, torch.ones_like(fresh), fresh),
    }


def _relative(x: Tensor, y: Tensor) -> float:
    size = float(torch.linalg.vector_norm(y))
    return float(torch.linalg.vector_norm(x - y)) / size if size > 0.0 else math.inf


def _cosine(K: Tensor, x: Tensor, y: Tensor) -> float:
    Kx, Ky = K @ x, K @ y
    size = math.sqrt(max(float(x @ Kx), 0.0)) * math.sqrt(max(float(y @ Ky), 0.0))
    return min(1.0, float(x @ Ky) / size) if size > 0.0 else 0.0
