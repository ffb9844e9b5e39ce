r"""P_H is operator concave: averaging statistics first gives more preconditioner than averaging preconditioners."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from structures.full import Full
from structures.lemmas.assumptions import POSITIVE, WELL_STRUCTURED
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, precondition
from structures.lemmas.rounding import loewner_ratio, projected_spectrum, projection_error, root_error
from structures.not_structured.certificates import monotonicity_failures
from theory.theorem import Example, Kind

__all__ = ["OperatorConcave"]


class OperatorConcave(Law):
    id = "operator-concave"
    title = "The preconditioner is operator concave"
    kind = Kind.PATHWISE
    source = derived("l2-concave")
    statement = (
        r"\tfrac12\bigl(P_{\mathcal H}(M) + P_{\mathcal H}(N)\bigr) \preceq P_{\mathcal H}\bigl(\tfrac12(M + N)\bigr), "
        r"\qquad \text{measured as a largest generalised eigenvalue} \le 1"
    )
    subject = "the preconditioner of a mean of two statistics"
    assumptions = (POSITIVE, WELL_STRUCTURED)

    def sides(self, run: Instance) -> Sides:
        K = run.structure
        mean = 0.5 * run.M + 0.5 * run.N
        errors = [root_error(projected_spectrum(K, A), projection_error(A)) for A in (run.M, run.N, mean)]
        averaged = 0.5 * precondition(K, run.M) + 0.5 * precondition(K, run.N)
        ratio, budget = loewner_ratio(averaged, precondition(K, mean), errors[0] + errors[1] + errors[2])
        return Sides(ratio, 1.0 + 0.0 * ratio, budget)

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("two near statistics", _near, near_tight=True)

    def controls(self) -> Iterable[Example]:
        for H, M, N in monotonicity_failures():
            yield from misuse(str(H), Instance(H, M=M[None], N=N[None]), "well-structured")


def _near() -> Instance:
    run = make_instance(Full((4,)), ("generic", "repeated"))
    return replace(run, N=run.M + 0.2 * (run.N - run.M))
