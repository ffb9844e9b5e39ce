r"""What a smooth stochastic problem is: a function, its Hessian's envelope, an unbiased gradient and the noise of it.

.. math::
    -A \preceq \nabla^2 f(x) \preceq A \;\; \forall x \in \mathbb R^d, \qquad
    \mathbb E_\omega\, g(x, \omega) = \nabla f(x), \qquad
    \operatorname{Cov}_\omega g(x, \omega) \preceq \Sigma \;\; \forall x \in X, \qquad
    \underline f \le \inf f \le \overline f .

A problem declares A (`curvature`), Σ (`noise_covariance`) and the bracket of its infimum (`minimum`); `problems.smooth.audit`
tries to catch it lying. They are operators, not matrices (`problems.operators`), so that a problem with 10⁶ parameters
declares them as well. The constants of the theorems, :math:`\Lambda_{\mathcal H}` and :math:`\sigma_{\mathcal H}`, follow from A
and Σ: `convex.smoothness`.

Randomness is data. `noise` hands out a stream; ``stream.draw(steps)`` is a host array of shape (steps, batch, ...), and
``stochastic_gradient(x, drawn[t])`` is a function of its arguments alone. Element e of a batch has a generator of its own,
``SeedSequence([seed, e])``: a batch of B equals B runs with ``batch=1, first=e``, and the start of a long run is a short one.
Where one step's randomness takes finitely many values, `outcomes` lists them, and an expectation over T steps is a finite sum.

Source: derived here; Xie et al. 2025, arXiv 2511.20584, for the two constants.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf, prod
from typing import NamedTuple, Protocol, Self

import numpy as np

from problems.domains import Domain
from problems.operators.base import SymmetricOperator
from structures.arrays import Array

__all__ = ["Minimum", "NoiseStream", "Outcomes", "SmoothProblem"]


class NoiseStream(Protocol):
    """Randomness of a batch of runs; steps follow each other over calls."""

    def draw(self, steps: int) -> np.ndarray:  # -> (steps, batch, ...)
        """What `stochastic_gradient` takes in each of the next `steps` steps."""
        ...


class Outcomes(NamedTuple):
    """Every value that one step's draw of one run can take."""

    draws: np.ndarray  # (N, ...) each row is one draw
    probabilities: np.ndarray  # (N,) positive, of sum 1


class Minimum(NamedTuple):
    """A bracket of inf f; -inf and inf where nothing is known."""

    lower: float
    upper: float


class SmoothProblem(ABC):
    """A smooth function on arrays of one shape, with a stochastic gradient. Everything takes leading batch axes.

    Data are arrays of one namespace; `beside` moves them to a parameter's namespace, dtype and device once, before a run.
    """

    @classmethod
    def examples(cls) -> list[Self]:
        """Small instances for the law suite."""
        return []

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape})"

    # --- the function -------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of the parameter."""

    @property
    def dim(self) -> int:
        """d, the number of parameters."""
        return prod(self.shape)

    @property
    def convex(self) -> bool:
        """Whether f is convex: ∇²f ⪰ 0 everywhere, not only ⪰ −A."""
        return True

    @abstractmethod
    def beside(self, x: Array) -> Self:
        """The same problem with its data in the namespace, dtype and device of `x`."""

    @abstractmethod
    def value(self, x: Array) -> Array:  # (..., *shape) -> (...)
        """f(x)."""

    @abstractmethod
    def gradient(self, x: Array) -> Array:  # (..., *shape) -> (..., *shape)
        """∇f(x)."""

    @abstractmethod
    def hessian_product(self, x: Array, v: Array) -> Array:  # (..., *shape), (..., *shape) -> (..., *shape)
        """∇²f(x) v; leading axes broadcast."""

    # --- its stochastic gradient --------------------------------------------------------------------------------------

    @abstractmethod
    def noise(self, batch: int = 1, seed: int = 0, first: int = 0) -> NoiseStream:
        """The stream of runs first, ..., first + batch - 1. Raises ValueError for an empty batch or a negative seed."""

    @abstractmethod
    def stochastic_gradient(self, x: Array, draw: np.ndarray) -> Array:  # (..., *shape), (..., ...) -> (..., *shape)
        """g(x, ω) for one step's draw, one for each element of the batch; leading axes broadcast."""

    def outcomes(self) -> Outcomes | None:
        """All values of one draw with their probabilities; None where they are infinitely or impractically many."""
        return None

    # --- what it declares ---------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def curvature(self) -> SymmetricOperator:
        """A ⪰ 0 with −A ⪯ ∇²f(x) ⪯ A for every x of the whole space."""

    @property
    def envelope(self) -> tuple[SymmetricOperator, ...]:
        """Operators A_k such that H ⪰ A_k for all of them implies −H ⪯ ∇²f(x) ⪯ H for every x; (A,) unless f is not convex."""
        return (self.curvature,)

    @property
    def curvature_point(self) -> Array | None:  # (*shape)
        """A point where ∇²f forces H ⪰ A_k for all k, so that Λ_H of the envelope is the constant itself; None if unknown."""
        return None

    def noise_covariance(self, domain: Domain | None = None) -> SymmetricOperator | None:
        """Σ with Cov g(x, ·) ⪯ Σ for every x of the domain (None: of the whole space); None where there is no bound."""
        return None

    @property
    def exact_covariance(self) -> bool:
        """Whether Cov g(x, ·) = Σ at every x, which makes σ_H(Σ) the constant itself and not an upper bound."""
        return False

    @property
    def smoothness(self) -> float:
        """An upper bound of λ_max(A): the Lipschitz constant of ∇f in the Euclidean norm."""
        return self.curvature.norm_bound

    @property
    def minimum(self) -> Minimum:
        """A bracket of inf f; each end holds up to the rounding of one evaluation of f."""
        return Minimum(-inf, inf)

    @property
    def solution(self) -> Array | None:  # (*shape)
        """A minimiser over the whole space, ∇f = 0 up to rounding; None if unknown."""
        return None
