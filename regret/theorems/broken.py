r"""Learners that look like adaptive regularization and break one hypothesis of its theorem, for the controls.

Source: derived here; the forgetful one fails for the reason of Reddi, Kale, Kumar 2018 (Adam need not converge; remembered).
"""

from __future__ import annotations

from dataclasses import dataclass

from regret.learners.adaptive import AdaptiveRegularization
from regret.learners.base import inner, per_element
from structures.arrays import Array, Coordinates, namespace, tree_map
from structures.factor import Factor

__all__ = ["EuclideanProjection", "NoProjection", "ShrinkingStatistic"]


@dataclass(frozen=True)
class EuclideanProjection(AdaptiveRegularization):
    """Projects in the Euclidean norm instead of that of H_t, and reports a gap of zero all the same."""

    def _moved(self, x: Array, direction: Array, factor: Factor) -> tuple[Array, Array]:
        Y = x - per_element(self.lr, x) * direction
        assert self.domain is not None
        return self.domain.project_euclidean(Y), namespace(x).zeros_like(inner(x, x))


@dataclass(frozen=True)
class NoProjection(AdaptiveRegularization):
    """Has a domain and does not project."""

    def _moved(self, x: Array, direction: Array, factor: Factor) -> tuple[Array, Array]:
        return x - per_element(self.lr, x) * direction, namespace(x).zeros_like(inner(x, x))


@dataclass(frozen=True)
class ShrinkingStatistic(AdaptiveRegularization):
    """Halves the statistic before every step, so that H_t may shrink."""

    def _accumulated(self, statistic: Coordinates, G: Array) -> Coordinates:
        return tree_map(lambda c, g: 0.5 * c + g, statistic, self.structure.outer(G))
