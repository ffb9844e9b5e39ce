r"""Orthogonal play: gradients from which no algorithm can learn anything.

For matrices with m rows and :math:`n \ge 3m` columns (m = 1: vectors), with :math:`S_{t-1}` the sum of the gradients so far,

.. math:: G_t = a_t \operatorname{diag}(r)\, Q_t^\top, \qquad Q_t \in \mathbb R^{n \times m},\quad
          Q_t^\top Q_t = I, \quad S_{t-1} Q_t = 0, \quad X_t Q_t = 0,

which exists because the rows of :math:`S_{t-1}` and of :math:`X_t` span at most 2m dimensions. Then
:math:`\langle G_t, X_t\rangle = 0` at every step whatever the learner does, and :math:`S_T S_T^\top = \sum_t G_t G_t^\top`, so
that its regret on a spectral ball of radius R is exactly :math:`R \operatorname{Tr}(\sum_t G_t G_t^\top)^{1/2}`.

Source: derived here (docs/proofs/lower_bounds.md#orthogonal-play); for vectors Abernethy et al. 2008 (remembered).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from regret.adversaries.base import Adversary, Stream, parameter_shape
from structures.arrays import Array, asarray_like, namespace

__all__ = ["OrthogonalPlay"]


@dataclass(frozen=True)
class OrthogonalPlay(Adversary):
    """For a vector of d ≥ 3 entries or an (m, n) matrix with n ≥ 3m.

    `rows` are the lengths r of the rows of every gradient (a number for all), `magnitudes` the factors a_t, repeated in
    turn. Raises ValueError for a shape that is too small, or lengths that are not positive and finite.
    """

    shape: tuple[int, ...]
    rows: float | tuple[float, ...] = 1.0
    magnitudes: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        shape = parameter_shape(self.shape)
        if len(shape) > 2:
            raise ValueError(f"orthogonal play is for vectors and matrices, got shape {shape}.")
        m = shape[0] if len(shape) == 2 else 1
        if prod(shape) < 3 * m * m:
            raise ValueError(f"orthogonal play needs n ≥ 3m columns for m rows, got shape {shape}.")
        rows = tuple(float(r) for r in np.broadcast_to(self.rows, (m,)))
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "rows", _positive("rows", rows))
        object.__setattr__(self, "magnitudes", _positive("magnitudes", self.magnitudes))

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        return _OrthogonalStream(self, x)


class _OrthogonalStream(Stream):
    def __init__(self, game: OrthogonalPlay, x: Array) -> None:  # (B, *shape)
        self._magnitudes = game.magnitudes
        self._rows = asarray_like(np.asarray(game.rows)[:, None], x)  # (m, 1)
        self._sum = namespace(x).zeros_like(_matrices(x))

    def gradient(self, t: int, x: Array) -> Array:
        xp = namespace(x)
        X = _matrices(x)
        seen = xp.matrix_transpose(xp.concat([self._sum, X], axis=-2))  # (B, n, 2m)
        Q = xp.linalg.qr(seen, mode="complete")[0]
        rows = xp.matrix_transpose(Q[..., 2 * X.shape[-2] : 3 * X.shape[-2]])  # (B, m, n)
        G = self._magnitudes[t % len(self._magnitudes)] * self._rows * rows
        self._sum = self._sum + G
        return xp.reshape(G, x.shape)


def _matrices(x: Array) -> Array:  # (B, *shape) -> (B, m, n)
    return x[:, None, :] if x.ndim == 2 else x


def _positive(name: str, values: Sequence[float]) -> tuple[float, ...]:
    numbers = tuple(float(v) for v in values)
    if not numbers or not all(np.isfinite(v) and v > 0 for v in numbers):
        raise ValueError(f"{name} must be positive, finite numbers, got {values!r}.")
    return numbers
