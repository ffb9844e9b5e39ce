r"""Adaptive smoothness from its semidefinite program, with both ends repaired so that they are bounds.

.. math::
    \Lambda = \min\{\operatorname{Tr} H : H \in \mathcal H,\; H \succeq A_k\}
            = \max\Bigl\{\textstyle\sum_k \langle A_k, Z_k\rangle : Z_k \succeq 0,\; E\bigl(\sum_k Z_k\bigr) \preceq I\Bigr\} .

A conic solver's answer is feasible to 1e-8 only (1e-6 for SCS). H is moved into J and raised by a multiple of I until a verified
Cholesky factorisation proves that it dominates; the Z are replaced by :math:`W_k W_k^\top` and divided by the largest eigenvalue
of :math:`E(\sum_k W_k W_k^\top)`. Weak duality needs only :math:`\langle Z, H\rangle = \langle E(Z), H\rangle`.

Source: derived here, docs/proofs/adaptive-smoothness.md#duality; Rump 2006 (the factorisation).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convex.smoothness.bracket import Bracket
from structures import Structure
from structures.arrays import to_numpy
from theory.verified_cholesky import smallest_eigenvalue_bound

__all__ = ["lower_end", "power_of_two", "semidefinite_bracket", "upper_end"]

CLARABEL_UP_TO = 48  # parameters; beyond, SCS is ten times faster and its coarser answer is repaired all the same
EPS = float(np.finfo(np.float64).eps)


def semidefinite_bracket(
    matrices: Sequence[np.ndarray],  # each (d, d) symmetric
    structure: Structure,
    solver: str | None = None,  # "CLARABEL" or "SCS"; None: by the size
) -> Bracket:
    """Both ends from one solution of the program. Raises RuntimeError when the solver has no answer."""
    from problems.oracles import smallest_envelope

    chosen = solver or ("CLARABEL" if structure.dim <= CLARABEL_UP_TO else "SCS")
    largest = max(float(np.max(np.abs(A))) for A in matrices)
    if largest == 0:
        return Bracket(0.0, 0.0, "A = 0")
    scale = power_of_two(largest)  # a division by it is exact
    unit = [A / scale for A in matrices]
    H, Z = smallest_envelope(structure, unit, chosen)
    element, upper = upper_end(unit, structure, H)
    factors, lower = lower_end(unit, structure, [_factor(part) for part in Z])
    method = f"semidefinite program ({chosen}), repaired"
    return Bracket(min(lower, upper) * scale, upper * scale, method, "", element * scale, tuple(factors))


def upper_end(
    matrices: Sequence[np.ndarray], structure: Structure, H: np.ndarray
) -> tuple[np.ndarray, float]:  # -> (d, d), Tr H rounded up
    """The element E(H) + sI with the s that makes it dominate every matrix, and an upper bound of its trace."""
    d = structure.dim
    element = to_numpy(structure.dense(structure.project(H)))
    element = (element + element.T) / 2
    short = min(_least_eigenvalue(element - A, element, A) for A in matrices)
    raised = element + (max(0.0, -short) * (1.0 + 8.0 * EPS)) * np.eye(d)
    again = min(_least_eigenvalue(raised - A, raised, A) for A in matrices)
    if again < 0:  # the addition itself rounds
        raised = raised + (-2.0 * again) * np.eye(d)
    return raised, float(np.trace(raised)) + 2.0 * d * EPS * float(np.sum(np.abs(np.diagonal(raised))))


def lower_end(
    matrices: Sequence[np.ndarray], structure: Structure, factors: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], float]:  # -> each (d, r), the bound
    """The factors divided so that E(Σ W Wᵀ) ⪯ I, and Σ <A, W Wᵀ> rounded down; 0 when they vanish."""
    d = structure.dim
    total = np.sum([W @ W.T for W in factors], axis=0)
    E = to_numpy(structure.dense(structure.project(total)))
    top = -smallest_eigenvalue_bound(-(E + E.T) / 2) + 16.0 * d * EPS * float(np.max(np.abs(total)))
    if not top > 0:
        return [0.0 * W for W in factors], 0.0
    scaled = [W / np.sqrt(top) for W in factors]
    products = [W * (A @ W) for A, W in zip(matrices, scaled, strict=True)]
    value = float(sum(np.sum(p) for p in products))
    sizes = sum(float(np.sum(np.abs(W) * (np.abs(A) @ np.abs(W)))) for A, W in zip(matrices, scaled, strict=True))
    return scaled, max(0.0, value - 8.0 * d * EPS * sizes)


def power_of_two(size: float) -> float:
    """The power of two above a positive number."""
    return float(np.ldexp(1.0, int(np.frexp(size)[1])))


def _least_eigenvalue(difference: np.ndarray, H: np.ndarray, A: np.ndarray) -> float:
    """A lower bound of λ_min(H − A), the rounding of the subtraction included."""
    rounding = EPS * len(H) * float(np.max(np.abs(H) + np.abs(A)))
    return smallest_eigenvalue_bound((difference + difference.T) / 2) - rounding


def _factor(Z: np.ndarray) -> np.ndarray:  # (d, d) -> (d, r)
    """W with W Wᵀ the positive part of Z, up to rounding."""
    values, vectors = np.linalg.eigh(Z)
    kept = values > 1e-10 * max(float(values[-1]), 0.0)
    return vectors[:, kept] * np.sqrt(values[kept])
