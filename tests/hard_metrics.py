"""Statistics that are hard for a projection, for any structure, and every domain that fits a structure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from problems import Domain, registry
from problems.losses import WeightedSum
from structures import Factor, Structure
from structures.arrays import tree_map
from structures.registry import all_structures

KINDS = ("generic", "rank one", "condition 1e12", "zero", "tiny", "huge")


def structures() -> list[Structure]:
    """One example of every class, of more than one parameter where the class has such."""
    first: dict[type, Structure] = {}
    for structure in all_structures():
        if type(structure) not in first or first[type(structure)].dim < 2:
            first[type(structure)] = structure
    return list(first.values())


def factor(structure: Structure, kind: str, batch: int = 3, seed: int = 0) -> Factor:
    """A batch of factors whose metric H = c^{1/2} is of the named kind."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    steps = 1 if kind == "rank one" else structure.dim + 2
    outer = structure.outer(rng.standard_normal((steps, batch, *structure.shape)))
    found = structure.factor(tree_map(lambda c: c.sum(axis=0), outer))
    r = found.values.shape[-1]
    values = {
        "condition 1e12": np.broadcast_to(np.logspace(0, -24, r), found.values.shape),
        "zero": np.zeros_like(found.values),
        "tiny": found.values * 1e-300,
        "huge": found.values * 1e290,
    }
    return replace(found, values=values.get(kind, found.values))


def domains(structure: Structure) -> list[Domain]:
    """Every kind of domain that holds this structure's parameter."""
    return registry.domains(structure.shape)


def pairs() -> list[tuple[Structure, Domain]]:
    """Every structure with every domain that fits it."""
    return [(structure, domain) for structure in structures() for domain in domains(structure)]


def name(value: object) -> str:
    """A readable test id."""
    if isinstance(value, int | float | str):
        return str(value).replace(" ", "-")
    if isinstance(value, WeightedSum):
        return type(value.loss).__name__
    return type(value).__name__
