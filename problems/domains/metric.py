r"""The metric of one projection, :math:`\|x\|_H^2 = x^\top H x` with :math:`H = c^{1/2}`, at unit scale.

From the `Factor` of a learner's statistic c: the eigenvalues of H divided by the largest, so that every solver sees a spectrum
in [0, 1], and the scale that turns objective values back. H = 0 (no gradient yet) makes every point a minimiser; the
Euclidean metric then picks the nearest one.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import prod
from typing import Any

from problems.domains.facts import group, is_axis_aligned, is_isotropic
from structures import Diagonal, DirectSum, Factor, Scalar, Structure
from structures.arrays import Array, like, namespace

__all__ = ["Metric"]


@dataclass(frozen=True, eq=False)
class Metric:
    """H/‖H‖ on flattened parameters."""

    structure: Structure
    values: Array  # (..., r) eigenvalues of H/‖H‖, in [0, 1], the largest 1
    basis: Any  # of the factor
    scale: Array  # (...) ‖H‖, 0 where H = 0

    @classmethod
    def of(cls, factor: Factor) -> Metric:
        """The metric of H = c^{1/2}."""
        return _normalised(factor.structure, factor.spectrum(Fraction(1, 2)), factor.basis)

    @property
    def isotropic(self) -> bool:
        """Whether H is a multiple of the identity for every statistic."""
        return is_isotropic(self.structure)

    @property
    def axis_aligned(self) -> bool:
        """Whether H is diagonal for every statistic."""
        return is_axis_aligned(self.structure)

    def apply(self, x: Array) -> Array:  # (..., d) -> (..., d)
        """H x / ‖H‖."""
        return self.filter(self.values, x)

    def filter(self, values: Array, x: Array) -> Array:  # (..., r), (..., d) -> (..., d)
        """The operator with these eigenvalues in the basis of H."""
        K = self.structure
        return K.flatten(K.apply_spectrum(values, self.basis, K.unflatten(x)))

    def diagonal(self) -> Array:  # (..., d)
        """The diagonal of H/‖H‖ where the structure is axis-aligned."""
        xp = namespace(self.values)
        ones = xp.ones((*self.values.shape[:-1], self.structure.dim), **like(self.values))
        return self.apply(ones)

    def split(self, shapes: Sequence[tuple[int, ...]]) -> list[Metric] | None:
        """One metric per consecutive block of the parameter, or None where H couples two blocks."""
        sizes = [prod(shape) for shape in shapes]
        if len(sizes) == 1:
            return [self]
        if self.axis_aligned:
            return self._split_diagonal(shapes)
        if not isinstance(self.structure, DirectSum):
            return None
        parts = _leaves(self.structure, self.values, self.basis)
        grouped = group([part for part, _, _ in parts], sizes)
        if grouped is None:
            return None
        ends = list(accumulate(len(members) for members in grouped))
        blocks = [parts[end - len(members) : end] for members, end in zip(grouped, ends, strict=True)]
        return [self._rescaled(_joined(block)) for block in blocks]

    def _split_diagonal(self, shapes: Sequence[tuple[int, ...]]) -> list[Metric]:
        if self.isotropic:
            return [Metric(Scalar(tuple(shape)), self.values, None, self.scale) for shape in shapes]
        diagonal = self.diagonal()
        ends = list(accumulate(prod(shape) for shape in shapes))
        cut = [diagonal[..., end - prod(shape) : end] for shape, end in zip(shapes, ends, strict=True)]
        return [self._rescaled(_normalised(Diagonal(tuple(s)), h, None)) for s, h in zip(shapes, cut, strict=True)]

    def _rescaled(self, block: Metric) -> Metric:
        """A block's metric with its scale in the units of H."""
        return Metric(block.structure, block.values, block.basis, block.scale * self.scale)


def _normalised(structure: Structure, h: Array, basis: Any) -> Metric:
    """The metric of H with eigenvalues h."""
    xp = namespace(h)
    scale = xp.max(h, axis=-1)
    positive = (scale > 0)[..., None]
    values = xp.where(positive, h / xp.where(positive, scale[..., None], xp.ones_like(h)), xp.ones_like(h))
    # Below the square root of the smallest number, 1/h overflows in a secular equation; no digit of a result sees it.
    smallest = float(xp.finfo(h.dtype).smallest_normal) ** 0.5
    return Metric(structure, xp.where(values > smallest, values, xp.zeros_like(values)), basis, scale)


def _leaves(structure: Structure, values: Array, basis: Any) -> list[tuple[Structure, Array, Any]]:
    """The parts of nested direct sums with their share of eigenvalues and basis."""
    if not isinstance(structure, DirectSum):
        return [(structure, values, basis)]
    ends = list(accumulate(size for size, _ in basis))
    found = []
    for part, end, (size, own) in zip(structure.parts, ends, basis, strict=True):
        found += _leaves(part, values[..., end - size : end], own)
    return found


def _joined(block: list[tuple[Structure, Array, Any]]) -> Metric:
    """The metric of consecutive leaves."""
    if len(block) == 1:
        return _normalised(*block[0])
    values = namespace(block[0][1]).concat([h for _, h, _ in block], axis=-1)
    return _normalised(DirectSum([part for part, _, _ in block]), values, tuple((h.shape[-1], b) for _, h, b in block))
