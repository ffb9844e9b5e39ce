r"""The structures that come into question for a parameter, and what each has to remember.

.. math:: \text{state of } J = \dim \text{ of its coordinates}: \quad 1,\; d,\; d^2,\; m^2,\; n^2,\; m,\; n .

Source: derived here.
"""

from __future__ import annotations

from structures import (
    Circulant,
    ColumnScalar,
    Conjugated,
    Diagonal,
    DirectSum,
    Full,
    LeftKronecker,
    ModeK,
    RightKronecker,
    RowScalar,
    Scalar,
    Structure,
)
from structures.commutative import Commutative

__all__ = ["candidates", "state_size", "title"]

FULL_UP_TO = 2048  # parameters for which a d×d state is thinkable


def candidates(shape: tuple[int, ...]) -> list[Structure]:
    """Scalar, diagonal, full where it is thinkable, circulant for vectors, both sides and their diagonals for matrices."""
    found: list[Structure] = [Scalar(shape), Diagonal(shape)]
    if found[0].dim <= FULL_UP_TO:
        found.append(Full(shape))
    if len(shape) == 1:
        return [*found, Circulant(shape)]
    if len(shape) == 2:
        return [*found, LeftKronecker(shape), RightKronecker(shape), RowScalar(shape), ColumnScalar(shape)]
    return [*found, *(ModeK(shape, k) for k in range(len(shape)))]


def state_size(structure: Structure) -> int:
    """Numbers in the coordinates of an element: what a preconditioner keeps beside the parameters. No array is formed."""
    if isinstance(structure, DirectSum):
        return sum(state_size(part) for part in structure.parts)
    if isinstance(structure, Conjugated):
        return state_size(structure.base) + structure.dim**2
    if isinstance(structure, Commutative):
        return structure.rank
    return structure.rank**2 if isinstance(structure, ModeK) else structure.dim**2


def title(structure: Structure) -> str:
    """A short name: the class, and the axis where there is one."""
    name = type(structure).__name__
    return f"{name}({structure.k})" if type(structure) is ModeK else name
