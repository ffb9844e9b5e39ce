r"""Kadison's inequality: squaring after projecting gives less than projecting after squaring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from structures.arrays import tolerance
from structures.base import Structure
from structures.combine import BlockDiagonal
from structures.diagonal import Diagonal
from structures.lemmas.assumptions import WELL_STRUCTURED
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, project, representatives
from structures.lemmas.rounding import loewner_ratio, positive_or_one, row_norm
from structures.not_structured.certificates import indefinite_squares
from theory.theorem import Example, Kind

__all__ = ["Kadison"]


class Kadison(Law):
    id = "kadison"
    title = "Kadison's inequality for E"
    kind = Kind.PATHWISE
    source = derived("l1")
    statement = (
        r"E(S)^2 \preceq E(S^2), \qquad \text{measured as } "
        r"\lambda_{\max}\bigl(E(S^2)^{-1/2} E(S)^2 E(S^2)^{-1/2}\bigr) \le 1"
    )
    subject = "squares of projected symmetric matrices"
    assumptions = (WELL_STRUCTURED,)

    def sides(self, run: Instance) -> Sides:
        S = run.S / positive_or_one(row_norm(run.S))[..., None, None]
        ES = project(run.structure, S)
        error = 4.0 * tolerance(S, run.structure.dim) * positive_or_one(0.0 * S[..., 0, 0])
        ratio, budget = loewner_ratio(ES @ ES, project(run.structure, S @ S), error)
        return Sides(ratio, 1.0 + 0.0 * ratio, budget)

    def examples(self) -> Iterable[Example]:
        for K in (BlockDiagonal([(2,), (2,)]), *(K for K in representatives(proper=True) if _is_strict(K))):
            yield Example(str(K), partial(make_instance, K, STRICT))
        yield Example("nearly an element", _nearly_inside, near_tight=True)

    def controls(self) -> Iterable[Example]:
        for L, _ in indefinite_squares():
            run = make_instance(L, ("generic",))
            yield from misuse(str(L), replace(run, S=project(L, run.S)), "well-structured")


def _is_strict(K: Structure) -> bool:
    """Whether a generic S leaves E(S²) - E(S)² definite: blocks of unequal sizes have directions of equality."""
    S = make_instance(K, ("generic",)).S
    ES = project(K, S)
    gap = np.linalg.eigvalsh(project(K, S @ S) - ES @ ES)
    return bool(np.all(gap[..., 0] > 1e-6 * gap[..., -1]))  # far from the rounding of an equality


def _nearly_inside() -> Instance:
    run = make_instance(Diagonal((5,)))
    return replace(run, S=project(run.structure, run.S) + 0.05 * run.S)
