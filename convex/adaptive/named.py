r"""The methods under the names and with the constants that practitioners know them by.

.. math::
    \text{AdaGrad-Norm}\;\; x - \eta' g/\sqrt{\varepsilon' + \textstyle\sum\|g\|^2}, \qquad
    \text{one-sided Shampoo}\;\; X - \eta' \bigl(\varepsilon' I + \textstyle\sum GG^\top\bigr)^{-1/2} G, \qquad
    \text{Muon}\;\; X - \eta'\, UV^\top \text{ for } M = U\Sigma V^\top

and so on: textbook rates η' and dampings ε', turned into those of :math:`P_{\mathcal H}` by the multiplicity w of the
structure, :math:`\eta = \eta'/\sqrt w`, :math:`\varepsilon = \varepsilon'/w` (docs/notation.md). ε is inside the
root.

Source: Gupta, Koren, Singer 2017 and 2018; arXiv 2511.20584; RMSprop, Adam, Muon and ASGO in their textbook forms,
remembered.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Literal

from convex.adaptive.accelerated import Accelerated
from convex.adaptive.base import Direct
from convex.adaptive.momentum import Momentum
from convex.adaptive.steepest import SteepestDescent
from regret.learners import AdaptiveRegularization, OnlineGradientDescent
from regret.learners.base import check_rate
from structures import Diagonal, Full, LeftKronecker, RightKronecker, Scalar
from structures.base import Structure

if TYPE_CHECKING:
    from problems.domains import Domain

__all__ = [
    "adagrad",
    "adagrad_norm",
    "adam",
    "full_matrix_adagrad",
    "muon",
    "nesterov",
    "normalized_gradient",
    "one_sided_shampoo",
    "rmsprop",
    "sgd",
    "sign_descent",
]

Rate = float | tuple[float, ...]  # one, or one for each run of the batch
Shape = tuple[int, ...]
Side = Literal["left", "right", "smaller"]


def sgd(
    shape: Shape, lr: Rate, domain: Domain | None = None, schedule: Literal["constant", "inverse_sqrt"] = "constant"
) -> Direct:
    """x - lr g, or lr/√t, projected onto the domain."""
    return Direct(OnlineGradientDescent(shape, lr, domain, schedule))


def nesterov(shape: Shape, lr: Rate) -> Accelerated:
    """Accelerated gradient descent; lr = 1/L for a convex L-smooth function."""
    return Accelerated(OnlineGradientDescent(shape, lr))


def adagrad_norm(shape: Shape, lr: Rate, eps: float = 0.0, domain: Domain | None = None) -> Direct:
    """One rate for all parameters."""
    return _adagrad(Scalar(shape), prod(shape), lr, eps, domain)


def adagrad(shape: Shape, lr: Rate, eps: float = 0.0, domain: Domain | None = None) -> Direct:
    """One rate for each parameter."""
    return _adagrad(Diagonal(shape), 1, lr, eps, domain)


def full_matrix_adagrad(shape: Shape, lr: Rate, eps: float = 0.0, domain: Domain | None = None) -> Direct:
    """A d×d preconditioner; with eps = 0 it is chaotic in floating point once gradients repeat a direction."""
    return _adagrad(Full(shape), 1, lr, eps, domain)


def one_sided_shampoo(
    shape: Shape,  # (m, n)
    lr: Rate,
    eps: float = 0.0,
    domain: Domain | None = None,
    side: Side = "smaller",
    momentum: float = 0.0,
) -> Direct | Momentum:
    """One-sided Shampoo; with momentum, ASGO."""
    structure, other = one_sided(shape, side)
    core = AdaptiveRegularization(structure, scaled(lr, other), eps / other, domain)
    return Momentum(core, momentum) if momentum > 0 else Direct(core)


def rmsprop(
    shape: Shape, lr: Rate, beta: float = 0.99, eps: float = 1e-16, structure: Structure | None = None
) -> Direct:
    """An exponential average of squares; `structure` (None is diagonal) in its own units of lr and eps."""
    return Direct(rmsprop_core(structure or Diagonal(shape), lr, beta, eps))


def adam(
    shape: Shape,
    lr: Rate,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-16,
    structure: Structure | None = None,
) -> Momentum:
    """Momentum over RMSprop, with both bias corrections."""
    return Momentum(rmsprop_core(structure or Diagonal(shape), lr, betas[1], eps), betas[0])


def sign_descent(shape: Shape, lr: Rate, alpha: float = 1.0) -> SteepestDescent:
    """x - lr sign(m)."""
    return SteepestDescent(Diagonal(shape), lr, alpha)


def normalized_gradient(shape: Shape, lr: Rate, alpha: float = 1.0) -> SteepestDescent:
    """x - lr m/‖m‖₂."""
    return SteepestDescent(Scalar(shape), scaled(lr, prod(shape)), alpha)


def muon(shape: Shape, lr: Rate, alpha: float = 0.05, side: Side = "smaller") -> SteepestDescent:
    """X - lr polar(M), with an exact polar factor."""
    structure, other = one_sided(shape, side)
    return SteepestDescent(structure, scaled(lr, other), alpha)


def one_sided(shape: Shape, side: Side) -> tuple[Structure, int]:
    """The structure that acts on rows ("left") or columns, and the length of the other side. Raises ValueError."""
    if len(shape) != 2 or side not in ("left", "right", "smaller"):
        raise ValueError(f"a one-sided method needs a matrix (m, n) and a side, got {shape!r}, {side!r}.")
    left = side == "left" or (side == "smaller" and shape[0] <= shape[1])
    return (LeftKronecker(shape), shape[1]) if left else (RightKronecker(shape), shape[0])


def rmsprop_core(structure: Structure, lr: Rate, beta: float, eps: float) -> AdaptiveRegularization:
    """The exponential average in any structure."""
    return AdaptiveRegularization(structure, lr, eps, accumulate="ema", beta=beta)


def scaled(lr: Rate, multiplicity: int) -> Rate:
    """η = η'/√w."""
    rate, root = check_rate(lr), multiplicity**0.5
    return tuple(r / root for r in rate) if isinstance(rate, tuple) else rate / root


def _adagrad(structure: Structure, multiplicity: int, lr: Rate, eps: float, domain: Domain | None) -> Direct:
    return Direct(AdaptiveRegularization(structure, scaled(lr, multiplicity), eps / multiplicity, domain))
