r"""What a domain is: a compact convex set with a linear oracle, a Euclidean projection, and a projection in a metric H.

For :math:`H = c^{1/2} \succeq 0` from a structure's coordinate c, a learner needs

.. math::
    \Pi_X^H(Y) \in \operatorname*{argmin}_{x \in X} \tfrac12 \|x - Y\|_H^2, \qquad
    \operatorname{gap} = \max_{u \in X} \langle H(x - Y),\, x - u \rangle \ge 0 .

A closed form is used where there is one, accelerated projected gradient otherwise; either way the Frank-Wolfe gap of the
returned point comes with it, because the regret theorem holds with :math:`+\operatorname{gap}/\eta` for an inexact step: the
gap says :math:`\langle H(x - Y), u - x\rangle \ge -\operatorname{gap}` for every u in X, and exactness is gap = 0.

The constants of the theorems are suprema over X in the structure's norm; `radius` and `diameter` are upper bounds for
every structure, and their docstrings say where they are equalities.

A domain does not know the parameter's shape until `on` tells it: ``L2Ball(1.0).on((2, 3))``. A new domain writes
`flat_support`, `flat_lmo`, `flat_nearest`, `size`, `resized` and `euclidean_radius`, all on flattened parameters.

Source: derived here (docs/proofs/domains.md); Jaggi 2013 (the gap).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isqrt, prod
from typing import ClassVar, Self

from problems.domains.accelerated_gradient import frank_wolfe_gap, minimise
from problems.domains.facts import smallest_multiplicity
from problems.domains.metric import Metric
from problems.domains.vectors import norm
from structures import Factor, Structure
from structures.arrays import Array, like, namespace, positive_sizes, require_finite, require_shape, tolerance

__all__ = ["Domain"]


@dataclass(frozen=True)
class Domain(ABC):
    """A compact convex set of parameters."""

    shape: tuple[int, ...] | None = field(default=None, kw_only=True)  # of the parameter; None until `on`

    natural_axes: ClassVar[int | None] = None  # how many trailing axes are the parameter while `shape` is None

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Domain]:
        """Instances for parameters of this shape, for the law suite; none where the domain does not fit it."""
        return []

    def on(self, shape: Sequence[int]) -> Self:
        """The same set for parameters of a given shape; raises ValueError when the domain does not fit it."""
        sizes = positive_sizes(type(self).__name__, shape)
        return self if sizes == self.shape else replace(self, shape=sizes)

    # --- what a domain writes, on flattened parameters ------------------------------------------------------------------

    @property
    @abstractmethod
    def size(self) -> float:
        """The length scale of the set: a radius."""

    @abstractmethod
    def resized(self, scale: float) -> Self:
        """The set {x / scale : x in X}."""

    @abstractmethod
    def flat_support(self, s: Array) -> Array:  # (..., d) -> (...)
        """max over u in X of <s, u>."""

    @abstractmethod
    def flat_lmo(self, s: Array) -> Array:  # (..., d) -> (..., d)
        """A point of X that minimises <s, u>."""

    @abstractmethod
    def flat_nearest(self, y: Array) -> Array:  # (..., d) -> (..., d)
        """The Euclidean projection."""

    @abstractmethod
    def euclidean_radius(self, shape: tuple[int, ...]) -> float:
        """max over X of ‖x‖₂ for parameters of this shape."""

    def euclidean_diameter(self, shape: tuple[int, ...]) -> float:
        """max over x, y in X of ‖x - y‖₂; twice the radius is an upper bound, and exact when X = -X."""
        return 2.0 * self.euclidean_radius(shape)

    def flat_closed_form(self, y: Array, metric: Metric) -> Array | None:  # (..., d) -> (..., d)
        """The exact projection in a metric, or None where this pair has none."""
        return self.flat_nearest(y) if metric.isotropic else None

    def flat_guesses(self, y: Array, metric: Metric) -> list[Array]:
        """Points of X that may happen to be the projection; the gap decides."""
        return []

    # --- what everybody calls -------------------------------------------------------------------------------------------

    def support(self, S: Array) -> Array:  # (..., *shape) -> (...)
        """max over u in X of <S, u>."""
        domain = self._bound(S)
        return domain.flat_support(domain._flat("S", S))

    def lmo(self, S: Array) -> Array:  # (..., *shape) -> (..., *shape)
        """A vertex of X that minimises <S, u> (the linear minimisation oracle)."""
        domain = self._bound(S)
        return namespace(S).reshape(domain.flat_lmo(domain._flat("S", S)), S.shape)

    def width(self, G: Array) -> Array:  # (..., *shape) -> (...)
        """max over x, y in X of <G, x - y>: one step's trivial regret."""
        return self.support(G) + self.support(-G)

    def project_euclidean(self, Y: Array) -> Array:  # (..., *shape) -> (..., *shape)
        """The point of X nearest to Y in the Euclidean norm."""
        domain = self._bound(Y)
        return namespace(Y).reshape(domain.flat_nearest(domain._flat("Y", Y)), Y.shape)

    def infeasibility(self, X: Array) -> Array:  # (..., *shape) -> (...)
        """Euclidean distance from X to the domain; 0 inside."""
        domain = self._bound(X)
        x = domain._flat("X", X)
        return norm(x - domain.flat_nearest(x))

    def start(self, shape: Sequence[int], batch: int, x: Array) -> Array:  # -> (batch, *shape)
        """A canonical first point, the centre of symmetric domains, beside `x`: same namespace, dtype and device."""
        return namespace(x).zeros((batch, *self.on(shape).parameter_shape), **like(x))

    def project(
        self,
        Y: Array,  # (..., *shape)
        factor: Factor,  # of the statistic c; the metric is H = c^{1/2}
        start: Array | None = None,  # (..., *shape) a point of X to begin from, where there is no closed form
        *,
        tol: float | None = None,  # target gap in units of ‖H‖·size²; default 1e-12, or rounding if that is larger
        iterations: int = 1000,  # cap; what it costs is in the gap
    ) -> tuple[Array, Array]:  # (..., *shape), (...)
        """The projection of Y in the metric H, and its Frank-Wolfe gap, in units of H·x².

        Y inside X comes back unchanged, with gap 0. The gap is evaluated in floating point: its rounding is about
        eps · ‖H(x - Y)‖ · size. Raises ValueError for a non-finite Y or a shape that is not the structure's.
        """
        domain = self.on(factor.structure.shape)
        require_finite("Y", Y)
        y = domain._flat("Y", Y)
        xp = namespace(y)
        inside = domain.flat_inside(y)
        if bool(xp.all(inside)):
            return Y, xp.zeros(y.shape[:-1], **like(y))
        metric, s = Metric.of(factor), domain.size
        warm = None if start is None else domain._flat("start", start) / s
        target = max(1e-12, tolerance(y)) if tol is None else tol
        x, gap = domain.resized(s).flat_project(y / s, metric, warm, target, iterations)
        gap = gap * s * metric.scale * s  # in this order no 0 meets an inf
        x = xp.where(inside[..., None], y, x * s)
        return xp.reshape(x, Y.shape), xp.where(inside, xp.zeros_like(gap), gap)

    def radius(self, structure: Structure) -> float:
        """An upper bound of max over X of ‖x‖_H: the Euclidean radius over sqrt(w_min), see `problems.domains.facts`."""
        return self.euclidean_radius(self.shape_for(structure)) / smallest_multiplicity(structure) ** 0.5

    def diameter(self, structure: Structure) -> float:
        """An upper bound of max over x, y in X of ‖x - y‖_H; twice the radius, an equality when X = -X and the radius is."""
        return 2.0 * self.radius(structure)

    # --- how a projection is found ----------------------------------------------------------------------------------------

    def flat_inside(self, y: Array) -> Array:  # (..., d) -> (...) bool
        """Whether y is in X up to the rounding of a projection."""
        return norm(y - self.flat_nearest(y)) <= tolerance(y, isqrt(y.shape[-1]) + 1) * self.size

    def flat_project(
        self, y: Array, metric: Metric, start: Array | None, tol: float, iterations: int
    ) -> tuple[Array, Array]:  # (..., d), (...)
        """Projection and gap in the normalised metric; the work behind `project`."""
        exact = self.flat_closed_form(y, metric)
        if exact is not None:
            return exact, frank_wolfe_gap(self, metric.apply(exact - y), exact)[0]
        guesses = [*self.flat_guesses(y, metric), self.flat_nearest(y), *([] if start is None else [start])]
        best = self._best_guess(y, metric, guesses)
        # The spectrum is in [0, 1]: the gradient H(x - y)/‖H‖ is 1-Lipschitz.
        return minimise(self, lambda x: metric.apply(x - y), 1.0, best, tol, iterations)

    def _best_guess(self, y: Array, metric: Metric, guesses: list[Array]) -> Array:
        """Element by element, the guess with the smallest gap."""
        xp = namespace(y)
        best, best_gap = guesses[0], frank_wolfe_gap(self, metric.apply(guesses[0] - y), guesses[0])[0]
        for guess in guesses[1:]:
            gap = frank_wolfe_gap(self, metric.apply(guess - y), guess)[0]
            best = xp.where((gap < best_gap)[..., None], guess, best)
            best_gap = xp.minimum(gap, best_gap)
        return best

    def shape_for(self, structure: Structure) -> tuple[int, ...]:
        """The parameter's shape: the domain's own, or the structure's while it has none; ValueError when sizes differ."""
        if self.shape is None:
            return self.on(structure.shape).parameter_shape
        if prod(self.shape) != structure.dim:
            raise ValueError(f"{self} has {prod(self.shape)} parameters, but {structure} has {structure.dim}.")
        return self.shape

    # --- shapes -------------------------------------------------------------------------------------------------------------

    @property
    def parameter_shape(self) -> tuple[int, ...]:
        """The parameter's shape; raises ValueError while it is unknown."""
        if self.shape is None:
            raise ValueError(
                f"{type(self).__name__} does not know which axes are the parameter: "
                f"call .on(shape) first, for example domain.on(structure.shape)."
            )
        return self.shape

    def _bound(self, X: Array) -> Self:
        """Self, or the domain on the natural trailing axes of X while no shape is known."""
        if self.shape is not None or self.natural_axes is None or X.ndim < self.natural_axes:
            return self
        return self.on(X.shape[X.ndim - self.natural_axes :])

    def _flat(self, name: str, X: Array) -> Array:  # (..., *shape) -> (..., d)
        """The parameter axes of X flattened, row-major."""
        shape = self.parameter_shape
        require_shape(name, X, shape)
        if len(shape) == 1:
            return X
        return namespace(X).reshape(X, (*X.shape[: X.ndim - len(shape)], prod(shape)))
