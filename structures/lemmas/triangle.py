r"""The adaptive gradient norm is a norm on sequences: it obeys the triangle inequality."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from structures.full import Full
from structures.lemmas.assumptions import CONVEX
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.lemmas.sequence import adaptive_error
from structures.not_structured import KroneckerSet
from theory.theorem import Example, Kind

__all__ = ["Triangle"]


class Triangle(Law):
    id = "adaptive-norm-triangle"
    title = "The triangle inequality for the adaptive gradient norm"
    kind = Kind.PATHWISE
    source = derived("l7")
    statement = r"|||g_{1:T} + g'_{1:T}|||_{\mathcal H} \le |||g_{1:T}|||_{\mathcal H} + |||g'_{1:T}|||_{\mathcal H}"
    subject = "two sequences of gradients and their sum"
    assumptions = (CONVEX,)
    axes = ("instance",)

    def sides(self, run: Instance) -> Sides:
        K = run.structure
        first, second = 0.5 * run.gradients, 0.5 * run.points
        bound = K.adaptive_norm(first) + K.adaptive_norm(second)
        budget = adaptive_error(K, first) + adaptive_error(K, second) + adaptive_error(K, first + second)
        return Sides(K.adaptive_norm(first + second), bound, budget)

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("nearly proportional", _nearly_proportional, near_tight=True)

    def controls(self) -> Iterable[Example]:
        run = make_instance(KroneckerSet((2, 2)), ("generic",))
        first, second = np.asarray([[[[1.0, 0.0], [0.0, 0.0]]]]), np.asarray([[[[0.0, 0.0], [0.0, 1.0]]]])
        yield from misuse("Kronecker products", replace(run, gradients=first, points=second), "convex")


def _nearly_proportional() -> Instance:
    run = make_instance(Full((4,)), ("generic",))
    return replace(run, points=2.0 * run.gradients + 0.1 * run.points)
