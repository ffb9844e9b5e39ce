r"""One domain per layer, :math:`X = X_1 \times \dots \times X_k`, on the concatenated parameter vector.

.. math::
    \operatorname{support}(s) = \textstyle\sum_l \operatorname{support}_l(s_l), \qquad
    \max_{x,y \in X} \|x - y\|_{\mathcal H} = \max_l \max_{x,y \in X_l} \|x - y\|_{\mathcal H_l}
    \quad\text{where } J = \textstyle\bigoplus_l J_l

along the layers. Where the metric does not couple two layers, the projection is one projection per layer, and gaps add up;
otherwise accelerated gradient works on the whole vector.

Source: derived here (docs/proofs/domains.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import hypot, prod

from problems.domains.base import Domain
from problems.domains.box import Box
from problems.domains.facts import smallest_multiplicity, summands
from problems.domains.l2_ball import L2Ball
from problems.domains.metric import Metric
from structures import Structure
from structures.arrays import Array, namespace

__all__ = ["Product"]


@dataclass(frozen=True, init=False)
class Product(Domain):
    """``Product([(L2Ball(1.0), (10, 64)), (Box(0.5), (10,))])``: a matrix in a ball and a bias in a box."""

    blocks: tuple[Domain, ...]  # each knows its shape

    def __init__(self, blocks: Sequence[tuple[Domain, Sequence[int]]]) -> None:
        if not blocks:
            raise ValueError("Product needs at least one (domain, shape) pair.")
        object.__setattr__(self, "blocks", tuple(domain.on(tuple(shape)) for domain, shape in blocks))
        object.__setattr__(self, "shape", (sum(prod(block.parameter_shape) for block in self.blocks),))

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Domain]:
        if len(shape) != 1 or shape[0] < 3:
            return []
        return [cls([(L2Ball(0.8), (2,)), (Box(0.4), (shape[0] - 2,))])]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The layers' shapes, in order."""
        return [block.parameter_shape for block in self.blocks]

    def on(self, shape: Sequence[int]) -> Product:
        if tuple(shape) != self.shape:
            raise ValueError(f"this Product holds vectors of shape {self.shape}, but the parameter's shape is {shape}.")
        return self

    @property
    def size(self) -> float:
        return max(block.size for block in self.blocks)

    def resized(self, scale: float) -> Product:
        return self._of([block.resized(scale) for block in self.blocks])

    def flat_support(self, s: Array) -> Array:
        return self._sum([block.flat_support(part) for block, part in self._each(s)])

    def flat_lmo(self, s: Array) -> Array:
        return self._join([block.flat_lmo(part) for block, part in self._each(s)])

    def flat_nearest(self, y: Array) -> Array:
        return self._join([block.flat_nearest(part) for block, part in self._each(y)])

    def flat_inside(self, y: Array) -> Array:
        xp = namespace(y)
        return xp.all(xp.stack([block.flat_inside(part) for block, part in self._each(y)], axis=-1), axis=-1)

    def flat_project(
        self, y: Array, metric: Metric, start: Array | None, tol: float, iterations: int
    ) -> tuple[Array, Array]:
        metrics = metric.split(self.shapes)
        if metrics is None:
            return super().flat_project(y, metric, start, tol, iterations)
        starts = [None] * len(self.blocks) if start is None else self._split(start)
        xp, points, gaps = namespace(y), [], []
        for block, part, own, warm in zip(self.blocks, self._split(y), metrics, starts, strict=True):
            s = block.size
            warm = None if warm is None else warm / s
            x, gap = block.resized(s).flat_project(part / s, own, warm, tol, iterations)
            # The split metric carries ‖H_l‖ in units of H; this method's units are ‖H‖ = 1.
            share = own.scale / xp.where(metric.scale > 0, metric.scale, xp.ones_like(metric.scale))
            points.append(x * s)
            gaps.append(gap * s * share * s)
        return self._join(points), self._sum(gaps)

    def start(self, shape: Sequence[int], batch: int, x: Array) -> Array:
        """The layers' canonical points."""
        points = [block.start(block.parameter_shape, batch, x) for block in self.on(shape).blocks]
        return self._join([namespace(x).reshape(point, (batch, prod(point.shape[1:]))) for point in points])

    def euclidean_radius(self, shape: tuple[int, ...]) -> float:
        return hypot(*(block.euclidean_radius(block.parameter_shape) for block in self.blocks))

    def euclidean_diameter(self, shape: tuple[int, ...]) -> float:
        return hypot(*(block.euclidean_diameter(block.parameter_shape) for block in self.blocks))

    def radius(self, structure: Structure) -> float:
        """The largest layer's radius where the structure is a direct sum along the layers, else the Euclidean bound."""
        return self._largest(
            structure, lambda block, part: block.radius(part), self.euclidean_radius(self.parameter_shape)
        )

    def diameter(self, structure: Structure) -> float:
        """The largest layer's diameter where the structure is a direct sum along the layers, else the Euclidean bound.

        Exact when every layer's is, and for Scalar.
        """
        return self._largest(
            structure, lambda block, part: block.diameter(part), self.euclidean_diameter(self.parameter_shape)
        )

    def _largest(self, structure: Structure, constant: Callable[[Domain, Structure], float], euclidean: float) -> float:
        parts = summands(structure, self.shapes)
        if parts is None:
            return euclidean / smallest_multiplicity(structure) ** 0.5
        return max(constant(block, part) for block, part in zip(self.blocks, parts, strict=True))

    def _of(self, blocks: list[Domain]) -> Product:
        return Product([(block, block.parameter_shape) for block in blocks])

    def _split(self, x: Array) -> list[Array]:  # (..., d) -> one (..., d_l) per layer
        sizes = [prod(shape) for shape in self.shapes]
        return [x[..., end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)]

    def _each(self, x: Array) -> list[tuple[Domain, Array]]:
        return list(zip(self.blocks, self._split(x), strict=True))

    def _join(self, parts: list[Array]) -> Array:
        return namespace(*parts).concat(parts, axis=-1)

    def _sum(self, terms: list[Array]) -> Array:
        return namespace(*terms).sum(namespace(*terms).stack(terms, axis=-1), axis=-1)
