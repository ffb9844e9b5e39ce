r"""At the preconditioner both terms of its defining problem are equal: the price of a scale that could be chosen freely."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from structures.arrays import namespace
from structures.lemmas.assumptions import CONE, POSITIVE
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, precondition
from structures.lemmas.rounding import positive_or_one, projected_spectrum, projection_error, trace_root_error
from structures.not_structured import HiddenJitter
from structures.roots import eigh
from theory.theorem import Example, Kind

__all__ = ["TraceIdentity"]


class TraceIdentity(Law):
    id = "trace-identity"
    title = "The inverse preconditioner against the statistic is the trace"
    kind = Kind.EXACT
    source = derived("l3")
    statement = r"\langle M, P_{\mathcal H}(M)^{-1}\rangle = \operatorname{Tr} P_{\mathcal H}(M)"
    subject = "the two terms of the problem that defines the preconditioner (pseudo-inverse for singular M)"
    assumptions = (POSITIVE, CONE)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        delta = projection_error(run.M)
        values, vectors = eigh(precondition(K, run.M))
        energies = xp.sum(vectors * (run.M @ vectors), axis=-2)
        # Roots below √δ are rounding; leaving them out costs at most √δ each, which the budget contains.
        kept = values > xp.sqrt(delta)[..., None]
        inverse = xp.sum(
            xp.where(kept, energies / xp.where(kept, values, xp.ones_like(values)), xp.zeros_like(values)), axis=-1
        )
        trace = xp.sum(values, axis=-1)
        size = positive_or_one(trace)
        budget = 4.0 * trace_root_error(projected_spectrum(K, run.M), delta) / size
        return Sides(inverse / size, trace / size, budget)

    def controls(self) -> Iterable[Example]:
        run = make_instance(HiddenJitter((3,)), ("generic", "repeated"))
        yield from misuse("gradients of size 1e-4", replace(run, M=1e-8 * run.M), "cone")
