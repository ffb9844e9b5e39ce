r"""E is positive, and more: the spectrum of E(M) stays inside the range of the spectrum of M."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from structures.arrays import eye
from structures.lemmas.assumptions import WELL_STRUCTURED
from structures.lemmas.instance import SIMPLE, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, project, representatives
from structures.lemmas.rounding import positive_or_one, relative_error, row_norm
from structures.not_structured.certificates import indefinite_squares
from structures.roots import eigh
from structures.scalar import Scalar
from theory.theorem import Example, Kind

__all__ = ["PositiveProjection"]


class PositiveProjection(Law):
    id = "positive-projection"
    title = "The projection of a positive matrix is positive"
    kind = Kind.LOWER_BOUND
    source = derived("l1")
    statement = (
        r"\lambda_{\min}(E(M)) \ge \lambda_{\min}(M), \qquad \text{in particular } M \succeq 0 \implies E(M) \succeq 0"
    )
    subject = "the spectrum of a projected matrix"
    assumptions = (WELL_STRUCTURED,)

    def sides(self, run: Instance) -> Sides:
        size = positive_or_one(row_norm(run.M))
        projected = eigh(project(run.structure, run.M))[0][..., 0] / size
        return Sides(projected, eigh(run.M)[0][..., 0] / size, 2.0 * relative_error(run.M)[..., 0])

    def examples(self) -> Iterable[Example]:
        for K in representatives(proper=True):
            yield Example(str(K), partial(make_instance, K, SIMPLE))
        yield Example("nearly a multiple of I", _nearly_scalar, near_tight=True)

    def controls(self) -> Iterable[Example]:
        for L, x in indefinite_squares():
            yield from misuse(str(L), Instance(L, M=x[None, :, None] * x[None, None, :]), "well-structured")


def _nearly_scalar() -> Instance:
    run = make_instance(Scalar((5,)), ("generic",))
    return replace(run, M=eye(5, run.M) + 1e-3 * run.M)
