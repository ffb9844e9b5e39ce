r"""Convex losses with declared constants.

>>> import numpy as np
>>> from problems.losses import Logistic
>>> loss = Logistic(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, -1.0]))
>>> loss.value(np.zeros(2), 1).round(4)
np.float64(0.6931)

Source: derived here.
"""

from problems.losses.base import Loss, Objective, WeightedSum, prefix_counts
from problems.losses.curved import CurvedLoss
from problems.losses.huber import Huber
from problems.losses.least_squares import LeastSquares
from problems.losses.linear import Linear, LinearFunction
from problems.losses.linear_predictor import LinearPredictor
from problems.losses.logistic import Logistic
from problems.losses.quadratic import Quadratic
from problems.losses.softmax import Softmax

__all__ = [
    "CurvedLoss",
    "Huber",
    "LeastSquares",
    "Linear",
    "LinearFunction",
    "LinearPredictor",
    "Logistic",
    "Loss",
    "Objective",
    "Quadratic",
    "Softmax",
    "WeightedSum",
    "prefix_counts",
]
