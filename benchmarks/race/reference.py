r"""The optimum, before any solver of the race has run: projected Newton steps, stopped at the limit of double precision.

They start at zero, or with an L1 term where the proximal gradient method has found most of the support. Signs are
held during a step. On the free coordinates (non-zero, or zero with :math:`|\nabla_j| > \lambda_1`) solve
:math:`H d = -\partial P`, H the exact Hessian (Cholesky where it is small, conjugate gradients where it is not), then
search along :math:`w + t d` projected onto the orthant of the signs. Nothing here is shared with the solvers in the
race, and the answer is not trusted for it: `duality_gap` bounds its error, and the race reports the lowest objective
that any solver reaches beside it.

Source: Andrew and Gao 2007 for the orthant; Bertsekas 1982 for the two-metric projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.race.certificate import duality_gap, smooth_gradient, violation
from benchmarks.race.problem import Problem
from benchmarks.race.proximal import proximal_gradient
from benchmarks.race.results import ProblemFacts

__all__ = ["Optimum", "facts", "optimum"]

DENSE = 1500  # up to so many free coordinates the Hessian is formed
HALVINGS = 40
BELOW = 1e-12  # the rounding of an objective stays far under this


@dataclass(frozen=True)
class Optimum:
    """The value and what is known about it."""

    value: float  # P at the point found
    relative_gap: float  # (P - D) / P: P* lies within this of value
    violation: float  # largest entry of the least-norm subgradient
    nonzeros: int
    steps: int


def optimum(problem: Problem, relative_gap: float = 1e-13, max_steps: int = 300) -> Optimum:
    """The certified optimum; raises ArithmeticError when the gap stays above what was asked."""
    w = proximal_gradient(problem) if problem.l1 > 0.0 else np.zeros(problem.X.shape[1])
    gradient, steps = smooth_gradient(problem, w), 0
    while steps < max_steps and (moved := _moved(problem, w, gradient)) is not None:
        (w, gradient), steps = moved, steps + 1
    value = problem.objective(w)
    gap = duality_gap(problem, w) / value
    if not gap <= relative_gap:
        raise ArithmeticError(
            f"{problem.name}: the reference has a relative duality gap of {gap:.1e}, over {relative_gap:.1e}"
        )
    residual = float(np.abs(violation(problem, w, gradient)).max())
    return Optimum(value, gap, residual, int(np.count_nonzero(w)), steps)


def facts(problem: Problem, best: Optimum, lowest: float, seconds: float) -> ProblemFacts:
    """The record of a problem and its optimum; raises ArithmeticError when a solver came out below it."""
    if lowest < -BELOW:
        raise ArithmeticError(f"{problem.name}: a solver is below the certified optimum by {-lowest:.1e} relative")
    n, d = problem.X.shape
    return ProblemFacts(
        problem=problem.name,
        data=problem.data,
        penalty=problem.penalty,
        samples=n,
        features=d,
        nonzeros=problem.nnz,
        sparse=problem.sparse,
        l1=problem.l1,
        l2=problem.l2,
        optimum=best.value,
        relative_gap=best.relative_gap,
        violation=best.violation,
        support=best.nonzeros,
        lowest=lowest,
        reference_seconds=seconds,
    )


def _moved(
    problem: Problem,
    w: np.ndarray,  # (d,)
    gradient: np.ndarray,  # (d,)
) -> tuple[np.ndarray, np.ndarray] | None:  # the next point and its gradient; None where rounding is all that is left
    """One projected Newton step, as long as it lowers the objective, or the violation once the objective cannot tell."""
    residual = violation(problem, w, gradient)
    free = np.flatnonzero(residual)
    if len(free) == 0:
        return None
    signs = np.where(w != 0.0, np.sign(w), -np.sign(gradient))
    direction = np.zeros_like(w)
    direction[free] = -_solve(problem, w, free, residual[free])
    value = problem.objective(w)
    for halving in range(HALVINGS):
        after = w + 0.5**halving * direction
        if problem.l1 > 0.0:
            after[after * signs <= 0.0] = 0.0
        if problem.objective(after) < value - 1e-4 * (residual @ (w - after)):
            return after, smooth_gradient(problem, after)
        if halving == 0:
            slope = smooth_gradient(problem, after)
            nearer = np.abs(violation(problem, after, slope)).max() < np.abs(residual).max()
            if nearer and problem.objective(after) <= value * (1.0 + 1e-14):
                return after, slope
    return None


def _solve(
    problem: Problem,
    w: np.ndarray,  # (d,)
    free: np.ndarray,  # (k,) indices
    right: np.ndarray,  # (k,)
) -> np.ndarray:  # (k,) with H_free x = right
    """The Newton system on the free coordinates."""
    from scipy.linalg import cho_factor, cho_solve

    margins = np.abs(problem.X @ w)
    e = np.exp(-margins)
    curvature = e / ((1.0 + e) ** 2) / len(margins)
    A = problem.X[:, free]
    if len(free) > DENSE:
        return _conjugate_gradients(A, curvature, problem.l2, right)
    H = A.T @ (A.multiply(curvature[:, None]) if problem.sparse else A * curvature[:, None])
    H = np.asarray(H.todense() if problem.sparse else H)
    # λ2 = 0 with dependent columns (one-hot data): a small ridge changes the step, never the point where steps end.
    H[np.diag_indices_from(H)] += problem.l2 + 1e-11 * H.diagonal().max()
    return cho_solve(cho_factor(H), right)


def _conjugate_gradients(
    A: Any,  # (n, k)
    curvature: np.ndarray,  # (n,)
    ridge: float,
    right: np.ndarray,  # (k,)
) -> np.ndarray:  # (k,)
    """Conjugate gradients, preconditioned by the diagonal; the residual shrinks by the root of its size, at least tenfold."""
    from scipy.sparse import csr_matrix

    A = csr_matrix(A)
    transposed = A.T.tocsr()
    scale = 1.0 / (A.multiply(A).T @ curvature + ridge + 1e-300)
    apply: Callable[[np.ndarray], np.ndarray] = lambda p: transposed @ (curvature * (A @ p)) + ridge * p  # noqa: E731
    x, r = np.zeros_like(right), right.copy()
    z = scale * r
    p, rho = z, r @ z
    stop = min(0.1, np.linalg.norm(right) ** 0.5) * np.linalg.norm(right)
    for _ in range(5000):
        Hp = apply(p)
        length = rho / (p @ Hp)
        x, r = x + length * p, r - length * Hp
        if np.linalg.norm(r) <= stop:
            break
        z = scale * r
        rho, before = r @ z, rho
        p = z + (rho / before) * p
    return x
