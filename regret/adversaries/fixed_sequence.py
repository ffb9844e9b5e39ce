r"""Gradients that were written down before: :math:`g_0, \dots, g_{T-1}` from an array.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from regret.adversaries.base import Adversary, Stream
from structures.arrays import Array, asarray_like, dtype_name, namespace, own, require_finite

__all__ = ["FixedSequence"]


@dataclass(frozen=True, eq=False)
class FixedSequence(Adversary):
    """Replays `gradients`: (T, *shape) for every element alike, or (T, B, *shape).

    It plays in the array's own namespace and dtype unless the game is given an x0. Raises ValueError for an empty or
    non-finite array, TypeError for complex numbers. Numbers that are not floating (a list of ±1, say) become float64.
    """

    gradients: Array = field(repr=False)
    shape: None = field(init=False, repr=False, default=None)

    oblivious: ClassVar[bool] = True

    def __post_init__(self) -> None:
        gradients = self.gradients
        if isinstance(gradients, list | tuple):
            gradients = np.asarray(gradients, dtype=np.float64)
        xp = namespace(gradients)
        if xp.isdtype(gradients.dtype, "complex floating"):
            raise TypeError(f"gradients must be real, got {dtype_name(gradients)}.")
        if not xp.isdtype(gradients.dtype, "real floating"):
            gradients = xp.astype(gradients, xp.float64)
        if gradients.ndim < 2 or 0 in gradients.shape:
            raise ValueError(
                f"gradients must be (T, *shape) or (T, B, *shape), not empty; got {tuple(gradients.shape)}."
            )
        require_finite("gradients", gradients)
        object.__setattr__(self, "gradients", own(gradients))

    @property
    def length(self) -> int:
        return int(self.gradients.shape[0])

    @property
    def prototype(self) -> Array:
        return self.gradients

    def elements(self, shape: tuple[int, ...]) -> int | None:
        own = tuple(self.gradients.shape)
        return own[1] if own[2:] == shape and own[1:] != shape else None

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        gradients = self._fitting(tuple(x.shape), first)
        if isinstance(gradients, np.ndarray) or namespace(gradients) is not namespace(x):
            gradients = asarray_like(gradients, x)
        return _Replay(gradients, tuple(x.shape))

    def _fitting(self, shape: tuple[int, ...], first: int) -> Array:  # (B, *shape)
        """The gradients for elements first, ..., first + B - 1; raises ValueError when no axis order fits."""
        own = tuple(self.gradients.shape)
        if own[1:] == shape[1:]:
            return self.gradients
        if own[2:] == shape[1:] and own[1] >= first + shape[0]:
            return self.gradients[:, first : first + shape[0], ...]
        raise ValueError(
            f"the sequence has shape {own}; for a batch of {shape[0]} parameters of shape {shape[1:]} it must be "
            f"(T, {', '.join(map(str, shape[1:]))}) or (T, {', '.join(map(str, shape))})."
        )


class _Replay(Stream):
    def __init__(self, gradients: Array, shape: tuple[int, ...]) -> None:
        self._gradients, self._shape = gradients, shape

    def gradient(self, t: int, x: Array) -> Array:
        if not 0 <= t < self._gradients.shape[0]:
            raise ValueError(f"the sequence has {self._gradients.shape[0]} steps; step {t} was asked for.")
        row = self._gradients[t, ...]
        return row if tuple(row.shape) == self._shape else namespace(row).broadcast_to(row, self._shape)
