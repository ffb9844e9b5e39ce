r"""The step of a proximal Newton method: the minimum of a quadratic model plus the penalty.

.. math:: \min_x \; g \cdot (x - w) + \tfrac12 (x - w)^\top Q (x - w) + l_1 |x_{1..d}|_1

Coordinate descent finds the support; on a support whose signs stay, the model is smooth and one linear solve ends it. A
solve that would change signs sets those coordinates to 0 if that lowers the model, and else stops at the first of them.
Coordinate descent checks the result: where the optimality conditions are not satisfied, it goes on.

Source: derived here; friedman2010regularization for coordinate descent on the Gram matrix.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy.linalg import get_lapack_funcs

from convex.engine.compiled import HAS_NUMBA, kernel, summing

__all__ = ["GramModel", "Model", "minimise_model", "positive"]

POTRF, POTRS = get_lapack_funcs(("potrf", "potrs"), dtype=np.float64)
RIDGE = 1e-13  # relative to each diagonal entry: singular matrices are factored, and a step is damped by nothing else


class Model(Protocol):
    """A quadratic model around w that keeps track of a point x, w at first."""

    penalised: int  # coordinates with the penalty l1: the first ones
    sweeps: int  # of coordinate descent before a solve
    solves: int  # at most, each on the support that the one before left
    rounds: int  # of both, at most

    @property
    def exhausted(self) -> bool:
        """Whether it has cost what it may."""
        ...

    def sweep(self, x: np.ndarray, l1: float, tol: float, most: int) -> float:
        """Coordinate descent on x; the largest violation met in the last whole sweep, inf when sweeps ran out."""
        ...

    def residual(self, x: np.ndarray) -> np.ndarray:
        """The gradient of the quadratic at x."""
        ...

    def solve(self, support: np.ndarray, right: np.ndarray, tol: float) -> np.ndarray | None:
        """e with Q_SS e = right, about; None when it cannot be had."""
        ...

    def product(self, change: np.ndarray) -> tuple[float, Any]:
        """changeᵀ Q change, and what `move` wants to know."""
        ...

    def move(self, known: Any, t: float) -> None:
        """x moved by t times the change of `product`."""
        ...


def minimise_model(model: Model, w: np.ndarray, l1: float, tol: float) -> np.ndarray:
    """x with the optimality conditions violated by about `tol` at most, never worse than w."""
    if l1 == 0.0:
        step = model.solve(np.arange(w.size), -model.residual(w), tol)
        if step is not None:
            return w + step
    x = w.copy()
    for _ in range(model.rounds):
        if model.sweep(x, l1, tol, model.sweeps) <= tol:
            break
        for _ in range(model.solves):
            if model.exhausted or not solve_on_support(model, x, l1, tol):
                break
        if model.exhausted:
            break
    return x


def solve_on_support(model: Model, x: np.ndarray, l1: float, tol: float) -> bool:
    """Move x to the minimum with its support and signs, or until signs change; whether the support is smaller now."""
    r, k = model.residual(x), model.penalised
    support = np.concatenate([np.flatnonzero(x[:k]), np.arange(k, x.size)])
    slope = r + l1 * np.sign(x)
    slope[k:] = r[k:]
    move = model.solve(support, -slope[support], tol)
    if move is None:
        return False
    step = np.zeros_like(x)
    step[support] = move
    crossing = x[:k] * (x[:k] + step[:k]) < 0.0
    if not crossing.any():
        take(model, x, step, 1.0)
        return False
    inside = np.concatenate([np.where(crossing, -x[:k], step[:k]), step[k:]])
    curved, known = model.product(inside)
    if float(slope @ inside) + 0.5 * curved < 0.0:  # the signs that are left are those of x: |x|_1 is linear here
        model.move(known, 1.0)
        x += inside
        return True
    ratios = np.where(crossing, -x[:k] / np.where(crossing, step[:k], 1.0), np.inf)
    first = int(np.argmin(ratios))
    take(model, x, step, float(ratios[first]))
    drop = np.zeros_like(x)
    drop[first] = -x[first]
    take(model, x, drop, 1.0)
    return True


def take(model: Model, x: np.ndarray, step: np.ndarray, t: float) -> None:
    """Move x by t step."""
    model.move(model.product(step)[1], t)
    x += t * step


def positive(diagonal: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The diagonal with something for 0: for a column of zeros next to nothing, so that a penalty ends its weight."""
    if diagonal.min(initial=1.0) > 0.0:
        return diagonal
    return np.where(diagonal > 0.0, diagonal, np.where(slope == 0.0, 1e-100, 1.0))


class GramModel:
    """A model whose matrix is written down."""

    sweeps, solves, rounds = 80, 10, 6  # measured from 6 sweeps on: they are cheap beside a factorisation
    exhausted = False  # no data are read

    def __init__(self, B: np.ndarray, gradient: np.ndarray, l2: float, penalised: int, damping: float = 0.0) -> None:
        """Q = B + l2 on the penalised coordinates, its diagonal enlarged by a share of itself."""
        self.Q, self.penalised = B.copy(), penalised
        diagonal = self.Q.reshape(-1)[:: B.shape[0] + 1]
        diagonal[:penalised] += l2
        diagonal *= 1.0 + RIDGE + damping
        diagonal[:] = positive(diagonal, gradient)
        self.r = gradient.copy()

    def sweep(self, x: np.ndarray, l1: float, tol: float, most: int) -> float:
        """See `Model`."""
        return gram_sweeps(self.Q, self.r, x, l1, self.penalised, tol, most)

    def residual(self, x: np.ndarray) -> np.ndarray:
        """See `Model`."""
        return self.r

    def solve(self, support: np.ndarray, right: np.ndarray, tol: float) -> np.ndarray | None:
        """By Cholesky."""
        if not support.size:
            return None
        whole = support.size == self.Q.shape[0]
        factor, info = POTRF(self.Q.T if whole else self.Q[np.ix_(support, support)].T, clean=0)
        return None if info else POTRS(factor, right)[0]

    def product(self, change: np.ndarray) -> tuple[float, np.ndarray]:
        """See `Model`."""
        known = self.Q @ change
        return float(change @ known), known

    def move(self, known: np.ndarray, t: float) -> None:
        """See `Model`."""
        self.r += t * known


@summing
def add_multiple(a: float, row: np.ndarray, r: np.ndarray) -> None:
    """r += a row."""
    for i in range(r.size):
        r[i] += a * row[i]


if not HAS_NUMBA:

    def add_multiple(a: float, row: np.ndarray, r: np.ndarray) -> None:
        """r += a row."""
        r += a * row


@kernel
def gram_sweeps(Q, r: np.ndarray, x: np.ndarray, l1: float, penalised: int, tol: float, most: int) -> float:
    """Coordinate descent with r the gradient at x: a whole sweep, sweeps over what is not 0 until it rests, and again."""
    active = np.empty(x.size, np.int64)
    count, whole = 0, True
    for _ in range(most):
        largest, kept = 0.0, 0
        for k in range(x.size if whole else count):
            j = k if whole else active[k]
            q = Q[j, j]
            u = x[j] - r[j] / q
            if j < penalised:
                u = max(u - l1 / q, 0.0) + min(u + l1 / q, 0.0)
            step = u - x[j]
            if u != 0.0 or step != 0.0 or not whole:
                active[kept] = j
                kept += 1
            if step != 0.0:
                x[j] = u
                add_multiple(step, Q[j], r)
                largest = max(largest, abs(step) * q)
        count = kept if whole else count
        if largest <= tol:
            if whole:
                return largest
            whole = True
        else:
            whole = False
    return np.inf
