r"""Fair signs with prescribed sizes, :math:`g_{t,i} = \epsilon_{t,i}\, a_{t,i}`: drawn at random, or every combination once.

The second form makes an expectation over the signs a finite sum: element b of the batch plays the signs that are written in
the bits of b.

Source: derived here (docs/proofs/lower_bounds.md#random-signs).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from regret.adversaries.base import Adversary, Oblivious, Sampler, Stream
from regret.adversaries.fixed_sequence import FixedSequence
from structures.arrays import Array

__all__ = ["EverySign", "ScaledSigns"]

MOST_SIGNS = 20  # 2^20 games


@dataclass(frozen=True, eq=False)
class ScaledSigns(Oblivious):
    """Independent fair signs on `magnitudes` (T, *shape). Raises ValueError unless they are finite and not negative."""

    magnitudes: np.ndarray = field(repr=False)
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "magnitudes", _sizes(self.magnitudes))
        object.__setattr__(self, "shape", self.magnitudes.shape[1:])

    @property
    def length(self) -> int:
        return len(self.magnitudes)

    def sampler(self, rng: np.random.Generator) -> Sampler:
        position = 0

        def draw(steps: int) -> np.ndarray:
            nonlocal position
            sizes = self.magnitudes[position : position + steps]
            position += steps
            return np.where(rng.random((steps, *self.shape)) < 0.5, -1.0, 1.0) * sizes

        return draw


@dataclass(frozen=True, eq=False)
class EverySign(Adversary):
    """All 2^(T·d) choices of signs on `magnitudes` (T, *shape), one for each batch element; at most 20 signs."""

    magnitudes: np.ndarray = field(repr=False)
    shape: tuple[int, ...] = field(init=False)

    oblivious = True

    def __post_init__(self) -> None:
        sizes = _sizes(self.magnitudes)
        if sizes.size > MOST_SIGNS:
            raise ValueError(f"{sizes.size} signs have 2^{sizes.size} choices; at most {MOST_SIGNS} are enumerated.")
        object.__setattr__(self, "magnitudes", sizes)
        object.__setattr__(self, "shape", sizes.shape[1:])

    @property
    def length(self) -> int:
        return len(self.magnitudes)

    @property
    def paths(self) -> int:
        """How many choices there are: the batch that enumerates all of them."""
        return 1 << self.magnitudes.size

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        element = np.arange(first, first + batch)
        if element[-1] >= self.paths:
            raise ValueError(f"there are {self.paths} choices of signs; element {element[-1]} was asked for.")
        bits = (element[:, None] >> np.arange(self.magnitudes.size)) & 1
        signs = (1.0 - 2.0 * bits).reshape(batch, *self.magnitudes.shape)
        return FixedSequence(np.moveaxis(signs, 0, 1) * self.magnitudes[:, None]).start(batch, seed, x)


def _sizes(magnitudes: np.ndarray) -> np.ndarray:  # (T, *shape)
    sizes = np.array(magnitudes, dtype=np.float64)
    if sizes.ndim < 2 or sizes.size == 0 or not np.all(np.isfinite(sizes)) or np.min(sizes) < 0:
        raise ValueError(f"magnitudes must be finite numbers ≥ 0 of shape (T, *shape), got shape {sizes.shape}.")
    sizes.setflags(write=False)
    return sizes
