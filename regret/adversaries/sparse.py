r"""Gradients with few nonzero entries, the case that AdaGrad was made for.

.. math:: g_{t,i} = b_{t,i} z_{t,i}, \qquad b_{t,i} \sim \mathrm{Bernoulli}(p), \quad z_{t,i} \sim \mathcal N(0, 1).

Source: Duchi, Hazan, Singer 2011, sec. 1.3 (why sparse features).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regret.adversaries.base import Oblivious, Sampler, parameter_shape

__all__ = ["Sparse"]


@dataclass(frozen=True)
class Sparse(Oblivious):
    """Each entry is nonzero with probability `density`, then standard normal. A step may well be all zero."""

    shape: tuple[int, ...]
    density: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", parameter_shape(self.shape))
        if not 0 < self.density <= 1:
            raise ValueError(f"density must lie in (0, 1], got {self.density!r}.")

    def sampler(self, rng: np.random.Generator) -> Sampler:
        places, sizes = rng.spawn(2)  # one generator each: a longer chunk must not shift the other's draws

        def draw(steps: int) -> np.ndarray:
            chosen = places.random((steps, *self.shape)) < self.density
            return np.where(chosen, sizes.standard_normal((steps, *self.shape)), 0.0)

        return draw
