r"""P_H is operator monotone: more gradient never means less preconditioner, in any direction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from structures.full import Full
from structures.lemmas.assumptions import ORDERED, POSITIVE, WELL_STRUCTURED
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, precondition
from structures.lemmas.rounding import loewner_ratio, projected_spectrum, projection_error, root_error
from structures.not_structured.certificates import monotonicity_failures
from theory.theorem import Example, Kind

__all__ = ["OperatorMonotone"]


class OperatorMonotone(Law):
    id = "operator-monotone"
    title = "The preconditioner is operator monotone"
    kind = Kind.PATHWISE
    source = derived("l2")
    statement = (
        r"M \preceq N \implies P_{\mathcal H}(M) \preceq P_{\mathcal H}(N), \qquad \text{measured as } "
        r"\lambda_{\max}\bigl(P_{\mathcal H}(N)^{-1/2} P_{\mathcal H}(M) P_{\mathcal H}(N)^{-1/2}\bigr) \le 1"
    )
    subject = "preconditioners of two ordered statistics"
    assumptions = (POSITIVE, ORDERED, WELL_STRUCTURED)

    def sides(self, run: Instance) -> Sides:
        K = run.structure
        errors = [root_error(projected_spectrum(K, A), projection_error(A)) for A in (run.M, run.N)]
        ratio, budget = loewner_ratio(precondition(K, run.M), precondition(K, run.N), errors[0] + errors[1])
        return Sides(ratio, 1.0 + 0.0 * ratio, budget)

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("a small increment", _small_increment, near_tight=True)

    def controls(self) -> Iterable[Example]:
        for H, M, N in monotonicity_failures():
            yield from misuse(str(H), Instance(H, M=M[None], N=N[None]), "well-structured")
        run = make_instance(Full((4,)))
        yield from misuse("N is not above M", replace(run, N=0.5 * run.M), "ordered")


def _small_increment() -> Instance:
    run = make_instance(Full((4,)), ("generic", "repeated"))
    return replace(run, N=run.M + 0.05 * (run.N - run.M))
