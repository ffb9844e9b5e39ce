r"""What the laws share: both sides and the budget are computed in one pass, examples come from every class of structures.

Source: derived here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache, partial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from structures.arrays import Array, namespace
from structures.base import Structure
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.registry import all_structures
from theory.citation import Citation
from theory.theorem import Example, Theorem

__all__ = ["Law", "Sides", "derived", "flat", "misuse", "precondition", "project", "representatives"]

PROOFS = "docs/proofs/characterisation.md"


class Sides(NamedTuple):
    """Both sides of a law on a batch and the rounding budget of their difference; the lower end defaults to `measured`."""

    measured: Array
    bound: Array
    budget: Array | float
    lower: Any = None


def derived(anchor: str) -> Citation:
    """The citation of a law that docs/proofs/characterisation.md proves under that heading."""
    return Citation("derived", f"{PROOFS}#{anchor}", "derived")


class Law(Theorem):
    """A theorem over an `Instance`; a subclass writes `sides`."""

    proof: ClassVar[str] = PROOFS
    axes: ClassVar[tuple[str, ...]] = ("instance", "entry")

    @abstractmethod
    def sides(self, run: Instance) -> Sides:
        """Both sides on the batch, shape (B,) or (B, entries)."""

    def measured(self, run: Instance) -> Array:
        return _sides(self, run).measured

    def measured_lower(self, run: Instance) -> Array:
        sides = _sides(self, run)
        return sides.measured if sides.lower is None else sides.lower

    def bound(self, run: Instance) -> Array:
        return _sides(self, run).bound

    def budget(self, run: Instance) -> Array | float:
        return _sides(self, run).budget

    def examples(self) -> Iterable[Example]:
        """One hard batch for each class of structures."""
        return [Example(str(K), partial(make_instance, K, STRICT)) for K in representatives()]


@lru_cache(maxsize=2)
def _sides(law: Law, run: Instance) -> Sides:
    sides = law.sides(run)
    if run.structure.precision == 0.0:
        return sides
    xp = namespace(sides.measured)
    size = xp.maximum(xp.abs(sides.measured), xp.abs(sides.bound))
    size = size if size.ndim < 2 else xp.max(size, axis=-1, keepdims=True)  # entries of one matrix share one error
    return sides._replace(budget=sides.budget + run.structure.precision * size)


def project(K: Structure, M: Array) -> Array:  # (..., d, d) -> (..., d, d)
    """E(M) as a matrix."""
    return K.dense(K.project(M))


def precondition(K: Structure, M: Array) -> Array:  # (..., d, d) -> (..., d, d)
    """P_H(M) as a matrix."""
    return K.dense(K.preconditioner(M))


def flat(A: Array) -> Array:  # (..., d, d) -> (..., d²)
    """A matrix as entries of a law."""
    return namespace(A).reshape(A, (*A.shape[:-2], A.shape[-2] * A.shape[-1]))


@cache
def representatives(proper: bool = False, several: bool = False) -> tuple[Structure, ...]:
    """The first example with more than one parameter of each well-structured class.

    `proper` leaves out the full set, where E is the identity and inequalities about E are equalities; `several` leaves out
    multiples of the identity, where those about the spectrum of an element are.
    """
    found: dict[type[Structure], Structure] = {}
    for K in all_structures():
        trivial = (proper and _is_everything(K)) or (several and K.rank == 1)
        if K.dim > 1 and not trivial:
            found.setdefault(type(K), K)
    return tuple(found.values())


def _is_everything(K: Structure) -> bool:
    S = np.arange(K.dim**2, dtype=float).reshape(K.dim, K.dim)
    return bool(np.allclose(project(K, S + S.T), S + S.T))


def misuse(name: str, run: Instance, breaks: str) -> Sequence[Example]:
    """Two controls: the broken assumption must be noticed, and the law must fail when it is ignored."""
    return (
        Example(f"{name}, through the door", lambda: run, expect=("HYPOTHESIS_FAILED",), breaks=breaks),
        Example(f"{name}, applied anyway", lambda: run, expect=("VIOLATED",), breaks=breaks, ignoring=(breaks,)),
    )
