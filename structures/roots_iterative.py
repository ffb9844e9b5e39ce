r"""The inverse square root of a statistic that moves a little at a time, from the last one, by matrix products alone.

For :math:`S \succ 0`, :math:`X = S^{-1/2}` is the positive definite solution of :math:`X S X = I`. Newton's step D at X
solves

.. math:: D\,Y + Y^\top D = E, \qquad E = I - X S X, \quad Y = S X,

a Lyapunov equation. Replacing its solution by a multiple of :math:`XE + EX`, as warm-started Newton-Schulz iterations do,
multiplies an error between eigenvectors i and j by :math:`1 - (y_i + y_j)^2/4y_iy_j`: it diverges when the condition
number of S exceeds 34, and the factored form :math:`(XSX)^{-1/2} X` converges to a root that is not symmetric. In the
eigenbasis V of an earlier statistic Y is nearly diagonal, the equation nearly solved by a division, and with :math:`O = Y
- \operatorname{diag} y`

.. math:: D \leftarrow \frac{E - (R + R^\top)}{y_i + y_j}, \qquad R = D\,\bigl(O + \tfrac12 \operatorname{diag}(y^2) D\bigr)

contracts by about half of the relative change of S since V was taken: one product a sweep, the quadratic term included. A
refresh costs :math:`V^\top S V` and :math:`V X V^\top` (four products), a residual (two), and its sweeps. The first guess
costs none: the last root, moved by the divided differences of :math:`S - S_{\mathrm{last}}` and along the last correction.
The error that a residual on random vectors shows, in :math:`O(n^2)`, decides whether products refine the guess; where they
do not, or would be too many, an eigendecomposition starts anew.

Source: derived here (docs/proofs/inverse-roots.md); Higham, Functions of Matrices, SIAM 2008, ch. 6-7 (stability of Newton's
iterations for roots).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from structures.arrays import Array, all_finite, asarray_like, eye, namespace, sym
from structures.roots import clip_to_psd, eigh, rank_floor, values_power

__all__ = ["Refreshed", "TrackedRoot", "fresh_root", "newton_schulz_root", "refresh_root"]

PROBES = 8
SWEEPS = 6  # in one Newton step; what is not solved by then needs a new residual or a new basis
SLOW = 0.3  # a contraction that is not worth another product
SHARE = 0.5  # of the tolerance that an error estimated from PROBES vectors may be


@dataclass(frozen=True, eq=False)
class TrackedRoot:
    """What one refresh leaves to the next, all (..., n, n) in the basis V."""

    basis: Array  # V, orthogonal
    statistic: Array  # Vᵀ S V
    root: Array  # Vᵀ S^{-1/2} V
    correction: Array | None  # of the first guess by products; None where there was none
    rounding: float  # error that the eigendecomposition behind V left: below it nothing can be seen


class Refreshed(NamedTuple):
    """The root and what it took."""

    root: Array  # (..., n, n) S^{-1/2}, symmetric
    state: TrackedRoot | None  # None for a singular S, whose pseudo-inverse root cannot be tracked
    products: int  # n×n by n×n
    fresh: bool  # whether an eigendecomposition was taken
    residual: float  # estimate of the relative error; ≤ tol, or twice what an eigendecomposition left, unless fresh


def fresh_root(S: Array) -> Refreshed:  # (..., n, n) PSD
    """By eigendecomposition; a singular S has its pseudo-inverse root. Raises what `structures.roots.eigh` raises."""
    values, V = eigh(S)
    n = values.shape[-1]
    values, floor = clip_to_psd(values, n), rank_floor(values, n)
    xp, spectrum = namespace(values), values_power(values, -0.5, floor)
    root = sym((V * spectrum[..., None, :]) @ xp.matrix_transpose(V))
    if bool(xp.any(values <= floor)):
        return Refreshed(root, None, 1, True, float("nan"))
    left = _probed(root, S, spectrum, V)
    return Refreshed(root, TrackedRoot(V, _diagonal(values), _diagonal(spectrum), None, left), 1, True, left)


def refresh_root(
    S: Array,  # (..., n, n) PSD
    state: TrackedRoot | None,
    *,
    tol: float = 1e-8,  # of ‖X - S^{-1/2}‖/‖S^{-1/2}‖, where rounding allows it
    most: int = 8,  # products after which an eigendecomposition is the better choice
) -> Refreshed:
    """S^{-1/2} from the state of the last statistic, or afresh. Raises ValueError for a tolerance below the rounding of S."""
    if not tol > 4.0 * float(namespace(S).finfo(S.dtype).eps):
        raise ValueError(f"tol must be above four units of rounding, got {tol!r}.")
    if state is None:
        return fresh_root(S)
    V, xp = state.basis, namespace(S)
    B = sym(xp.matrix_transpose(V) @ (S @ V))
    plain = _predicted(state, B)
    if plain is None:
        return fresh_root(S)
    goal, products = max(SHARE * tol, 2.0 * state.rounding), 4  # two into the basis, two out of it
    X: Array | None = _pushed(plain, state.correction, B)
    left = _probed(X, B, _diagonal_of(X))
    while left > goal:
        before = left
        X, used = _newton(B, X, tol, most - products) if products + 3 <= most else (None, 0)
        if X is None:
            return fresh_root(S)
        products, left = products + used, _probed(X, B, _diagonal_of(X))
        if not left <= SLOW * before:
            return fresh_root(S)
    root = sym(V @ (X @ xp.matrix_transpose(V)))
    left = _probed(root, S, _diagonal_of(X), V)
    if not left <= 2.0 * goal:  # V is not as orthogonal as it should be
        return fresh_root(S)
    return Refreshed(root, TrackedRoot(V, B, X, X - plain, state.rounding), products, False, left)


def _predicted(state: TrackedRoot, B: Array) -> Array | None:
    """The last root, moved by divided differences of what B changed; None where B left the positive definite matrices."""
    xp = namespace(B)
    x = _diagonal_of(state.root)
    moved = x[..., :, None] * (B - state.statistic) * x[..., None, :]
    y = 1.0 / x
    X = state.root - moved / (y[..., :, None] + y[..., None, :])
    positive = xp.all(_diagonal_of(B) > 0) & xp.all(_diagonal_of(X) > 0)
    return X if bool(positive) and all_finite(X) else None


def _pushed(X: Array, correction: Array | None, B: Array) -> Array:
    """X plus the multiple of the last correction that leaves the smallest residual on random vectors."""
    if correction is None:
        return X
    xp, v = namespace(X), _vectors(X, 0)
    bent = B @ (X @ v)
    r, change = X @ bent - v, X @ (B @ (correction @ v)) + correction @ bent
    size = xp.sum(change * change, axis=(-2, -1), keepdims=True)
    share = -xp.sum(r * change, axis=(-2, -1), keepdims=True) / xp.where(size > 0, size, xp.ones_like(size))
    pushed = X + share * correction
    return pushed if bool(xp.all(_diagonal_of(pushed) > 0)) and all_finite(pushed) else X


def _newton(B: Array, X: Array, tol: float, most: int) -> tuple[Array | None, int]:
    """One Newton step: the new X (None when nothing contracts), and its products."""
    Y = B @ X
    E = eye(X.shape[-1], X) - sym(X @ Y)
    y = _diagonal_of(Y)
    if not bool(namespace(y).all(y > 0)):
        return None, 2
    below, size = y[..., :, None] + y[..., None, :], _norm(X)
    off, half = Y - _diagonal(y), 0.5 * (y * y)[..., :, None]
    D, change, used, ratio = E / below, _norm(E / below), 2, SLOW
    while used < most and used < 2 + SWEEPS and change * ratio > 0.5 * tol * size:
        R = D @ (off + half * D)
        new = (E - 2.0 * sym(R)) / below
        before, change, used = change, _norm(new - D), used + 1
        D, ratio = new, max(change / before if before > 0 else 0.0, 1e-3)
        if not change <= SLOW * before:
            return None, used
    return sym(X + D), used


def newton_schulz_root(
    S: Array, tol: float = 1e-8, most: int = 60
) -> tuple[Array, int]:  # (..., n, n) positive definite
    r"""S^{-1/2} from nothing but S, with the number of products: about three for each factor of 2.25 in the condition number.

    :math:`T = \tfrac12(3I - ZY),\; Y \leftarrow YT,\; Z \leftarrow TZ` from :math:`Y = S/\|S\|_F,\; Z = I`, whose iterates
    commute with S. Raises ArithmeticError when `most` iterations do not reach the tolerance: S is singular to working
    precision.
    """
    xp, identity = namespace(S), eye(S.shape[-1], S)
    scale = xp.linalg.matrix_norm(S, keepdims=True)
    Y, Z, products = S / scale, xp.broadcast_to(identity, S.shape), 0
    for _ in range(most):
        E = identity - Z @ Y
        products += 1
        T = identity + 0.5 * E
        Z, Y = sym(T @ Z), sym(Y @ T)
        products += 2
        if _norm(E) ** 2 <= tol * S.shape[-1] ** 0.5:  # E is squared by the step that was just taken
            return Z / xp.sqrt(scale), products
    raise ArithmeticError(f"Newton-Schulz did not reach {tol:g} in {most} iterations: S is nearly singular.")


def _probed(
    X: Array,  # (..., n, n)
    S: Array,  # (..., n, n)
    x: Array,  # (..., n) the diagonal of X in the basis
    V: Array | None = None,  # the basis, where X and S are not in it
) -> float:
    """½‖D(X S X - I)D‖_F/‖x‖, D = √x, from a few random vectors, the worst of a batch: X's relative error to first order."""
    xp = namespace(X)
    v, root = _vectors(X, 1), xp.sqrt(x)[..., None]
    w = root * v if V is None else V @ (root * v)
    off = X @ (S @ (X @ w)) - w
    off = root * (off if V is None else xp.matrix_transpose(V) @ off)
    return 0.5 * float(xp.max(xp.linalg.matrix_norm(off) / xp.linalg.vector_norm(x, axis=-1))) / PROBES**0.5


def _vectors(like: Array, use: int) -> Array:  # (..., n, n) -> (n, PROBES); one set must not judge what it chose
    n = like.shape[-1]
    return asarray_like(np.random.default_rng([n, use]).standard_normal((n, PROBES)), like)


def _norm(A: Array) -> float:
    """The largest Frobenius norm of a batch."""
    xp = namespace(A)
    return float(xp.max(xp.linalg.matrix_norm(A)))


def _diagonal_of(A: Array) -> Array:  # (..., n, n) -> (..., n)
    return namespace(A).linalg.diagonal(A)


def _diagonal(values: Array) -> Array:  # (..., n) -> (..., n, n)
    return values[..., :, None] * eye(values.shape[-1], values)
