r"""A quadratic around its minimiser, :math:`f(x) = \tfrac12 \langle x - x^*,\, A (x - x^*)\rangle` with :math:`A \succeq 0`.

.. math:: \nabla f(x) = A(x - x^*), \qquad \min f = f(x^*) = 0, \qquad \text{smoothness } \lambda_{\max}(A).

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from structures.arrays import Array, namespace, require_finite, require_shape, sym, tolerance
from structures.roots import clip_to_psd, eigh

__all__ = ["Quadratic"]


@dataclass(frozen=True, eq=False)
class Quadratic:
    """An `Objective`; raises NotPositiveError when the curvature is indefinite, ValueError for a wrong shape."""

    curvature: Array  # (..., d, d) A; its symmetric part is what counts
    minimiser: Array  # (*shape) x*
    offset: float = 0.0  # added to every value

    def __post_init__(self) -> None:
        require_finite("minimiser", self.minimiser)
        require_shape("curvature", self.curvature, (self.dim, self.dim))
        object.__setattr__(self, "curvature", sym(self.curvature))
        clip_to_psd(eigh(self.curvature)[0], self.dim)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.minimiser.shape)

    @property
    def dim(self) -> int:
        """d."""
        return prod(self.shape)

    @property
    def smoothness(self) -> Array:
        """λ_max(A), rounded up."""
        return eigh(self.curvature)[0][..., -1] * (1.0 + tolerance(self.curvature, self.dim))

    def value(self, x: Array) -> Array:
        error = self._error(x)
        return 0.5 * namespace(x).sum(error * self._curved(error), axis=-1) + self.offset

    def gradient(self, x: Array) -> Array:
        return namespace(x).reshape(self._curved(self._error(x)), x.shape)

    def _error(self, x: Array) -> Array:  # (..., *shape) -> (..., d)
        require_shape("x", x, self.shape)
        difference = x - self.minimiser
        return namespace(x).reshape(difference, (*difference.shape[: x.ndim - len(self.shape)], self.dim))

    def _curved(self, error: Array) -> Array:  # (..., d)
        return (self.curvature @ error[..., None])[..., 0]
