r"""The mean loss of a data set with a ridge, and the gradient of a random mini-batch.

.. math::
    f(x) &= \sum_i p_i f_i(x) + \tfrac{\alpha}{2}\|x\|^2, \qquad
    g(x, i_{1:b}) = \frac1b \sum_{j=1}^b \frac{p_{i_j}}{q_{i_j}} \nabla f_{i_j}(x) + \alpha x, \quad i_j \sim q, \\
    \operatorname{Cov} g(x, \cdot) &= \frac1b \Bigl( \sum_i \frac{p_i^2}{q_i} \nabla f_i \nabla f_i^\top
    - \nabla F \nabla F^\top \Bigr) \preceq \frac1b \sum_i \frac{p_i^2}{q_i} \nabla f_i \nabla f_i^\top ,

the indices of a mini-batch being independent.

The objective is a `Composite` whose penalty is zero or a ridge. An l1 or elastic-net penalty is not smooth: there the theorems of
smooth minimisation do not apply, and the solvers of `convex` (which take its prox) do.

Source: derived here; importance sampling as in `convex.solvers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Self

import numpy as np

from problems.composite import Composite
from problems.domains import Domain
from problems.losses import CurvedLoss, Huber, LeastSquares, Logistic, Softmax
from problems.operators import SymmetricOperator, shifted
from problems.penalties import SquaredL2, ZeroPenalty
from problems.sampling import IndexStream
from problems.smooth.base import Minimum, Outcomes, SmoothProblem
from problems.smooth.minimise import Found, minimise_on_host
from structures.arrays import Array, asarray_like, namespace, require_shape, to_numpy

__all__ = ["FiniteSum"]

ENUMERABLE = 4096  # outcomes of one step that are worth listing


@dataclass(frozen=True, eq=False, repr=False)
class FiniteSum(SmoothProblem):
    """Σ p_i f_i + (α/2)‖x‖². Raises ValueError for a penalty that is not smooth, or sampling that cannot be unbiased."""

    composite: Composite
    minibatch: int = 1
    sampling: str = "uniform"  # or "importance": q_i proportional to the smoothness of p_i f_i

    def __post_init__(self) -> None:
        if not isinstance(self.composite.penalty, ZeroPenalty | SquaredL2):
            raise ValueError(
                f"{type(self.composite.penalty).__name__} is not smooth: a FiniteSum takes no penalty or SquaredL2. "
                f"For l1 and elastic net use a proximal solver of `convex` on the Composite itself."
            )
        if not isinstance(self.composite.loss, CurvedLoss):
            raise ValueError(f"{type(self.composite.loss).__name__} declares no second derivative: write a CurvedLoss.")
        if not (isinstance(self.minibatch, int | np.integer) and self.minibatch >= 1):
            raise ValueError(f"minibatch must be an integer >= 1, got {self.minibatch!r}.")
        if self.sampling not in ("uniform", "importance"):
            raise ValueError(f'sampling must be "uniform" or "importance", got {self.sampling!r}.')

    @classmethod
    def examples(cls) -> list[Self]:
        logistic, squares, softmax, huber = (kind.examples()[0] for kind in (Logistic, LeastSquares, Softmax, Huber))
        weights = np.array([0.0, 1.0, 2.0, 3.0] * 3)
        return [
            cls(Composite(logistic, SquaredL2(0.1), weights), minibatch=2),
            cls(Composite(squares), sampling="importance"),
            cls(Composite(LeastSquares.examples()[1], SquaredL2(0.5))),
            cls(Composite(softmax, SquaredL2(0.01)), minibatch=3),
            cls(Composite(huber), sampling="importance"),
        ]

    @property
    def loss(self) -> CurvedLoss:
        """Of the samples."""
        assert isinstance(self.composite.loss, CurvedLoss)
        return self.composite.loss

    @property
    def convex(self) -> bool:
        return self.loss.convex

    @property
    def ridge(self) -> float:
        """α."""
        return self.composite.strong_convexity

    @property
    def shape(self) -> tuple[int, ...]:
        return self.composite.shape

    def beside(self, x: Array) -> Self:
        return type(self)(self.composite.beside(x), self.minibatch, self.sampling)

    def value(self, x: Array) -> Array:
        return self.composite.value(x)

    def gradient(self, x: Array) -> Array:
        return self.composite.gradient(x) + self.ridge * x

    def hessian_product(self, x: Array, v: Array) -> Array:
        return self.loss.weighted_hessian_product(x, self.composite.mass, v) + self.ridge * v

    # --- mini-batches -------------------------------------------------------------------------------------------------

    @cached_property
    def probabilities(self) -> np.ndarray:  # (n,)
        """Q. Raises ValueError when no sample with a positive weight is curved, so that there is no importance."""
        n = self.composite.samples
        if self.sampling == "uniform":
            return np.full(n, 1.0 / n)
        constants = to_numpy(self.composite.constants).astype(np.float64)
        if not np.all(constants[self._mass > 0] > 0):
            raise ValueError("importance sampling needs a curved loss for every sample with a positive weight.")
        return constants / np.sum(constants)

    @cached_property
    def _mass(self) -> np.ndarray:
        return to_numpy(self.composite.mass).astype(np.float64)

    @cached_property
    def _ratios(self) -> np.ndarray:  # (n,)
        """1/(n q_i), 0 where q_i = 0: such an index is never drawn."""
        scale = len(self.probabilities) * self.probabilities
        return np.divide(1.0, scale, out=np.zeros(len(scale)), where=scale > 0)

    def noise(self, batch: int = 1, seed: int = 0, first: int = 0) -> MinibatchStream:
        return MinibatchStream(IndexStream(self.probabilities, batch, seed, first), int(self.minibatch))

    def stochastic_gradient(self, x: Array, draw: np.ndarray) -> Array:
        require_shape("x", x, self.shape)
        xp, ndim = namespace(x), len(self.shape)
        here = draw if isinstance(x, np.ndarray) else xp.asarray(draw.tolist(), dtype=xp.int64, device=x.device)
        gradients = self.composite.sample_gradient(here, x)  # (..., b, *shape)
        factor = asarray_like(np.reshape(self._ratios[draw], (*draw.shape, *[1] * ndim)), x)
        return xp.mean(factor * gradients, axis=-1 - ndim) + self.ridge * x

    def outcomes(self) -> Outcomes | None:
        drawn = np.flatnonzero(self.probabilities)
        if len(drawn) ** int(self.minibatch) > ENUMERABLE:
            return None
        draws = np.array(list(product(drawn.tolist(), repeat=int(self.minibatch))), dtype=np.int64)
        return Outcomes(draws, np.prod(self.probabilities[draws], axis=-1))

    # --- constants ----------------------------------------------------------------------------------------------------

    @cached_property
    def curvature(self) -> SymmetricOperator:  # pyright: ignore[reportIncompatibleMethodOverride]
        return shifted(self.loss.weighted_curvature(self.composite.mass), self.ridge)

    @property
    def curvature_point(self) -> Array | None:
        return self.loss.curvature_point(self.composite.mass)

    def noise_covariance(self, domain: Domain | None = None) -> SymmetricOperator | None:
        weights = self._mass**2 * len(self._mass) * self._ratios / int(self.minibatch)
        return self.loss.weighted_slope_moment(asarray_like(weights, self.composite.mass), domain)

    # --- the minimum --------------------------------------------------------------------------------------------------

    @cached_property
    def _found(self) -> Found:
        return minimise_on_host(self)

    @property
    def minimum(self) -> Minimum:
        return self._found.bracket

    @property
    def solution(self) -> Array | None:
        found = self._found.x
        return None if found is None else asarray_like(found, self.composite.mass)


class MinibatchStream:
    """Indices with replacement."""

    def __init__(self, stream: IndexStream, size: int) -> None:
        self._stream, self._size = stream, size

    def draw(self, steps: int) -> np.ndarray:  # -> (steps, batch, b) int64
        """The next mini-batches."""
        return self._stream.draw(steps, self._size)
