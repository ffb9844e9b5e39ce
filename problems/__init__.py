r"""What is minimised and over which set: domains, losses, data sets, comparators, and oracles for tests.

>>> import numpy as np
>>> from problems import L2Ball
>>> from structures import Diagonal
>>> K = Diagonal((2,))
>>> X, gap = L2Ball(1.0).project(np.array([3.0, 4.0]), K.factor(np.array([16.0, 1.0])))  # H = diag(4, 1)
>>> bool(gap < 1e-12), float(np.linalg.norm(X).round(12))
(True, 1.0)

Source: derived here.
"""

from problems.comparator import Comparator, best_in_hindsight
from problems.domains import Box, Domain, L2Ball, Product, Simplex, SpectralBall
from problems.losses import LeastSquares, Linear, LinearFunction, Logistic, Loss, Objective, Quadratic, Softmax

__all__ = [
    "Box",
    "Comparator",
    "Domain",
    "L2Ball",
    "LeastSquares",
    "Linear",
    "LinearFunction",
    "Logistic",
    "Loss",
    "Objective",
    "Product",
    "Quadratic",
    "Simplex",
    "Softmax",
    "SpectralBall",
    "best_in_hindsight",
]
