r"""Jensen's inequality for the root: projecting first and taking the root gives more than the other way round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from structures.diagonal import Diagonal
from structures.lemmas.assumptions import POSITIVE, WELL_STRUCTURED
from structures.lemmas.instance import SIMPLE, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, precondition, project, representatives
from structures.lemmas.rounding import loewner_ratio, projected_spectrum, projection_error, root_error
from structures.not_structured.certificates import monotonicity_failures
from structures.roots import eigh, matrix_power
from theory.theorem import Example, Kind

__all__ = ["Jensen"]


class Jensen(Law):
    id = "root-jensen"
    title = "The root of the projection dominates the projection of the root"
    kind = Kind.PATHWISE
    source = derived("l2-concave")
    statement = (
        r"E(M^{1/2}) \preceq P_{\mathcal H}(M), \qquad \text{measured as a largest generalised eigenvalue} \le 1"
    )
    subject = "the preconditioner beside the projected full-matrix one"
    assumptions = (POSITIVE, WELL_STRUCTURED)

    def sides(self, run: Instance) -> Sides:
        K = run.structure
        delta = projection_error(run.M)
        values = eigh(run.M)[0]
        error = root_error(values, delta) + root_error(projected_spectrum(K, run.M), delta)
        ratio, budget = loewner_ratio(project(K, matrix_power(run.M, 0.5)), precondition(K, run.M), error)
        return Sides(ratio, 1.0 + 0.0 * ratio, budget)

    def examples(self) -> Iterable[Example]:
        for K in representatives(proper=True):
            yield Example(str(K), partial(make_instance, K, SIMPLE))
        yield Example("nearly an element", _nearly_inside, near_tight=True)

    def controls(self) -> Iterable[Example]:
        for H, M, N in monotonicity_failures():
            yield from misuse(str(H), Instance(H, M=np.stack([M, N])), "well-structured")


def _nearly_inside() -> Instance:
    run = make_instance(Diagonal((5,)), ("generic",))
    return replace(run, M=project(run.structure, run.M) + 0.05 * run.M)
