r"""J is closed under squaring: the property that everything else is equivalent to."""

from __future__ import annotations

from collections.abc import Iterable

from structures.arrays import tolerance
from structures.lemmas.assumptions import DECLARED
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, project
from structures.lemmas.rounding import positive_or_one, row_norm
from structures.not_structured.certificates import indefinite_squares
from theory.theorem import Example, Kind

__all__ = ["ClosedUnderSquaring"]


class ClosedUnderSquaring(Law):
    id = "closed-under-squaring"
    title = "Squares of elements are elements"
    kind = Kind.EXACT
    source = derived("theorem")
    statement = r"E(A^2) = A^2 \qquad \text{for } A \in J = \operatorname{span} \mathcal H"
    subject = "random elements of a structure that claims to be well-structured"
    assumptions = (DECLARED,)

    def sides(self, run: Instance) -> Sides:
        K = run.structure
        A = project(K, run.S)
        A = A / positive_or_one(row_norm(A))[..., None, None]
        return Sides(flat(project(K, A @ A)), flat(A @ A), 4.0 * tolerance(A, K.dim))

    def controls(self) -> Iterable[Example]:
        for L, _ in indefinite_squares():
            yield from misuse(str(L), make_instance(L), "declared")
