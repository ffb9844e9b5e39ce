r"""Smooth stochastic problems that several experiments share, and domains in a structure's own norm.

.. math:: \text{quadratics } \tfrac12\langle x - x^*, A(x - x^*)\rangle \text{ whose Hessian lies in one structure or in none}

Source: derived here; the eight Hessians follow a small study of automatic choice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from problems.domains import Box, Domain, L2Ball, SpectralBall
from problems.matrix_quadratic import gaussian_matrix_quadratic
from problems.operators import DenseOperator
from problems.smooth import EntryNoise, NoNoise, SmoothMatrixQuadratic, SmoothProblem, SmoothQuadratic, from_data_set
from structures import (
    Circulant,
    ColumnScalar,
    Diagonal,
    Full,
    LeftKronecker,
    RightKronecker,
    RowScalar,
    Scalar,
    Structure,
)
from theory.statistics import betting_upper_bound

__all__ = [
    "CHOICES",
    "NOISE",
    "STRUCTURES",
    "choice_problem",
    "choice_structures",
    "interval",
    "own_ball",
    "rate_problem",
]

KINDS: tuple[type[Structure], ...] = (Scalar, Diagonal, Full, LeftKronecker, RightKronecker, RowScalar, ColumnScalar)
STRUCTURES: dict[str, type[Structure]] = {kind.__name__: kind for kind in (*KINDS, Circulant)}
SIDES = (3, 4)  # of the quadratics: 12 parameters
NOISE = 0.02  # standard deviation of every entry of a quadratic's gradient
SPREAD = 100.0  # condition number of the Hessians


def own_ball(structure: Structure, solution: np.ndarray, room: float = 1.2) -> Domain:
    """A ball of the structure's norm around 0 that contains the solution with some room."""
    apart = np.asarray(solution)
    if isinstance(structure, Diagonal):
        return Box(room * float(np.max(np.abs(apart))))
    if isinstance(structure, LeftKronecker | RightKronecker):
        return SpectralBall(room * float(np.linalg.norm(apart, 2)))
    return L2Ball(room * float(np.linalg.norm(apart)))


def interval(samples: np.ndarray, low: float, high: float, alpha: float = 0.05) -> tuple[float, float]:
    """A confidence interval for the mean of samples in [low, high], by betting on both sides."""
    upper = betting_upper_bound(samples, low, high, alpha / 2.0)
    lower = -betting_upper_bound(-np.asarray(samples), -high, -low, alpha / 2.0)
    return lower, upper


@cache
def rate_problem(name: str) -> SmoothProblem:
    """Small problems with a known minimiser, for runs that are judged by theorems. Raises KeyError for an unknown name."""
    makers: dict[str, Callable[[], SmoothProblem]] = {
        "matrix quadratic": lambda: SmoothMatrixQuadratic(
            gaussian_matrix_quadratic(6, 0, rotated=True), EntryNoise(0.05)
        ),
        "breast cancer": lambda: from_data_set("breast_cancer", "logistic", alpha=1e-2, minibatch=8),
    }
    return makers[name]()


def _hessian(inside: Structure | None, rng: np.random.Generator, shape: tuple[int, ...]) -> DenseOperator:
    """A random positive definite element of the structure, with condition number SPREAD; of no structure for None."""
    d = int(np.prod(shape))
    if inside is None:
        Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
        return DenseOperator((Q * np.geomspace(1.0, 1.0 / SPREAD, d)) @ Q.T, shape)
    element = inside.project(rng.standard_normal((d, d)))
    values, U = np.linalg.eigh(inside.dense(element))
    share = (values - values[0]) / max(values[-1] - values[0], 1e-300)
    return DenseOperator((U * SPREAD ** (share - 1.0)) @ U.T, shape)


def _quadratic(
    inside: type[Structure] | None, shape: tuple[int, ...], blocks: int = 0
) -> Callable[[int, float], SmoothProblem]:
    def make(seed: int, noise: float) -> SmoothProblem:
        rng = np.random.default_rng([seed, 17])
        A = _hessian(None if inside is None else inside(shape), rng, shape)
        if blocks:
            size = int(np.prod(shape)) // blocks
            A = DenseOperator(np.kron(np.eye(blocks), np.ones((size, size))) * A.dense(), shape)
        return SmoothQuadratic(A, rng.standard_normal(shape), EntryNoise(noise) if noise > 0 else NoNoise())

    return make


# Eight quadratics of 12 parameters and two data sets. Striking out off-diagonal blocks keeps a matrix positive definite.
CHOICES: dict[str, Callable[[int, float], SmoothProblem]] = {
    "diagonal": _quadratic(Diagonal, SIDES),
    "left": _quadratic(LeftKronecker, SIDES),
    "right": _quadratic(RightKronecker, SIDES),
    "rows": _quadratic(RowScalar, SIDES),
    "columns": _quadratic(ColumnScalar, SIDES),
    "circulant": _quadratic(Circulant, (12,)),
    "blocks": _quadratic(None, SIDES, blocks=2),
    "rotated": _quadratic(None, SIDES),
    "breast cancer": lambda seed, noise: from_data_set("breast_cancer", "logistic", alpha=1e-3, minibatch=8),
    "iris": lambda seed, noise: from_data_set("iris", "softmax", alpha=1e-3, minibatch=8),
}


@cache
def choice_problem(name: str, seed: int, noise: float = NOISE) -> SmoothProblem:
    """One of the ten; seed and noise are for the quadratics and leave data sets alone. Raises KeyError for an unknown name."""
    return CHOICES[name](seed, noise)


def choice_structures(shape: tuple[int, ...]) -> list[Structure]:
    """The candidates of a shape."""
    from convex.smoothness.candidates import candidates

    return candidates(shape)
