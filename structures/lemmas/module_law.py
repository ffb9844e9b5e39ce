r"""E is a module map for the quadratic product: elements of J pass through it on both sides."""

from __future__ import annotations

from collections.abc import Iterable

from structures.arrays import tolerance
from structures.lemmas.assumptions import WELL_STRUCTURED
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, project
from structures.lemmas.rounding import positive_or_one, row_norm
from structures.not_structured.certificates import indefinite_squares
from theory.theorem import Example, Kind

__all__ = ["ModuleLaw"]


class ModuleLaw(Law):
    id = "module-law"
    title = "E(AMA) = A E(M) A for A in J"
    kind = Kind.EXACT
    source = derived("l1")
    statement = r"E(A M A) = A\,E(M)\,A \qquad \text{for } A \in J"
    subject = "the projection of a matrix between two equal elements"
    assumptions = (WELL_STRUCTURED,)

    def sides(self, run: Instance) -> Sides:
        K = run.structure
        M = run.M / positive_or_one(row_norm(run.M))[..., None, None]
        A = project(K, run.S)
        A = A / positive_or_one(row_norm(A))[..., None, None]
        return Sides(flat(project(K, A @ M @ A)), flat(A @ project(K, M) @ A), 4.0 * tolerance(M, K.dim))

    def controls(self) -> Iterable[Example]:
        for L, _ in indefinite_squares():
            yield from misuse(str(L), make_instance(L), "well-structured")
