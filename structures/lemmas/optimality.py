r"""The preconditioner solves its problem: no other element of the set does better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from structures.arrays import namespace, tolerance
from structures.full import Full
from structures.lemmas.assumptions import CONE, POSITIVE, UNITAL
from structures.lemmas.candidates import candidates
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, representatives
from structures.lemmas.rounding import projected_spectrum, projection_error, trace_root_error
from structures.not_structured import HiddenJitter
from theory.theorem import Example, Kind

__all__ = ["Optimality"]


class Optimality(Law):
    id = "optimality"
    title = "The preconditioner minimises its defining objective"
    kind = Kind.LOWER_BOUND
    source = derived("l4")
    statement = (
        r"\langle M, H^{-1}\rangle + \operatorname{Tr} H \ge 2 \operatorname{Tr} P_{\mathcal H}(M) "
        r"\qquad \text{for every positive definite } H \in \mathcal H"
    )
    subject = "three elements of the set against the minimiser"
    assumptions = (POSITIVE, CONE, UNITAL)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        values = []
        for H in candidates(K, run.M, run.N):
            values.append(xp.linalg.trace(xp.linalg.solve(H, run.M)) + xp.linalg.trace(H))
        measured = xp.stack(values, axis=-1)
        best = 2.0 * K.trace(K.preconditioner(run.M))[..., None]
        error = 2.0 * trace_root_error(projected_spectrum(K, run.M), projection_error(run.M))[..., None]
        rounding = tolerance(measured, K.dim, 17.0) * measured  # the squared condition numbers of the candidates
        return Sides(measured, best + 0.0 * measured, error + rounding)

    def examples(self) -> Iterable[Example]:
        for K in representatives(several=True):
            yield Example(str(K), partial(make_instance, K, STRICT))
        yield Example("close to a multiple of I", _nearly_scalar, near_tight=True)

    def controls(self) -> Iterable[Example]:
        run = make_instance(HiddenJitter((3,)), ("generic",))
        yield from misuse("gradients of size 1e-6", replace(run, M=1e-12 * run.M), "cone")


def _nearly_scalar() -> Instance:
    run = make_instance(Full((4,)), ("repeated",))
    return replace(run, M=run.M + 20.0 * namespace(run.M).eye(4))
