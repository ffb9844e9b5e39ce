r"""Convex optimization: finite-sum solvers, estimators for scikit-learn, adaptive methods, adaptive smoothness, their theorems.

.. math:: \min_x \; \textstyle\sum_i p_i f_i(x) + R(x)

>>> import numpy as np
>>> from convex import DASVRDA
>>> from problems import LeastSquares
>>> from problems.composite import Composite
>>> from problems.penalties import L1
>>> lasso = Composite(LeastSquares(np.eye(4), np.array([3.0, -2.0, 0.1, 0.0])), L1(0.25))
>>> path = DASVRDA(restart="function").run(lasso, np.zeros(4), evaluations=2000)
>>> path.x[0].round(6) + 0.0
array([ 2., -1.,  0.,  0.])

A smooth stochastic problem: which structure its constants favour, a run, and a verdict on it.

>>> from convex import adagrad, compare_structures, exactly
>>> from problems.smooth import from_arrays
>>> f = from_arrays([[1.0, 2.0], [3.0, -1.0]], [1, -1], alpha=0.1)
>>> compare_structures(f, np.zeros(2), horizon=100).best
Scalar(shape=(2,))
>>> exactly(adagrad((2,), 0.5), f, np.zeros(2), 100).verify("stochastic-smooth-sharp").ok
True

What is compiled, needs scikit-learn or speaks of smooth problems is imported when it is first asked for.

Source: Murata and Suzuki 2017 (DASVRDA); Xie et al. 2025 (adaptive methods and smoothness).
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from convex.solvers import DASVRDA, SAGA, SVRG, AcceleratedGradient, AccProxSVRG, Katyusha, Path, Solver

if TYPE_CHECKING:
    from convex.adaptive import (
        adagrad,
        adagrad_norm,
        adam,
        descend,
        full_matrix_adagrad,
        muon,
        nesterov,
        one_sided_shampoo,
        rmsprop,
        sgd,
        sign_descent,
    )
    from convex.estimators import DASVRDAClassifier, DASVRDARegressor
    from convex.estimators.path import regularization_path
    from convex.smoothness import adaptive_noise, adaptive_smoothness, choose_structure, compare_structures
    from convex.theorems.stochastic.runs import StochasticRun, every_path, exactly, seeded

_LATER = MappingProxyType(
    {
        "DASVRDAClassifier": "convex.estimators",
        "DASVRDARegressor": "convex.estimators",
        "regularization_path": "convex.estimators.path",
        **dict.fromkeys(
            (
                "adagrad",
                "adagrad_norm",
                "adam",
                "descend",
                "full_matrix_adagrad",
                "muon",
                "nesterov",
                "one_sided_shampoo",
                "rmsprop",
                "sgd",
                "sign_descent",
            ),
            "convex.adaptive",
        ),
        **dict.fromkeys(
            ("adaptive_noise", "adaptive_smoothness", "choose_structure", "compare_structures"), "convex.smoothness"
        ),
        **dict.fromkeys(("StochasticRun", "every_path", "exactly", "seeded"), "convex.theorems.stochastic.runs"),
    }
)

__all__ = [
    "DASVRDA",
    "SAGA",
    "SVRG",
    "AccProxSVRG",
    "AcceleratedGradient",
    "DASVRDAClassifier",
    "DASVRDARegressor",
    "Katyusha",
    "Path",
    "Solver",
    "StochasticRun",
    "adagrad",
    "adagrad_norm",
    "adam",
    "adaptive_noise",
    "adaptive_smoothness",
    "choose_structure",
    "compare_structures",
    "descend",
    "every_path",
    "exactly",
    "full_matrix_adagrad",
    "muon",
    "nesterov",
    "one_sided_shampoo",
    "regularization_path",
    "rmsprop",
    "seeded",
    "sgd",
    "sign_descent",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
