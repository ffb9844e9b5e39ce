r"""A mean gradient that turns: the best fixed point of one half of the game is the worst of the other.

.. math:: g_t = \cos(2\pi t/p)\, e_1 + \sin(2\pi t/p)\, e_2 + \sigma z_t, \qquad z_t \sim \mathcal N(0, I),

in the first two entries of the flattened parameter (with one entry only, the cosine).

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, prod

import numpy as np

from regret.adversaries.base import Oblivious, Sampler, parameter_shape

__all__ = ["Drifting"]


@dataclass(frozen=True)
class Drifting(Oblivious):
    """A unit mean that turns once in `period` steps, plus Gaussian noise of standard deviation `noise`."""

    shape: tuple[int, ...]
    period: float
    noise: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", parameter_shape(self.shape))
        if not (isfinite(self.period) and self.period > 0 and isfinite(self.noise) and self.noise >= 0):
            raise ValueError(f"period must be > 0 and noise ≥ 0, both finite; got {self.period!r} and {self.noise!r}.")

    def sampler(self, rng: np.random.Generator) -> Sampler:
        d, position = prod(self.shape), 0

        def draw(steps: int) -> np.ndarray:
            nonlocal position
            angle = 2 * np.pi * np.arange(position, position + steps) / self.period
            position += steps
            mean = np.zeros((steps, d))
            mean[:, :2] = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, :d]
            return (mean + self.noise * rng.standard_normal((steps, d))).reshape(steps, *self.shape)

        return draw
