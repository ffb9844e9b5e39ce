r"""Shampoo as it is printed, in NumPy, on all sides or on one: the twin of ``optimizers.Shampoo`` and ``OneSidedShampoo``.

.. math::
    L_t &= \beta L_{t-1} + \bar\beta\, G_t G_t^\top, \qquad R_t = \beta R_{t-1} + \bar\beta\, G_t^\top G_t,
        \qquad L_0 = \epsilon I,\ R_0 = \epsilon I, \\
    D_t &= L_t^{-1/4} G_t R_t^{-1/4}, \quad\text{or } L_t^{-1/2} G_t, \quad\text{or } G_t R_t^{-1/2}, \\
    M_t &= b M_{t-1} + (1 - b) D_t, \qquad W_{t+1} = (1 - \eta\lambda) W_t - \eta\, \frac{|V_t|_F}{|M_t|_F} M_t .

and for a tensor of k axes a factor :math:`L_i^{-1/(2k)}` along each of them, of the unfolding's :math:`G_{(i)} G_{(i)}^\top`.

The roots here are those of :math:`L + r \operatorname{Tr}(L)/n\, I`, by Schur's method and an inversion rather than by an
eigendecomposition. Without grafting the last factor is 1; :math:`V_t = b V_{t-1} + G_t` for SGD's length, and for the others
:math:`V_t = \frac{1-b}{1-b^t}\sum_s b^{t-s} U_s` with U the step of AdaGrad or of RMSProp (β = 0.999, ε = 1e-8).

Source: Gupta, Koren, Singer 2018 (Shampoo), Algorithm 1 and (remembered) Algorithm 2; momentum and SGD's length as in
the Jorge paper (singh2023jorge).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray

__all__ = ["Grafted", "Recursion", "inverse_root", "steps"]


@dataclass(frozen=True)
class Recursion:
    """What the rule is; `side` is "both" (of a tensor all axes), "left" or "right"; beta2 = 1 sums the statistics."""

    lr: float
    eps: float
    beta2: float = 1.0
    side: str = "both"
    ridge: float = 0.0
    momentum: float = 0.0
    weight_decay: float = 0.0
    grafting: str | None = None


@dataclass
class Grafted:
    """Momentum, grafting, decay: what follows the direction D of a step."""

    rule: Recursion
    t: int = 0
    M: Array | float = 0.0
    V: Array | float = 0.0
    Q: Array | float = 0.0
    kept: list[Array] = field(default_factory=list)  # U_1, U_2, ...

    def __call__(self, W: Array, G: Array, D: Array) -> Array:
        """W_{t+1}."""
        rule, b = self.rule, self.rule.momentum
        self.t += 1
        self.M = b * self.M + (1.0 - b) * D
        step = self.M
        if rule.grafting is not None:
            step = np.linalg.norm(self.lends(G)) / np.linalg.norm(self.M) * self.M
        return (1.0 - rule.lr * rule.weight_decay) * W - rule.lr * step

    def lends(self, G: Array) -> Array:
        """V of this step."""
        b = self.rule.momentum
        if self.rule.grafting == "sgd":
            self.V = b * self.V + G
            return self.V
        if self.rule.grafting == "adagrad":
            self.Q = self.Q + G**2
            self.kept.append(G / (np.sqrt(self.Q) + 1e-8))
        else:
            self.Q = 0.999 * self.Q + 0.001 * G**2
            self.kept.append(G / (np.sqrt(self.Q / (1.0 - 0.999**self.t)) + 1e-8))
        weights = [(1.0 - b) * b ** (self.t - s) for s in range(1, self.t + 1)]
        return np.asarray(sum(w * U for w, U in zip(weights, self.kept, strict=True)) / sum(weights))


def inverse_root(L: Array, p: int, ridge: float = 0.0) -> Array:
    """(L + ridge·Tr(L)/n·I)^{-1/p}, without an eigendecomposition; L must be positive definite then."""
    from scipy.linalg import fractional_matrix_power, sqrtm

    n = len(L)
    shifted = L + ridge * np.trace(L) / n * np.eye(n)
    if p not in (2, 4):
        return np.real(fractional_matrix_power(shifted, -1.0 / p))
    root = sqrtm(shifted)
    return np.linalg.inv(root if p == 2 else sqrtm(root))


def unfolded(G: Array, axis: int) -> Array:  # (d_1, ..., d_k) -> (d_axis, the others together)
    """The matrix whose rows are one axis."""
    return np.moveaxis(G, axis, 0).reshape(G.shape[axis], -1)


def along(axis: int, A: Array, G: Array) -> Array:
    """A applied to one axis of G."""
    return np.moveaxis(np.tensordot(A, G, axes=(1, axis)), 0, axis)


def steps(rule: Recursion, W0: Array, gradient: Callable[[int, Array], Array], horizon: int) -> Iterator[Array]:
    """W_2, ..., W_{horizon + 1} in float64, of a matrix or a tensor; ``gradient(t, W)`` is G_t. ValueError for a vector."""
    W = np.array(W0, dtype=np.float64)
    if W.ndim < 2:
        raise ValueError(f"a vector is a column here: give shape {(*W.shape, 1)} instead of {W.shape}.")
    axes = {"both": list(range(W.ndim)), "left": [0], "right": [1]}[rule.side]
    Ls, grafted = [rule.eps * np.eye(W.shape[axis]) for axis in axes], Grafted(rule)
    new = 1.0 if rule.beta2 == 1.0 else 1.0 - rule.beta2
    for t in range(1, horizon + 1):
        G = np.asarray(gradient(t, W), dtype=np.float64)
        unfoldings = [unfolded(G, axis) for axis in axes]
        Ls = [rule.beta2 * L + new * E @ E.T for L, E in zip(Ls, unfoldings, strict=True)]
        D = G
        for axis, L in zip(axes, Ls, strict=True):
            D = along(axis, inverse_root(L, 2 * len(axes), rule.ridge), D)
        W = grafted(W, G, D)
        yield W
