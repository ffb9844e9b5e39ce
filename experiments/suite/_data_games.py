r"""Online games on real data that every structure can play: the stream, the reference point, structures and their domains.

A structure's own domain is the ball of its norm, :math:`\{x : \|x\|_{\mathcal H} \le \rho\}`, of the smallest radius that
contains one reference point :math:`\bar x`, the same for all structures:

.. math::
    \rho = \|\bar x\|_{\mathcal H}, \qquad D_{\mathcal H} = 2\rho, \qquad
    \bar x = \operatorname*{argmin}_{\|x\|_2 \le r} \tfrac1n \textstyle\sum_i f_i(x).

So the balls are of comparable size in the only sense that does not favour a norm, and the regret against :math:`\bar x`
compares learners whose domains differ. The common domain is the Euclidean ball with :math:`\bar x` on its sphere.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np

from problems.comparator import best_in_hindsight
from problems.domains import Box, Domain, L2Ball, Product, SpectralBall
from problems.losses import Loss
from regret import Adversary, Stream, breast_cancer_stream, digits_stream
from structures import (
    BlockDiagonal,
    Circulant,
    ColumnScalar,
    Conjugated,
    Diagonal,
    DirectSum,
    Exchangeable,
    Factor,
    Full,
    Layerwise,
    LeftKronecker,
    ModeK,
    RightKronecker,
    RowScalar,
    Scalar,
    Structure,
)
from structures.arrays import Array, namespace

__all__ = ["DATASETS", "InexactSpectralBall", "Reshaped", "own_ball", "reference", "stream", "structures_for"]

DATASETS = {  # the stream, and the Euclidean size of the reference point
    "digits": (digits_stream, 5.0),
    "breast_cancer": (breast_cancer_stream, 2.0),
}


def stream(dataset: str) -> Adversary:
    """One sample per step, in a new random order for every element of the batch."""
    return DATASETS[dataset][0]()


@cache
def reference(dataset: str) -> np.ndarray:
    """The reference point: the best classifier on all the data with a Euclidean norm of at most r."""
    make, radius = DATASETS[dataset]
    loss: Loss = make().loss
    everything = loss.total(np.ones((1, loss.samples)))
    return best_in_hindsight(everything, L2Ball(radius), np.zeros((1, *loss.shape))).x[0]


@cache
def structures_for(dataset: str) -> dict[str, Structure]:
    """Every structure of the toolkit on the data set's parameter, by the name of its class."""
    return _on_digits() if dataset == "digits" else _on_breast_cancer()


@dataclass(frozen=True)
class InexactSpectralBall(SpectralBall):
    r"""A spectral ball on which projections stop at a Frank-Wolfe gap of :math:`10^{-4} \|H\| r^2`.

    The bound pays for the gaps, which add up to less than a thousandth of it here; at the default of 1e-12 a step in the
    metric of a right operator, whose smallest eigenvalues belong to pixels that are always blank, takes forty times longer.
    """

    def project(
        self, Y: Array, factor: Factor, start: Array | None = None, *, tol: float | None = None, iterations: int = 1000
    ) -> tuple[Array, Array]:
        return super().project(Y, factor, start, tol=1e-4 if tol is None else tol, iterations=iterations)


def own_ball(structure: Structure, radius: float) -> Domain | None:
    r"""The domain :math:`\{x : \|x\|_H \le \text{radius}\}`; None for a structure whose ball has no projection here."""
    if type(structure) in _BALLS:
        return _BALLS[type(structure)](structure, radius)
    if isinstance(structure, Layerwise):
        return Product([(L2Ball(radius * prod(layer) ** 0.5), (prod(layer),)) for layer in structure.layers])
    if isinstance(structure, DirectSum):
        blocks = [(own_ball(part, radius), part.shape) for part in structure.parts]
        return None if any(ball is None for ball, _ in blocks) else Product(blocks)
    return None


_BALLS: dict[type[Structure], Callable[[Structure, float], Domain]] = {
    Scalar: lambda K, radius: L2Ball(radius * K.dim**0.5),
    Diagonal: lambda K, radius: Box(radius),
    Full: lambda K, radius: L2Ball(radius),
    LeftKronecker: lambda K, radius: InexactSpectralBall(radius * K.shape[1] ** 0.5),
    RightKronecker: lambda K, radius: InexactSpectralBall(radius * K.shape[0] ** 0.5),
}


@dataclass(frozen=True, eq=False)
class Reshaped(Adversary):
    """The same game on a parameter of another shape, for structures that take a vector or a tensor.

    It knows no sum of its losses, hence no best point in hindsight: regret of the losses is measured against the reference.
    """

    game: Adversary
    shape: tuple[int, ...]

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        inner = namespace(x).reshape(x, (batch, *self._own_shape))
        return _ReshapedStream(self.game.start(batch, seed, inner, first), self._own_shape)

    @property
    def _own_shape(self) -> tuple[int, ...]:
        if self.game.shape is None or prod(self.game.shape) != prod(self.shape):
            raise ValueError(f"a game on {self.game.shape} cannot be played on a parameter of shape {self.shape}")
        return self.game.shape


class _ReshapedStream(Stream):
    def __init__(self, stream: Stream, shape: tuple[int, ...]) -> None:
        self._stream, self._shape = stream, shape

    def gradient(self, t: int, x: Array) -> Array:
        return namespace(x).reshape(self._stream.gradient(t, self._inner(x)), x.shape)

    def loss(self, t: int, x: Array) -> Array | None:
        return self._stream.loss(t, self._inner(x))

    def _inner(self, x: Array) -> Array:
        return namespace(x).reshape(x, (x.shape[0], *self._shape))


def _on_digits() -> dict[str, Structure]:
    """The parameter is a matrix, one row for each of ten classes and one column for each of 8×8 pixels."""
    shape, rows = (10, 64), [(64,)] * 10
    listed: list[Structure] = [
        Scalar(shape),
        Diagonal(shape),
        Full(shape),
        LeftKronecker(shape),
        RightKronecker(shape),
        RowScalar(shape),
        ColumnScalar(shape),
        ModeK((10, 8, 8), 1),  # the rows of the images
        Layerwise(rows),
        BlockDiagonal(rows),
        DirectSum([LeftKronecker((5, 64)), Diagonal((5, 64))]),  # classes 0-4 and 5-9
        Circulant((640,)),
        Exchangeable((640,)),
        Conjugated(Diagonal(shape), np.kron(np.eye(10), _cosines(64))),
    ]
    return {type(structure).__name__: structure for structure in listed}


def _on_breast_cancer() -> dict[str, Structure]:
    """The parameter is a vector: ten means, ten standard errors and ten worst values of the measurements, and a bias."""
    shape = (31,)
    listed: list[Structure] = [
        Scalar(shape),
        Diagonal(shape),
        Full(shape),
        Layerwise([(30,), (1,)]),
        BlockDiagonal([(10,), (10,), (10,), (1,)]),
        DirectSum([Full((30,)), Scalar((1,))]),
        Circulant(shape),
        Exchangeable(shape),
        Conjugated(Diagonal(shape), _cosines(31)),
    ]
    return {type(structure).__name__: structure for structure in listed}


def _cosines(n: int) -> np.ndarray:  # (n, n) orthogonal
    """The cosine basis, as columns: fixed before any data are seen."""
    angles = np.pi * (np.arange(n)[:, None] + 0.5) * np.arange(n)[None, :] / n
    return np.cos(angles) * np.where(np.arange(n) == 0, 1.0, 2.0**0.5) / n**0.5
