r"""The preconditioner is the root of the projection: what defines it as a minimiser, solved without using the closed form."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from structures.arrays import asarray_like, eye, namespace, to_numpy, tolerance
from structures.base import Structure
from structures.lemmas.assumptions import POSITIVE, WELL_STRUCTURED
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, project
from structures.lemmas.rounding import positive_or_one, row_norm
from structures.not_structured.certificates import indefinite_squares
from structures.not_structured.linear import orthonormal_basis
from structures.not_structured.newton import combination, newton_preconditioner
from theory.theorem import Example, Kind

__all__ = ["RootOfProjection", "basis_of"]


class RootOfProjection(Law):
    id = "root-of-projection"
    title = "The minimiser is the root of the projection"
    kind = Kind.EXACT
    source = derived("theorem")
    statement = (
        r"\Bigl(\operatorname*{argmin}_{H \in J,\, H \succ 0} \langle M, H^{-1}\rangle + \operatorname{Tr} H\Bigr)^2 = E(M), "
        r"\qquad M \succ 0"
    )
    subject = "the defining problem, solved by Newton's method on a basis of J in float64 on the host"
    assumptions = (POSITIVE, WELL_STRUCTURED)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        M = run.M / positive_or_one(row_norm(run.M))[..., None, None] + eye(K.dim, run.M) / 16.0
        M = M * (K.dim / xp.linalg.trace(M))[..., None, None]
        basis = basis_of(K)
        H = asarray_like(combination(newton_preconditioner(to_numpy(M).astype(np.float64), basis), basis), M)
        # Newton stops at a decrement² of 1e-25 d beside a curvature above 1/17² of that at I: H is right to 1e-10 d.
        return Sides(flat(H @ H), flat(project(K, M)), 4.0 * K.dim * tolerance(M, K.dim) + 1e-10 * K.dim)

    def controls(self) -> Iterable[Example]:
        for L, _ in indefinite_squares():
            yield from misuse(str(L), make_instance(L, ("generic", "repeated")), "well-structured")


def basis_of(K: Structure) -> np.ndarray:  # (k, d, d)
    """An orthonormal basis of the span of a linear set, read off its projection of the symmetric unit matrices."""
    units = [np.zeros((K.dim, K.dim)) for _ in range(K.dim * (K.dim + 1) // 2)]
    for unit, (i, j) in zip(units, zip(*np.triu_indices(K.dim), strict=True), strict=True):
        unit[i, j] = unit[j, i] = 1.0
    projected = project(K, np.stack(units))
    return orthonormal_basis(0.5 * (projected + np.swapaxes(projected, 1, 2)))
