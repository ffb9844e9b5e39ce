r"""Gaussian gradients with a scale for each entry: the benign case, and the anisotropic one that diagonal methods exploit.

.. math:: g_{t,i} \sim \mathcal N(\mu_i, \sigma_i^2) \quad\text{independently.}

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regret.adversaries.base import Oblivious, Sampler, parameter_shape

__all__ = ["LinearRandom"]


@dataclass(frozen=True)
class LinearRandom(Oblivious):
    """Gaussian linear losses. `scale` and `mean` are numbers, or one number for each entry (row-major)."""

    shape: tuple[int, ...]
    scale: float | tuple[float, ...] = 1.0
    mean: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", parameter_shape(self.shape))
        object.__setattr__(self, "scale", _entries("scale", self.scale, self.shape))
        object.__setattr__(self, "mean", _entries("mean", self.mean, self.shape))

    def sampler(self, rng: np.random.Generator) -> Sampler:
        scale, mean = (
            np.reshape(self.scale, self._entry_shape(self.scale)),
            np.reshape(self.mean, self._entry_shape(self.mean)),
        )
        return lambda steps: mean + scale * rng.standard_normal((steps, *self.shape))

    def _entry_shape(self, values: float | tuple[float, ...]) -> tuple[int, ...]:
        return self.shape if isinstance(values, tuple) else ()


def _entries(name: str, values: float | Sequence[float], shape: tuple[int, ...]) -> float | tuple[float, ...]:
    """A number, or a tuple of prod(shape) numbers; raises ValueError for NaN, inf or a wrong count."""
    array = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(array)) or (array.ndim and array.size != np.prod(shape)):
        raise ValueError(
            f"{name} must be a finite number or {np.prod(shape)} of them for shape {shape}, got {values!r}."
        )
    return tuple(float(v) for v in array.reshape(-1)) if array.ndim else float(array)
