r"""The parameter norm is the largest eigenvalue of a projected square: what defines it as a supremum, bracketed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from structures.arrays import asarray_like, namespace, to_numpy, tolerance
from structures.lemmas.assumptions import WELL_STRUCTURED
from structures.lemmas.definition import basis_of
from structures.lemmas.dual_vector import unit
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, project
from structures.not_structured.certificates import indefinite_squares
from structures.not_structured.spectrahedron import spectrahedron_bracket
from structures.roots import eigh
from theory.theorem import Example, Kind

__all__ = ["NormBySupremum"]

GAP = 1e-6  # of the bracket at the barrier's last parameter, d·1e-9 when centred; several times that when nearly degenerate


class NormBySupremum(Law):
    id = "norm-by-supremum"
    title = "The norm is the root of the largest eigenvalue of the projection"
    kind = Kind.EXACT
    source = derived("l7")
    statement = (
        r"\sup_{H \in \mathcal H,\, \operatorname{Tr} H \le 1} x^\top H x "
        r"= \lambda_{\max}(E(xx^\top)) = \|x\|_{\mathcal H}^2"
    )
    subject = "a linear function over the trace-one elements, bracketed by a barrier method in float64 on the host"
    assumptions = (WELL_STRUCTURED,)
    axes = ("instance", "entry")

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.X)
        u, _ = unit(K, run.X)
        host = to_numpy(u).astype(np.float64)
        ends = spectrahedron_bracket(host[..., :, None] * host[..., None, :], basis_of(K))
        lower, upper = (xp.stack([asarray_like(end, u)] * 2, axis=-1) for end in ends)
        closed = eigh(project(K, u[..., :, None] * u[..., None, :]))[0][..., -1]
        bound = xp.stack([closed, K.norm(K.unflatten(u)) ** 2], axis=-1)
        return Sides(upper, bound, GAP + K.dim * tolerance(u, K.dim), lower)

    def controls(self) -> Iterable[Example]:
        for L, x in indefinite_squares():
            run = make_instance(L, STRICT[:1])
            yield from misuse(str(L), replace(run, X=x.reshape((1, *L.shape))), "well-structured")
