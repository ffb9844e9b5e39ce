r"""Adaptive smoothness in closed form, where the operator and the structure allow it.

For :math:`A \succeq 0`, or the pair :math:`\pm A`, the smallest trace of an :math:`H \in \mathcal H` that dominates is

.. math::
    \text{scalar: } d\,\|A\|_{\mathrm{op}}, \qquad
    A \in J \text{ or } J = S^d:\; \operatorname{Tr}|A|, \qquad
    A = vv^\top:\; \|v\|_{\mathcal H,*}^2, \qquad
    \Lambda(A + \delta I) = \Lambda(A) + \delta d, \\
    \Lambda_{J_1 \otimes J_2}(L \otimes R) = \Lambda_{J_1}(L)\,\Lambda_{J_2}(R), \qquad
    \text{left: } n\,\|R\|_{\mathrm{op}} \operatorname{Tr}|L|, \qquad
    \text{diagonal, } s_i s_j A_{ij} \ge 0:\; \textstyle\sum_{ij} |A_{ij}| .

For a diagonal A a structure of groups takes the largest entry of each: :math:`\sum_k w_k \max_{i \in k} |a_i|`, and a one-sided
one :math:`n \sum_i \max_j |a_{ij}|`.

Source: derived here, docs/proofs/adaptive-smoothness.md#closed-forms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convex.smoothness.bracket import Bracket, exact
from problems.operators import (
    DenseOperator,
    DiagonalOperator,
    GramOperator,
    KroneckerOperator,
    ShiftedOperator,
    SymmetricOperator,
)
from problems.operators.diagonal import pools_coordinates
from structures import ColumnScalar, Diagonal, Full, LeftKronecker, ModeK, RightKronecker, RowScalar, Scalar, Structure
from structures.arrays import to_numpy

__all__ = ["closed_form"]

SMALL = 512  # up to here the matrix itself is looked at


def closed_form(operator: SymmetricOperator, structure: Structure) -> Bracket | None:
    """Λ of one operator A ⪰ 0, or of the pair ±A when A is indefinite; None where no closed form applies."""
    operator.require(structure)
    for rule in _RULES:
        found = rule(operator, structure)
        if found is not None:
            return found
    return None


def _shifted(A: SymmetricOperator, K: Structure) -> Bracket | None:
    """Λ(A) + δd: H ⪰ A + δI exactly when H − δI ⪰ A, which is in J and, since A ⪰ 0, in the cone."""
    if not (isinstance(A, ShiftedOperator) and A.base.psd):
        return None
    found = closed_form(A.base, K)
    return None if found is None else found.plus(A.shift * A.dim)


def _scalar(A: SymmetricOperator, K: Structure) -> Bracket | None:
    if not (isinstance(K, Scalar) and A.norm_is_exact):
        return None
    return exact(A.dim * A.norm_bound, A.dim, "scalar: d ‖A‖_op")


def _diagonal_operator(A: SymmetricOperator, K: Structure) -> Bracket | None:
    """The largest entry of each group: H_k I ⪰ A on the group, and Z = w_k e e' at that entry."""
    if not isinstance(A, DiagonalOperator):
        return None
    size = np.abs(to_numpy(A.entries))
    if isinstance(K, ModeK):
        rows = np.abs(to_numpy(K.unfold(A.entries)))
        return exact(K.multiplicity * float(np.sum(rows.max(axis=1))), A.dim, "diagonal A: n Σ_i max_j |a_ij|")
    if isinstance(K, Full):
        return exact(float(np.sum(size)), A.dim, "A is in the structure: Tr |A|")
    if not pools_coordinates(K):
        return None
    labels = np.rint(K.spread(np.arange(K.rank, dtype=np.float64))).astype(np.int64)
    groups = np.broadcast_to(labels, (A.dim,))
    top = np.zeros(K.rank)
    np.maximum.at(top, groups, size.reshape(-1))
    weights = to_numpy(K.weights(np.zeros(K.rank)))
    return exact(float(weights @ top), A.dim, "diagonal A: Σ_k w_k max |a_i| over the group")


