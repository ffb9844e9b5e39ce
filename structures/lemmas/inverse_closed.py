r"""Inverses of positive elements are elements: the second of the equivalent properties."""

from __future__ import annotations

from collections.abc import Iterable

from structures.arrays import eye, namespace, tolerance
from structures.lemmas.assumptions import POSITIVE, WELL_STRUCTURED
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, precondition, project
from structures.lemmas.rounding import positive_or_one, row_norm
from structures.not_structured.certificates import indefinite_squares
from theory.theorem import Example, Kind

__all__ = ["ClosedUnderInversion"]


class ClosedUnderInversion(Law):
    id = "closed-under-inversion"
    title = "Inverses of preconditioners are elements"
    kind = Kind.EXACT
    source = derived("theorem")
    statement = r"H = P_{\mathcal H}(M + \epsilon I) \implies E(H^{-1}) = H^{-1}"
    subject = "inverses of well-conditioned preconditioners"
    assumptions = (POSITIVE, WELL_STRUCTURED)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        eps = positive_or_one(row_norm(run.M)) / 16.0  # the condition number of H is below √17
        H = precondition(K, run.M + eps[..., None, None] * eye(K.dim, run.M)) / xp.sqrt(eps)[..., None, None]
        inverse = xp.linalg.inv(H)
        return Sides(flat(project(K, inverse)), flat(inverse), 4.0 * tolerance(H, K.dim, 17.0))

    def controls(self) -> Iterable[Example]:
        for L, _ in indefinite_squares():
            yield from misuse(str(L), make_instance(L, ("generic", "repeated")), "well-structured")
