"""Sets that are not well-structured, kept as negative controls: each of them breaks a law that it should break.

The linear ones are not closed under squaring; `MonotoneCone` is not a linear space, `KroneckerSet` not even convex; the last
three are what goes wrong in practice with a set that was fine. `structures.lemmas` says which law each one breaks.
"""

from structures.not_structured.diagonal_linear import DiagonalLinear
from structures.not_structured.kronecker_set import KroneckerSet
from structures.not_structured.linear import LinearSet
from structures.not_structured.mistakes import HiddenJitter, NoIdentity, TextbookOneSided
from structures.not_structured.monotone_cone import MonotoneCone
from structures.not_structured.patterns import (
    DiagonalPlusRankOne,
    KroneckerSum,
    PathSpan,
    Star,
    SymmetricToeplitz,
    Tridiagonal,
)

__all__ = [
    "DiagonalLinear",
    "DiagonalPlusRankOne",
    "HiddenJitter",
    "KroneckerSet",
    "KroneckerSum",
    "LinearSet",
    "MonotoneCone",
    "NoIdentity",
    "PathSpan",
    "Star",
    "SymmetricToeplitz",
    "TextbookOneSided",
    "Tridiagonal",
]
