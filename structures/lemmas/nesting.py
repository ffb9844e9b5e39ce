r"""Coarser sets see finer ones: projecting in two stages is projecting at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from structures.arrays import namespace, tolerance
from structures.base import Structure
from structures.diagonal import Diagonal
from structures.full import Full
from structures.kronecker import LeftKronecker
from structures.lemmas.assumptions import NESTED, POSITIVE, WELL_STRUCTURED
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, precondition, project, representatives
from structures.lemmas.rounding import positive_or_one, row_norm
from structures.scalar import Scalar
from theory.theorem import Example, Kind

__all__ = ["NestedProjections", "nested", "pairs"]


class NestedProjections(Law):
    id = "nested-projections"
    title = "Projections onto nested structures"
    kind = Kind.EXACT
    source = derived("l9")
    statement = r"J_1 \subseteq J_2 \implies E_1(E_2(M)) = E_1(M), \quad P_1(P_2(M)^2)^2 = P_1(M)^2"
    subject = "two nested structures on one parameter"
    assumptions = (POSITIVE, NESTED, WELL_STRUCTURED)

    def sides(self, run: Instance) -> Sides:
        (K, finer), xp = run.pair, namespace(run.M)
        M = run.M / positive_or_one(row_norm(run.M))[..., None, None]
        fine, coarse = precondition(finer, M), precondition(K, M)
        staged = precondition(K, fine @ fine)
        measured = xp.concat([flat(project(K, project(finer, M))), flat(staged @ staged)], axis=-1)
        bound = xp.concat([flat(project(K, M)), flat(coarse @ coarse)], axis=-1)
        return Sides(measured, bound, 8.0 * tolerance(M, K.dim))

    def examples(self) -> Iterable[Example]:
        for coarse, fine in pairs():
            yield Example(f"{coarse} in {fine}", partial(nested, coarse, fine))

    def controls(self) -> Iterable[Example]:
        run = nested(Full((2, 2)), Diagonal((2, 2)))
        yield from misuse("the order is turned round", run, "nested")
        yield from misuse("neither contains the other", nested(LeftKronecker((2, 2)), Diagonal((2, 2))), "nested")


def pairs() -> list[tuple[Structure, Structure]]:
    """Multiples of I inside each class, each class inside all matrices."""
    found: list[tuple[Structure, Structure]] = [(Scalar(K.shape), K) for K in representatives(several=True)]
    return found + [(K, Full(K.shape)) for K in representatives(proper=True)]


def nested(coarse: Structure, fine: Structure) -> Instance:
    """A hard batch for two structures on one parameter."""
    return replace(make_instance(coarse, STRICT), finer=fine)
