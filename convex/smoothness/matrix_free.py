r"""Adaptive smoothness without a d×d matrix: an orthogonal iteration in the geometry of the structure.

For :math:`A_k \succeq 0` the lower end maximises the convex :math:`\sum_k \langle A_k, Z_k Z_k^\top\rangle` over
:math:`E(\sum_k Z_k Z_k^\top) \preceq I`; its linearisation has the solution

.. math::
    W_k = A_k Z_k, \qquad P = P_{\mathcal H}\bigl(\textstyle\sum_k W_k W_k^\top\bigr), \qquad Z_k \leftarrow P^{-1} W_k .

Each step raises the objective, which is a lower bound of Λ wherever it stops. At a fixed point :math:`(P - A_k) Z_k = 0` and
:math:`\operatorname{Tr} P` equals it, so that P is nearly feasible, and with :math:`P_\delta = P + \delta I`

.. math::
    \Lambda \le \max_k \lambda_{\max}\bigl(P_\delta^{-1/2} A_k P_\delta^{-1/2}\bigr) \operatorname{Tr} P_\delta .

The eigenvalue is verified up to 512 parameters, and beyond bounded by Lanczos with a stated probability.

Source: derived here, docs/proofs/adaptive-smoothness.md#matrix-free.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convex.smoothness.bracket import Bracket
from convex.smoothness.largest_eigenvalue import largest_eigenvalue
from convex.smoothness.semidefinite import lower_end, power_of_two, upper_end
from problems.operators import SymmetricOperator
from structures import ModeK, Structure
from structures.arrays import Array, Coordinates, asarray_like, namespace, to_numpy, tree_map

__all__ = ["matrix_free_bracket"]

VERIFIED_UP_TO = 512
DAMPINGS = (1e-10, 1e-7, 1e-4, 1e-1)  # δ relative to Tr P / d


def matrix_free_bracket(
    operators: Sequence[SymmetricOperator],  # each A_k ⪰ 0
    structure: Structure,
    *,
    columns: int | None = None,  # of each Z_k; None: 16, or as many as a one-sided P needs for its full rank
    iterations: int | None = None,  # at most; None: 5000, 200 above 512 parameters
    tol: float | None = None,  # stops when a step raises the bound by less, relatively; None: 1e-11, 1e-4 above 512
    steps: int = 60,  # of Lanczos
    failure: float = 1e-6,  # probability that the upper end is too low, above 512 parameters
    seed: int = 0,
) -> Bracket:
    """Both ends. Raises ValueError for an operator that is not positive semidefinite, or a set that is not well-structured."""
    if not structure.well_structured or not all(A.psd for A in operators):
        raise ValueError("the iteration needs a well-structured set and positive semidefinite operators.")
    small = structure.dim <= VERIFIED_UP_TO
    tol = (1e-11 if small else 1e-4) if tol is None else tol
    iterations = (5000 if small else 200) if iterations is None else iterations
    Z = _start(operators, structure, _enough(structure) if columns is None else columns, seed)
    scale = max(float(namespace(z).max(namespace(z).abs(A.apply(z)))) for A, z in zip(operators, Z, strict=True))
    if scale == 0.0:
        return Bracket(0.0, 0.0, "A = 0 on a random start", "A vanishes with probability one")
    scale = power_of_two(scale)
    unit = [_Scaled(A, 1.0 / scale) for A in operators]  # so that no square over- or underflows, and nothing rounds
    Z, root = _iterate(unit, structure, Z, iterations, tol)
    if small:
        return _verified(unit, structure, Z, root, scale)
    return _probable(unit, structure, Z, root, steps, failure, seed).scaled(scale)


def _iterate(
    operators: Sequence[_Scaled], structure: Structure, Z: list[Array], iterations: int, tol: float
) -> tuple[list[Array], Coordinates]:
    """The last Z, and the P of its image."""
    value = 0.0
    for _ in range(iterations):
        W = [A.apply(z) for A, z in zip(operators, Z, strict=True)]
        metric = structure.metric(_summed(structure, W))
        Z = [metric.apply(-0.5, w) for w in W]
        before, value = value, sum(A.energy(z) for A, z in zip(operators, Z, strict=True))
        if value <= before * (1.0 + tol):
            break
    image = [A.apply(z) for A, z in zip(operators, Z, strict=True)]
    return Z, structure.metric(_summed(structure, image)).power(0.5)


class _Scaled:
    """A multiple of an operator."""

    def __init__(self, operator: SymmetricOperator, factor: float) -> None:
        self._operator, self._factor, self.like = operator, factor, operator.like

    def apply(self, v: Array) -> Array:
        return self._factor * self._operator.apply(v)

    def energy(self, Z: Array) -> float:  # (r, *shape)
        """<A, Z Zᵀ>."""
        return self._factor * float(namespace(Z).sum(self._operator.quadratic(Z)))

    def matrix(self) -> np.ndarray:  # -> (d, d)
        """On the host, exactly symmetric."""
        return _symmetric(to_numpy(self._operator.dense()).astype(np.float64) * self._factor)


def _enough(structure: Structure) -> int:
    """16, and for a matrix along an axis twice the columns with which P can have full rank: each adds d/n_k to it."""
    return max(16, -(-2 * structure.rank // structure.multiplicity)) if isinstance(structure, ModeK) else 16


def _start(operators: Sequence[SymmetricOperator], structure: Structure, columns: int, seed: int) -> list[Array]:
    rng = np.random.default_rng(np.random.SeedSequence([seed, structure.dim]))
    size = (min(columns, structure.dim), *structure.shape)
    return [asarray_like(rng.standard_normal(size), A.like) for A in operators]


def _summed(structure: Structure, W: Sequence[Array]) -> Coordinates:
    """E(Σ_k W_k W_kᵀ)."""
    parts = [tree_map(lambda c: namespace(c).sum(c, axis=0), structure.outer(w)) for w in W]
    total = parts[0]
    for part in parts[1:]:
        total = tree_map(lambda p, q: p + q, total, part)
    return total


def _damped(structure: Structure, root: Coordinates, like: Array, relative: float) -> Coordinates:
    """P + δI."""
    shift = relative * float(structure.trace(root)) / structure.dim
    return tree_map(lambda c, i: c + shift * i, root, structure.identity(like))


def _verified(
    operators: Sequence[_Scaled], structure: Structure, Z: list[Array], root: Coordinates, scale: float
) -> Bracket:
    """Both ends with a verified Cholesky factorisation and rounding counted."""
    matrices = [A.matrix() for A in operators]
    factors = [to_numpy(structure.flatten(z)).astype(np.float64).T for z in Z]
    witnesses, lower = lower_end(matrices, structure, factors)
    element, upper = np.zeros((structure.dim, structure.dim)), np.inf
    for relative in DAMPINGS:
        H = to_numpy(structure.dense(_damped(structure, root, operators[0].like, relative))).astype(np.float64)
        values, vectors = np.linalg.eigh(_symmetric(H))
        half = vectors / np.sqrt(values)
        top = max(float(np.linalg.eigvalsh(_symmetric(half.T @ A @ half))[-1]) for A in matrices)
        candidate, trace = upper_end(matrices, structure, H * top)
        if trace < upper:
            element, upper = candidate, trace
    method = "iteration in the structure's geometry, verified"
    return Bracket(min(lower, upper) * scale, upper * scale, method, "", element * scale, tuple(witnesses))


def _probable(
    operators: Sequence[_Scaled],
    structure: Structure,
    Z: list[Array],
    root: Coordinates,
    steps: int,
    failure: float,
    seed: int,
) -> Bracket:
    """The upper end by Lanczos, the failure probability shared among the eigenvalues that it needs."""
    rounding = 1.0 + 64.0 * structure.dim * float(np.finfo(np.float64).eps)
    top = float(namespace(Z[0]).max(structure.factor(_summed(structure, Z)).values)) * rounding
    lower = sum(A.energy(z) for A, z in zip(operators, Z, strict=True)) / top
    share = failure / (len(DAMPINGS) * len(operators))
    upper = np.inf
    for relative in DAMPINGS:
        P = _damped(structure, root, operators[0].like, relative)
        factor = structure.factor(P)
        tops = [_largest(A, structure, factor, steps, share, seed) for A in operators]
        upper = min(upper, max(tops) * float(structure.trace(P)))
    assumes = (
        f"the upper end fails with probability at most {failure:g} over the start of Lanczos ({steps} steps), "
        "exact arithmetic in its basis"
    )
    return Bracket(min(lower / rounding, upper), upper, "iteration in the structure's geometry, Lanczos", assumes)


def _largest(A: _Scaled, structure: Structure, factor: Any, steps: int, failure: float, seed: int) -> float:
    """An upper bound of λ_max(P^{-1/2} A P^{-1/2})."""

    def product(v: Array) -> Array:  # (d,) -> (d,)
        inner = A.apply(factor.apply(-0.5, structure.unflatten(v)))
        return structure.flatten(factor.apply(-0.5, inner))

    return largest_eigenvalue(product, A.like, structure.dim, steps=steps, failure=failure, seed=seed).upper


def _symmetric(A: np.ndarray) -> np.ndarray:
    return (A + A.T) / 2
