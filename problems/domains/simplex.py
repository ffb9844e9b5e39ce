r"""The simplex :math:`\{x \ge 0 : \sum_i x_i = m\}`, m = 1 by default.

Vertices are :math:`m e_i`, and a norm is convex, so the constants are maxima over vertices and over pairs of them:

.. math::
    \max_X \|x\|_{\mathcal H} = m \max_i \|e_i\|_{\mathcal H}, \qquad
    \max_{x, y \in X} \|x - y\|_{\mathcal H} = m \max_{i \ne j} \|e_i - e_j\|_{\mathcal H} \le m \sqrt{2/w_{\min}} .

Projection in a diagonal metric :math:`H = \operatorname{diag}(w)`: :math:`x_i = (y_i - \lambda/w_i)_+` with λ fixed by the sum,

.. math::
    \lambda = \Bigl(\sum_{i \in A} y_i - m\Bigr) \Big/ \sum_{i \in A} 1/w_i, \qquad A = \{i : w_i y_i > \lambda\},

and A is a prefix of the order of decreasing :math:`w_i y_i`: one sort. Other metrics use accelerated gradient.

Source: Held, Wolfe, Crowder 1974 (the unweighted sort, remembered); the weighted one is derived here (docs/proofs/domains.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import ClassVar

import numpy as np

from problems.domains.base import Domain
from problems.domains.facts import is_axis_aligned, smallest_multiplicity
from problems.domains.metric import Metric
from problems.domains.positive import require_positive
from structures import Structure
from structures.arrays import Array, like, namespace, to_numpy

__all__ = ["Simplex"]

LARGEST_ENUMERATION = 32  # vertices whose 496 pairs are looked at one by one


@dataclass(frozen=True)
class Simplex(Domain):
    """Nonnegative parameters that add up to `mass`; the parameter is the last axis unless `on` says otherwise."""

    mass: float = 1.0

    natural_axes: ClassVar[int | None] = 1

    def __post_init__(self) -> None:
        require_positive("the mass of a Simplex", self.mass)

    @classmethod
    def examples(cls, shape: tuple[int, ...]) -> list[Domain]:
        return [cls(2.0)]

    @property
    def size(self) -> float:
        return self.mass

    def resized(self, scale: float) -> Simplex:
        return replace(self, mass=self.mass / scale)

    def flat_support(self, s: Array) -> Array:
        return self.mass * namespace(s).max(s, axis=-1)

    def flat_lmo(self, s: Array) -> Array:
        xp = namespace(s)
        index = xp.arange(s.shape[-1], device=like(s)["device"])
        chosen = index == xp.argmin(s, axis=-1, keepdims=True)
        return xp.where(chosen, xp.full_like(s, self.mass), xp.zeros_like(s))

    def flat_nearest(self, y: Array) -> Array:
        return _weighted_projection(y, namespace(y).ones_like(y), self.mass)

    def flat_closed_form(self, y: Array, metric: Metric) -> Array | None:
        if metric.isotropic:
            return self.flat_nearest(y)
        return _weighted_projection(y, metric.diagonal(), self.mass) if metric.axis_aligned else None

    def start(self, shape: Sequence[int], batch: int, x: Array) -> Array:
        """The barycentre."""
        return namespace(x).full((batch, *shape), self.mass / prod(shape), **like(x))

    def euclidean_radius(self, shape: tuple[int, ...]) -> float:
        return self.mass

    def euclidean_diameter(self, shape: tuple[int, ...]) -> float:
        return self.mass * 2**0.5 if prod(shape) > 1 else 0.0

    def radius(self, structure: Structure) -> float:
        """max over vertices of ‖m e_i‖_H: exact when axis-aligned or for d ≤ 32, else the bound m/sqrt(w_min)."""
        self.shape_for(structure)
        if is_axis_aligned(structure) or structure.dim > LARGEST_ENUMERATION:
            return self.mass / smallest_multiplicity(structure) ** 0.5
        return self.mass * _largest_norm(structure, np.eye(structure.dim))

    def diameter(self, structure: Structure) -> float:
        """max over pairs of vertices: exact for d ≤ 32 and when axis-aligned, else the bound m·sqrt(2/w_min).

        The bound is an equality for Full, and for LeftKronecker with n > 1 (two entries of one row).
        """
        self.shape_for(structure)
        if structure.dim == 1:
            return 0.0
        if structure.dim <= LARGEST_ENUMERATION:
            pairs = np.array(list(combinations(range(structure.dim), 2)))
            vertices = np.eye(structure.dim)
            return self.mass * _largest_norm(structure, vertices[pairs[:, 0]] - vertices[pairs[:, 1]])
        if is_axis_aligned(structure):
            return self.mass * _largest_block_distance(structure)
        return self.mass * (2.0 / smallest_multiplicity(structure)) ** 0.5


def _largest_norm(structure: Structure, vectors: np.ndarray) -> float:  # (k, d)
    """max over the rows of ‖x‖_H."""
    return float(np.max(to_numpy(structure.norm(vectors.reshape(-1, *structure.shape)))))


def _largest_block_distance(structure: Structure) -> float:
    """max ‖e_i - e_j‖_H for axis-aligned blocks of sizes w: 2/w inside a block of two or more, 1/w across blocks, rooted."""
    sizes = to_numpy(structure.factor(structure.identity(np.ones(1))).weights)
    inside = max((2.0 / w for w in sizes if w > 1), default=0.0)
    across = 1.0 / float(np.min(sizes)) if len(sizes) > 1 else 0.0
    return max(inside, across) ** 0.5


def _weighted_projection(
    y: Array,  # (..., d)
    w: Array,  # (..., d) diagonal of the metric, in [0, 1]
    mass: float,
) -> Array:  # (..., d)
    """argmin Σ w_i (x_i - y_i)²/2 over the simplex; a zero weight stands for the limit of small ones."""
    xp = namespace(y)
    # A tiny weight in place of 0 gives the limit exactly: 1/w is finite, and w·(anything in range) is far below rounding.
    w = xp.clip(w, float(xp.finfo(w.dtype).smallest_normal) ** 0.5, None)
    # Shifting y by a multiple of 1/w changes λ alone. The second pass starts where λ ≈ 0 and no sum cancels: far points
    # keep all their digits.
    near = y - _multiplier(y, w, mass) / w
    x = xp.clip(near - _multiplier(near, w, mass) / w, 0.0, None)
    return x * (mass / xp.sum(x, axis=-1, keepdims=True))


def _multiplier(y: Array, w: Array, mass: float) -> Array:  # (..., 1)
    """λ with Σ (y_i - λ/w_i)_+ = mass."""
    xp = namespace(y)
    order = xp.argsort(w * y, axis=-1, descending=True)
    sorted_y, sorted_w = xp.take_along_axis(y, order, axis=-1), xp.take_along_axis(w + 0.0 * y, order, axis=-1)
    candidate = (xp.cumulative_sum(sorted_y, axis=-1) - mass) / xp.cumulative_sum(1.0 / sorted_w, axis=-1)
    # candidate_k lies between candidate_{k-1} and w_k y_k, on top of the latter where 1/w_k dominates: comparing with the
    # previous one decides the same without a tie by rounding.
    stays_out = xp.astype((sorted_w * sorted_y)[..., 1:] <= candidate[..., :-1], xp.int64)
    prefix = xp.astype(xp.cumulative_sum(stays_out, axis=-1) == 0, xp.int64)  # behind the first that stays out, all do
    return xp.take_along_axis(candidate, xp.sum(prefix, axis=-1, keepdims=True), axis=-1)
