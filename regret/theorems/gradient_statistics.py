r"""The gradient norms of the special cases, from recorded gradients, at every horizon.

.. math::
    \Bigl(\sum_s \|g_s\|_2^2\Bigr)^{1/2}, \quad \sum_i \|g_{1:t,i}\|_2, \quad
    \operatorname{Tr} \Bigl(\sum_s G_s G_s^\top\Bigr)^{1/2} = \bigl\|[G_1 \cdots G_t]\bigr\|_* .

The last one is the nuclear norm of all gradients side by side: its singular values come from a triangular factor that is
updated with every gradient, so that no square is formed. Nothing here is shared with the learner's own Tr H_t.

Source: Duchi, Hazan, Singer 2011 (the first two, and the last for vectors); derived here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from structures import Diagonal, DirectSum, Full, Layerwise, LeftKronecker, RightKronecker, Scalar
from structures.base import Structure

__all__ = ["entrywise", "euclidean", "layered", "nuclear"]


def euclidean(gradients: np.ndarray) -> np.ndarray:  # (T, B, *shape) -> (T, B)
    """(Σ ‖g_s‖²)^{1/2}."""
    flat = _flat(gradients)
    return np.sqrt(np.cumsum(np.sum(flat * flat, axis=-1), axis=0))


def entrywise(gradients: np.ndarray) -> np.ndarray:  # (T, B, *shape) -> (T, B)
    """Σ_i ‖g_{1:t,i}‖₂."""
    flat = _flat(gradients)
    return np.sum(np.sqrt(np.cumsum(flat * flat, axis=0)), axis=-1)


def nuclear(rows: np.ndarray) -> np.ndarray:  # (T, B, k, m): k rows of length m per step -> (T, B)
    """The nuclear norm of all rows so far; for Tr (Σ G Gᵀ)^{1/2} the rows are those of Gᵀ."""
    rows = rows.astype(np.float64)
    triangle = np.zeros((*rows.shape[1:2], 0, rows.shape[-1]))
    norms = np.empty(rows.shape[:2])
    for t, new in enumerate(rows):
        triangle = np.linalg.qr(np.concatenate([triangle, new], axis=-2), mode="r")
        norms[t] = np.sum(np.linalg.svd(triangle, compute_uv=False), axis=-1)
    return norms


def layered(structure: Structure, gradients: np.ndarray) -> np.ndarray:  # (T, B, d) -> (T, B)
    """Σ_l |||g_l|||_{H_l}. Raises ValueError for a layer whose norm is not one of the formulas above."""
    total = np.zeros(gradients.shape[:2])
    start = 0
    for part in parts_of(structure):
        total = total + _own_norm(part, gradients[..., start : start + part.dim])
        start += part.dim
    return total


def parts_of(structure: Structure) -> list[Structure]:
    """The structure of each layer; raises ValueError for one that is no direct sum."""
    if isinstance(structure, Layerwise):
        return [Scalar((size,)) for size in structure.sizes]
    if isinstance(structure, DirectSum):
        return list(structure.parts)
    raise ValueError(f"{structure} is not a direct sum of layers.")


# |||·||| of one layer, with its multiplicity, from (T, B, *shape).
_NORMS: dict[type[Structure], Callable[[np.ndarray], np.ndarray]] = {
    Scalar: lambda g: np.prod(g.shape[2:]) ** 0.5 * euclidean(g),
    Diagonal: entrywise,
    Full: lambda g: nuclear(_flat(g)[:, :, None, :]),
    LeftKronecker: lambda g: g.shape[-1] ** 0.5 * nuclear(np.swapaxes(g, -1, -2)),
    RightKronecker: lambda g: g.shape[-2] ** 0.5 * nuclear(g),
}


def _own_norm(part: Structure, gradients: np.ndarray) -> np.ndarray:
    if type(part) not in _NORMS:
        raise ValueError(
            f"no formula of its own for the layer {part}; there are {', '.join(k.__name__ for k in _NORMS)}."
        )
    return _NORMS[type(part)](gradients.reshape(*gradients.shape[:2], *part.shape))


def _flat(gradients: np.ndarray) -> np.ndarray:  # (T, B, *shape) -> (T, B, d)
    return gradients.reshape(*gradients.shape[:2], -1).astype(np.float64)
