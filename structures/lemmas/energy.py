r"""The preconditioner keeps the energy of the gradients: its squared Frobenius norm is the trace of the statistic."""

from __future__ import annotations

from collections.abc import Iterable

from structures.arrays import namespace
from structures.lemmas.assumptions import POSITIVE, WELL_STRUCTURED
from structures.lemmas.instance import Instance
from structures.lemmas.law import Law, Sides, derived, misuse, precondition
from structures.lemmas.rounding import positive_or_one, relative_error, row_norm
from structures.not_structured.certificates import monotonicity_failures
from theory.theorem import Example, Kind

__all__ = ["Energy"]


class Energy(Law):
    id = "energy-identity"
    title = "The squared norm of the preconditioner is the trace of the statistic"
    kind = Kind.EXACT
    source = derived("l3")
    statement = r"\|P_{\mathcal H}(M)\|_F^2 = \operatorname{Tr} M"
    subject = "the Frobenius norm of a preconditioner"
    assumptions = (POSITIVE, WELL_STRUCTURED)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        size = positive_or_one(row_norm(run.M))
        P = precondition(K, run.M) / xp.sqrt(size)[..., None, None]
        budget = K.dim * relative_error(run.M)[..., 0]  # d eigenvalues of size at most one
        return Sides(xp.sum(P * P, axis=(-2, -1)), xp.linalg.trace(run.M) / size, budget)

    def controls(self) -> Iterable[Example]:
        for H, M, _ in monotonicity_failures():
            yield from misuse(str(H), Instance(H, M=M[None]), "well-structured")
