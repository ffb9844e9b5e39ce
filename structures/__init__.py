r"""Well-structured sets of preconditioners :math:`\mathcal H = K \cap S_+^d`, on any Array API namespace.

>>> import numpy as np
>>> from structures import LeftKronecker
>>> K = LeftKronecker((2, 3))
>>> c = K.outer(np.ones((2, 3)))  # coordinates of E(g gᵀ): a 2×2 array, never 6×6
>>> K.trace(K.root(c)).round(4)  # |||g|||_H = √3 · nuclear norm of the gradient
np.float64(4.2426)

Source: Xie et al. 2025, arXiv 2503.10537.
"""

from structures.axis_scalar import ColumnScalar, RowScalar
from structures.base import Structure
from structures.circulant import Circulant
from structures.combine import BlockDiagonal, Conjugated, DirectSum
from structures.diagonal import Diagonal
from structures.exchangeable import Exchangeable
from structures.factor import Factor
from structures.full import Full
from structures.kronecker import LeftKronecker, ModeK, RightKronecker
from structures.layerwise import Layerwise
from structures.roots import NotPositiveError
from structures.scalar import Scalar

__all__ = [
    "BlockDiagonal",
    "Circulant",
    "ColumnScalar",
    "Conjugated",
    "Diagonal",
    "DirectSum",
    "Exchangeable",
    "Factor",
    "Full",
    "Layerwise",
    "LeftKronecker",
    "ModeK",
    "NotPositiveError",
    "RightKronecker",
    "RowScalar",
    "Scalar",
    "Structure",
]
