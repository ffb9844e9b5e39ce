r"""A deterministic function whose gradient is observed with additive noise.

.. math:: g(x, \omega) = \nabla f(x) + \xi(\omega), \qquad \operatorname{Cov} g(x, \cdot) = \Sigma \text{ at every } x .

A subclass writes the function, `noise_model` and `curvature`; this class does what concerns the noise.

Source: derived here.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from problems.domains import Domain
from problems.operators import SymmetricOperator
from problems.smooth.base import Outcomes, SmoothProblem
from problems.smooth.noise import AdditiveNoise, NoNoise, SignOrNormalStream
from structures.arrays import Array, asarray_like

__all__ = ["AdditiveProblem"]


class AdditiveProblem(SmoothProblem):
    """A smooth problem with a `noise_model` that does not depend on x."""

    noise_model: AdditiveNoise

    def noise(self, batch: int = 1, seed: int = 0, first: int = 0) -> SignOrNormalStream:
        return self.noise_model.stream(self.shape, batch, seed, first)

    def stochastic_gradient(self, x: Array, draw: np.ndarray) -> Array:
        gradient = self.gradient(x)
        if isinstance(self.noise_model, NoNoise):
            return gradient
        return gradient + self.noise_model.combine(asarray_like(draw, x))

    def outcomes(self) -> Outcomes | None:
        draws = self.noise_model.all_draws(self.shape)
        return None if draws is None else Outcomes(draws, np.full(len(draws), 1.0 / len(draws)))

    def noise_covariance(self, domain: Domain | None = None) -> SymmetricOperator:
        return self.noise_model.covariance(self._parameter)

    @property
    def exact_covariance(self) -> bool:
        return True

    @property
    @abstractmethod
    def _parameter(self) -> Array:  # (*shape)
        """An array like a parameter."""
