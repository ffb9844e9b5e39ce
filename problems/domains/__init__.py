r"""Compact convex sets, with projections in a structure's metric and certified constants.

>>> from problems.domains import L2Ball
>>> from structures import Full, Scalar
>>> L2Ball(1.0).diameter(Full((4,))), L2Ball(1.0).diameter(Scalar((4,)))
(2.0, 1.0)

Source: derived here (docs/proofs/domains.md).
"""

from problems.domains.base import Domain
from problems.domains.box import Box
from problems.domains.l2_ball import L2Ball
from problems.domains.product import Product
from problems.domains.simplex import Simplex
from problems.domains.spectral_ball import SpectralBall

__all__ = ["Box", "Domain", "L2Ball", "Product", "Simplex", "SpectralBall"]
