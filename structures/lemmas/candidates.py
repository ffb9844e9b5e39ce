r"""Elements of the set that compete with the preconditioner: one far, one near, and the best multiple of the identity."""

from __future__ import annotations

from structures.arrays import Array, eye, namespace
from structures.base import Structure
from structures.lemmas.law import precondition
from structures.lemmas.rounding import positive_or_one, row_norm

__all__ = ["candidates"]


def candidates(K: Structure, M: Array, N: Array) -> tuple[Array, Array, Array]:  # (B, d, d) twice -> three (B, d, d)
    """P_H(N + εI) and P_H(M + εI) with ε a sixteenth of the norm, and sqrt(Tr M / d) I (I for M = 0)."""
    xp = namespace(M)
    identity = eye(K.dim, M)
    far, near = (precondition(K, A + (positive_or_one(row_norm(A)) / 16.0)[..., None, None] * identity) for A in (N, M))
    level = positive_or_one(xp.sqrt(xp.linalg.trace(M) / float(K.dim)))
    return far, near, level[..., None, None] * identity
