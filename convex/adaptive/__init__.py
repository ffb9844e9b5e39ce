r"""Adaptive methods for smooth stochastic problems: AdaGrad in every structure, RMSprop, Adam, Shampoo, acceleration, Muon.

.. math:: x_{t+1} = \Pi_{\mathcal X}^{H_t}\bigl(x_t - \eta H_t^{-1} g_t\bigr), \qquad H_t = P_{\mathcal H}(M_t)

Source: the package's modules.
"""

from convex.adaptive.accelerated import Accelerated
from convex.adaptive.base import Direct, Method
from convex.adaptive.descend import Descent, descend
from convex.adaptive.momentum import Momentum
from convex.adaptive.named import (
    adagrad,
    adagrad_norm,
    adam,
    full_matrix_adagrad,
    muon,
    nesterov,
    normalized_gradient,
    one_sided_shampoo,
    rmsprop,
    sgd,
    sign_descent,
)
from convex.adaptive.steepest import SteepestDescent

__all__ = [
    "Accelerated",
    "Descent",
    "Direct",
    "Method",
    "Momentum",
    "SteepestDescent",
    "adagrad",
    "adagrad_norm",
    "adam",
    "descend",
    "full_matrix_adagrad",
    "muon",
    "nesterov",
    "normalized_gradient",
    "one_sided_shampoo",
    "rmsprop",
    "sgd",
    "sign_descent",
]
