r"""P_H is homogeneous of degree one half: gradients in other units give the preconditioner in other units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from structures.arrays import namespace
from structures.lemmas.assumptions import CONE, POSITIVE
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, precondition
from structures.lemmas.rounding import positive_or_one, relative_error, row_norm
from structures.not_structured import HiddenJitter
from theory.theorem import Example, Kind

__all__ = ["Homogeneous"]

FACTORS = (3.0, 1.0 / 3.0, 2.0**-12)


class Homogeneous(Law):
    id = "homogeneous-root"
    title = "The preconditioner scales with the gradients"
    kind = Kind.EXACT
    source = derived("l2-concave")
    statement = r"P_{\mathcal H}(s^2 M)^2 = s^2\,P_{\mathcal H}(M)^2, \qquad s > 0"
    subject = "the preconditioner of rescaled gradients, squared"
    assumptions = (POSITIVE, CONE)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        root = xp.sqrt(positive_or_one(row_norm(run.M)))[..., None, None]
        unit = precondition(K, run.M) / root
        scaled = [precondition(K, s * (s * run.M)) / (s * root) for s in FACTORS]
        measured = xp.concat([flat(P @ P) for P in scaled], axis=-1)
        bound = xp.concat([flat(unit @ unit) for _ in FACTORS], axis=-1)
        return Sides(measured, bound, 4.0 * relative_error(min(FACTORS) ** 2 * run.M))

    def controls(self) -> Iterable[Example]:
        run = make_instance(HiddenJitter((3,)), ("generic", "repeated", "stiff"))
        yield from misuse("gradients of size 1e-4", replace(run, M=1e-8 * run.M), "cone")
