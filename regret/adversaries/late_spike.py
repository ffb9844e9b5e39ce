r"""The late spike: small gradients until the learner has followed them to the far side, then one that is as large as you like.

Along a pattern W of a symmetric domain, with :math:`z_t = \langle W, x_t\rangle / \sigma(W) \in [-1, 1]`,
:math:`\sigma(W) = \max_{u \in \mathcal X} \langle W, u\rangle` and :math:`c = 2\sqrt T/(\sqrt T + 1)`,

.. math:: g_t = \begin{cases} -W & z_t < 1 - c/\sqrt T, \\ +M W & \text{the first time that } z_t \ge 1 - c/\sqrt T, \\
          0 & \text{afterwards.} \end{cases}

A learner that never comes close to the far side loses :math:`\sigma(W) (1 - z_t) \ge \sigma(W)\,c/\sqrt T` at each of T
steps; one that does loses almost :math:`2 M \sigma(W)` at once. Either way its regret is about :math:`2\sigma(W)` times the
root of the sum of squares: no algorithm that does not know the size of the gradients can have a constant below 2.

Source: derived here (docs/proofs/lower_bounds.md#unknown-magnitudes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, sqrt

import numpy as np

from regret.adversaries.base import Adversary, Stream
from regret.learners.base import inner
from structures.arrays import Array, asarray_like, like, namespace

__all__ = ["LateSpike"]


@dataclass(frozen=True, eq=False)
class LateSpike(Adversary):
    """A game of `horizon` steps along `pattern`; `reach` is σ(W) and `magnitude` is M, in units of W.

    Raises ValueError unless ``horizon >= 1``, ``magnitude >= horizon`` and ``reach > 0``.
    """

    pattern: np.ndarray = field(repr=False)
    horizon: int
    magnitude: float
    reach: float = 1.0
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        pattern = np.array(self.pattern, dtype=np.float64)
        if pattern.ndim == 0 or not np.all(np.isfinite(pattern)) or not np.any(pattern):
            raise ValueError("pattern must be a finite, nonzero array of the parameter's shape.")
        if self.horizon < 1 or not (isfinite(self.magnitude) and self.magnitude >= self.horizon):
            raise ValueError(f"need 1 ≤ horizon ≤ magnitude < ∞, got {self.horizon!r} and {self.magnitude!r}.")
        if not (isfinite(self.reach) and self.reach > 0):
            raise ValueError(f"reach must be positive and finite, got {self.reach!r}.")
        pattern.setflags(write=False)
        object.__setattr__(self, "pattern", pattern)
        object.__setattr__(self, "shape", pattern.shape)

    @property
    def length(self) -> int:
        return self.horizon

    @property
    def constant(self) -> float:
        """c = 2√T/(√T + 1)."""
        return 2.0 * sqrt(self.horizon) / (sqrt(self.horizon) + 1.0)

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        return _SpikeStream(self, x)


class _SpikeStream(Stream):
    def __init__(self, game: LateSpike, x: Array) -> None:  # (B, *shape)
        self._game = game
        self._pattern = namespace(x).broadcast_to(asarray_like(game.pattern, x), x.shape)
        self._waiting = namespace(x).ones(x.shape[0], **like(x))  # 1 until the spike has come

    def gradient(self, t: int, x: Array) -> Array:
        xp, game = namespace(x), self._game
        position = inner(self._pattern, x) / game.reach
        arrived = position >= 1.0 - game.constant / sqrt(game.horizon)
        scale = self._waiting * xp.where(arrived, game.magnitude * xp.ones_like(position), -xp.ones_like(position))
        self._waiting = xp.where(arrived, xp.zeros_like(position), self._waiting)
        return xp.reshape(scale, (-1, *[1] * (x.ndim - 1))) * self._pattern
