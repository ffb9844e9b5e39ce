r"""E is the orthogonal projection onto the span of the set: linear, idempotent, self-adjoint, unital, trace-preserving."""

from __future__ import annotations

from collections.abc import Iterable

from structures.arrays import eye, namespace
from structures.lemmas.assumptions import LINEAR
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, project
from structures.lemmas.rounding import positive_or_one, relative_error, row_norm
from structures.not_structured import KroneckerSet, NoIdentity
from theory.theorem import Example, Kind

__all__ = ["OrthogonalProjection"]


class OrthogonalProjection(Law):
    id = "orthogonal-projection"
    title = "E is the orthogonal projection onto J"
    kind = Kind.EXACT
    source = derived("l1")
    statement = (
        r"E(E(M)) = E(M) = E(M)^\top, \quad \langle E(M), S\rangle = \langle M, E(S)\rangle, \quad "
        r"\operatorname{Tr} E(M) = \operatorname{Tr} M, \quad E(M + S) = E(M) + E(S), \quad E(I) = I"
    )
    subject = "the Frobenius projection onto a linear set of symmetric matrices"
    assumptions = (LINEAR,)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        M, S = (A / positive_or_one(row_norm(A))[..., None, None] for A in (run.M, run.S))
        EM, ES = project(K, M), project(K, S)
        raw = project(K, run.M) / positive_or_one(row_norm(run.M))[..., None, None]  # at the scale of the run
        identity = xp.broadcast_to(eye(K.dim, M), M.shape)
        pairs = [
            (flat(project(K, EM)), flat(EM)),
            (flat(xp.matrix_transpose(EM)), flat(EM)),
            (flat(raw), flat(EM)),
            (xp.sum(EM * S, axis=(-2, -1))[..., None], xp.sum(M * ES, axis=(-2, -1))[..., None]),
            (xp.linalg.trace(EM)[..., None], xp.linalg.trace(M)[..., None]),
            (flat(project(K, M + S)), flat(EM) + flat(ES)),
            (flat(project(K, identity)), flat(identity)),
        ]
        measured, bound = (xp.concat([pair[side] for pair in pairs], axis=-1) for side in (0, 1))
        return Sides(measured, bound, K.dim * relative_error(run.M))  # sums of d² products of size one

    def controls(self) -> Iterable[Example]:
        for K in (KroneckerSet((2, 2)), NoIdentity((3,))):
            yield from misuse(str(K), make_instance(K), "linear")
