r"""Every iterate and every gradient, for those who ask: T · B · d numbers.

Source: derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from regret.meters.base import Block, Meter, Series
from structures.arrays import Array, to_numpy

__all__ = ["History"]


class History(Meter):
    """x_1, ..., x_{T+1} and g_1, ..., g_T, on the host."""

    def __init__(self, x: Array, horizon: int) -> None:  # (B, *shape)
        like = to_numpy(x)
        self._iterates = np.empty((horizon + 1, *like.shape), dtype=like.dtype)
        self._gradients = np.empty((horizon, *like.shape), dtype=like.dtype)

    def observe(self, block: Block) -> dict[str, Array]:
        rows = slice(block.first, block.first + block.length)
        self._iterates[rows], self._gradients[rows] = to_numpy(block.x), to_numpy(block.G)
        return {}

    def finish(self, x: Array) -> None:
        self._iterates[-1] = to_numpy(x)

    def fields(self, series: Series) -> dict[str, Any]:
        return {"iterates": self._iterates, "gradients": self._gradients}
