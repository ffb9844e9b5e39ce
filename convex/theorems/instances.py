r"""Problems that the theorems on DASVRDA are tried on: extremal ones, tiny ones of every kind, and two data sets.

.. math::
    \text{orthogonal:}\quad f_i(x) = \tfrac12 x_i^2 \text{ in } \mathbb R^n, \qquad
    \text{slope:}\quad f(x) = \log(1 + e^{-x}) \text{ on } [-20 - r, -20]

On orthogonal coordinates the stage lemma is tight in the limit of many of them; on the slope, where f is linear up to 2e-9,
the outer theorem is tight in the limit of a long stage with a small step.

Source: derived here (docs/proofs/dasvrda.md#the-constants-are-sharp).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from convex.theorems.comparator import minimiser
from problems.composite import Composite
from problems.datasets import breast_cancer, digits
from problems.losses import LeastSquares, Logistic, Loss
from problems.penalties import L1, BoxIndicator, ElasticNet, Penalty, SquaredL2, ZeroPenalty

__all__ = ["Solved", "cancer", "orthogonal", "parity", "slope", "tiny"]


class Solved(NamedTuple):
    """A problem with a minimiser."""

    problem: Composite
    optimum: np.ndarray  # (*shape)


def orthogonal(n: int, repeats: int = 1, first: float = 1.0) -> Solved:
    """n coordinates, each in `repeats` consecutive samples; the first sample `first` times as curved."""
    rows = np.repeat(np.eye(n), repeats, axis=0)
    rows[0] *= first**0.5
    return Solved(Composite(LeastSquares(rows, np.zeros(len(rows)))), np.zeros(n))


def slope(width: float) -> Solved:
    """A line on an interval, seen by a method that has to expect curvature 1/4."""
    loss = Logistic(np.ones((1, 1)), np.ones(1))
    return Solved(Composite(loss, BoxIndicator(-20.0 - width, -20.0)), np.array([-20.0]))


@cache
def tiny(kind: str, samples: int = 2, dim: int = 2, seed: int = 0, weighted: bool = True) -> Solved:
    """A small problem of unequal rows; `kind` is a loss ("squares", "logistic") and a penalty (see `_penalty`)."""
    loss, _, penalty = kind.partition("+")
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((samples, dim)) * np.exp(rng.standard_normal((samples, 1)))
    weights = rng.uniform(0.3, 2.0, samples) if weighted else None
    if loss == "squares":
        family: Loss = LeastSquares(rows, 3.0 * rng.standard_normal(samples))
    else:
        family = Logistic(rows, np.where(rng.random(samples) < 0.5, -1.0, 1.0))
    return _solved(Composite(family, _penalty(penalty), weights))


@cache
def cancer(penalty: str) -> Solved:
    """Logistic regression on the breast cancer data, malignant cases counting double."""
    data = breast_cancer()
    return _solved(Composite(data.loss(), _penalty(penalty), np.where(data.labels < 0, 2.0, 1.0)))


@cache
def parity(penalty: str) -> Solved:
    """Odd against even digits, by logistic regression."""
    data = digits()
    return _solved(Composite(Logistic(data.features, np.where(data.labels % 2 == 0, -1.0, 1.0)), _penalty(penalty)))


def _penalty(name: str) -> Penalty:
    return {
        "": ZeroPenalty(),
        "l1": L1(0.05),
        "ridge": SquaredL2(0.1),
        "net": ElasticNet(0.02, 0.05),
        "box": BoxIndicator(-0.3, 0.5),
        "narrow": BoxIndicator(-0.1, 0.1),
    }[name]


def _solved(problem: Composite) -> Solved:
    return Solved(problem, minimiser(problem))
