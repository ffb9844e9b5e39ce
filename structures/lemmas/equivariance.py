r"""The preconditioner turns with the parameter, for every rotation that maps the set to itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from structures.arrays import namespace, tolerance
from structures.base import Structure
from structures.diagonal import Diagonal
from structures.full import Full
from structures.kronecker import LeftKronecker
from structures.lemmas.assumptions import INVARIANT, POSITIVE
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, precondition, project, representatives
from structures.lemmas.rounding import positive_or_one, row_norm
from structures.scalar import Scalar
from theory.theorem import Example, Kind

__all__ = ["Equivariance", "reflection"]


class Equivariance(Law):
    id = "equivariance"
    title = "The preconditioner turns with the parameter"
    kind = Kind.EXACT
    source = derived("l10")
    statement = r"Q J Q^\top = J \implies P_{\mathcal H}(Q M Q^\top)^2 = Q\,P_{\mathcal H}(M)^2\,Q^\top"
    subject = "a statistic and its rotation, roots compared by their squares"
    assumptions = (POSITIVE, INVARIANT)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        M = run.M / positive_or_one(row_norm(run.M))[..., None, None]
        turned = precondition(K, run.Q @ M @ xp.matrix_transpose(run.Q))
        P = precondition(K, M)
        return Sides(flat(turned @ turned), flat(run.Q @ P @ P @ xp.matrix_transpose(run.Q)), 8.0 * tolerance(M, K.dim))

    def examples(self) -> Iterable[Example]:
        for K in representatives():
            yield Example(f"{K}, a reflection in J", partial(_turned, K, reflection(K)))
        rng = np.random.default_rng(3)
        for K in (Scalar((2, 3)), Full((4,))):
            yield Example(f"{K}, any rotation", partial(_turned, K, _rotation(K.dim, rng)))
        factors = np.kron(_rotation(2, rng), _rotation(3, rng))
        yield Example("a Kronecker rotation of one side", partial(_turned, LeftKronecker((2, 3)), factors))
        signed = np.asarray([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
        yield Example("a signed permutation of a diagonal", partial(_turned, Diagonal((3,)), signed))

    def controls(self) -> Iterable[Example]:
        rng = np.random.default_rng(4)
        for K in (Diagonal((4,)), LeftKronecker((2, 3))):
            yield from misuse(f"{K}, any rotation", _turned(K, _rotation(K.dim, rng)), "invariant")


def reflection(K: Structure) -> np.ndarray:  # (d, d)
    """The sign of a random element: it lies in J, is orthogonal, and A J A ⊆ J for every A ∈ J."""
    S = np.random.default_rng(5).standard_normal((K.dim, K.dim))
    values, vectors = np.linalg.eigh(project(K, S + S.T))
    return (vectors * np.where(values > 0, 1.0, -1.0)) @ vectors.T


def _rotation(d: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def _turned(K: Structure, Q: np.ndarray) -> Instance:
    return replace(make_instance(K, STRICT), Q=Q)