def _rank_one(A: SymmetricOperator, K: Structure) -> Bracket | None:
    """H ⪰ vv' is v'H⁻¹v ≤ 1; the smallest trace is the square of the dual norm."""
    if not (isinstance(A, GramOperator) and A.vectors.shape[0] == 1 and K.well_structured):
        return None
    return exact(float(K.dual_norm(A.vectors[0])) ** 2, A.dim, "rank one: ‖v‖²_{H,*}")


def _full(A: SymmetricOperator, K: Structure) -> Bracket | None:
    """Tr |A|: |A| is feasible, and the trace of the positive part of any feasible H − A cannot be negative."""
    if not isinstance(K, Full):
        return None
    if A.psd:
        return exact(A.trace, A.dim, "full: Tr A")
    return exact(float(np.sum(np.abs(np.linalg.eigvalsh(to_numpy(A.dense()))))), A.dim, "full: Tr |A|")


def _kronecker(A: SymmetricOperator, K: Structure) -> Bracket | None:
    """Λ of L ⊗ R in a product of structures is the product of Λ's: H1 ⊗ H2 is feasible, and so is Z1 ⊗ Z2."""
    if not isinstance(A, KroneckerOperator) or type(K) not in _PRODUCTS:
        return None
    rows, columns = _PRODUCTS[type(K)]
    parts = []
    for factor, size, kind in zip((A.left, A.right), A.parameter_shape, (rows, columns), strict=True):
        if factor is None:
            parts.append(exact(float(size), size, "identity"))
            continue
        part = closed_form(DenseOperator(factor, (size,)), kind((size,)))
        if part is None:
            return None
        parts.append(part)
    return parts[0].times(parts[1], f"product: {parts[0].method} × {parts[1].method}")


def _member(A: SymmetricOperator, K: Structure) -> Bracket | None:
    """A ∈ J: |A| is itself feasible. What E(A) misses of A by rounding is allowed for on both sides."""
    if A.dim > SMALL or not K.well_structured:
        return None
    dense = to_numpy(A.dense()).astype(np.float64)
    missed = float(np.linalg.norm(to_numpy(K.dense(A.project(K))) - dense, 2))
    if missed > 1e-13 * A.dim * float(np.linalg.norm(dense, 2)):
        return None
    found = exact(float(np.sum(np.abs(np.linalg.eigvalsh(dense)))), A.dim, "A is in the structure: Tr |A|")
    return Bracket(found.lower - missed * A.dim, found.upper + missed * A.dim, found.method)


def _signs(A: SymmetricOperator, K: Structure) -> Bracket | None:
    """Σ|A_ij| when signs s make every s_i s_j A_ij ≥ 0: Z = ss' reaches it, and the row sums of |A| dominate A."""
    if not isinstance(K, Diagonal) or not A.psd or A.dim > SMALL:
        return None
    dense = to_numpy(A.dense()).astype(np.float64)
    signs = _signature(dense)
    if signs is None:
        return None
    return exact(float(np.sum(np.abs(dense))), A.dim**2, "diagonal, signs of one kind: Σ|A_ij|")


def _signature(A: np.ndarray) -> np.ndarray | None:  # (d, d) -> (d,)
    """Signs with s_i s_j A_ij ≥ 0, spread from entry to entry; None when a cycle contradicts itself."""
    signs = np.zeros(len(A))
    for start in range(len(A)):
        waiting = [start] if signs[start] == 0 else []
        signs[start] = signs[start] or 1.0
        while waiting:
            i = waiting.pop()
            new = np.flatnonzero((A[i] != 0) & (signs == 0))
            signs[new] = signs[i] * np.sign(A[i, new])
            waiting.extend(new.tolist())
    return signs if np.all(signs[:, None] * signs * A >= 0) else None


_RULES: tuple[Callable[[SymmetricOperator, Structure], Bracket | None], ...] = (
    _shifted,
    _diagonal_operator,
    _rank_one,
    _scalar,
    _full,
    _kronecker,
    _member,
    _signs,
)

# Which structure acts on the rows and which on the columns of a matrix: J = J_1 ⊗ J_2.
_PRODUCTS: dict[type[Structure], tuple[type[Structure], type[Structure]]] = {
    LeftKronecker: (Full, Scalar),
    RightKronecker: (Scalar, Full),
    Diagonal: (Diagonal, Diagonal),
    RowScalar: (Diagonal, Scalar),
    ColumnScalar: (Scalar, Diagonal),
}
