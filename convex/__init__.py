r"""Finite-sum convex optimization: reference solvers, a compiled engine, estimators for scikit-learn, and their theorems.

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

What is compiled or needs scikit-learn is imported when it is first asked for: ``import convex`` imports neither.

Source: Murata and Suzuki 2017 (DASVRDA).
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from convex.solvers import DASVRDA, SAGA, SVRG, AcceleratedGradient, AccProxSVRG, Katyusha, Path, Solver

if TYPE_CHECKING:
    from convex.estimators import DASVRDAClassifier, DASVRDARegressor
    from convex.estimators.path import regularization_path

_LATER = MappingProxyType(
    {
        "DASVRDAClassifier": "convex.estimators",
        "DASVRDARegressor": "convex.estimators",
        "regularization_path": "convex.estimators.path",
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
    "regularization_path",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
