r"""Exact certificates of adaptive smoothness, from above and from below, for ``python -m theory.check``.

.. math::
    H \in J,\; H \succeq A_k,\; \operatorname{Tr} H \le v &\;\Rightarrow\; \Lambda \le v, \\
    E\bigl(\textstyle\sum_k W_k W_k^\top\bigr) \preceq I,\;
    \sum_k \langle A_k, W_k W_k^\top\rangle \ge v &\;\Rightarrow\; \Lambda \ge v .

The float witnesses of a bracket are rounded to dyadic numbers of few bits, which exact elimination pays for, and moved inwards
until the elimination succeeds.

Source: derived here, docs/proofs/adaptive-smoothness.md#duality.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ldexp

import numpy as np

from problems.pattern import class_means, label_pattern
from structures import Structure
from theory.certificate import Certificate, NotCertified, write
from theory.rational import Factors, Matrix, exact_matrix, exact_symmetric, ldlt, matmul, subtract, trace, transpose

__all__ = ["certify_lower", "certify_upper"]

BITS = 40  # of the rounded witnesses, relative to their largest entry
INFLATIONS = (0.0, 2.0**-38, 2.0**-34, 2.0**-30, 2.0**-26, 2.0**-22, 2.0**-18)  # tried in turn, relative


def certify_upper(
    matrices: Sequence[np.ndarray],  # each (d, d), exactly symmetric
    structure: Structure,
    element: np.ndarray,  # (d, d) H of a bracket
    value: float | None = None,
) -> Certificate:
    """Λ ≤ value; without `value` the best that the element proves.

    Raises NotCertified when the element, however raised, dominates not every matrix or has a trace above `value`, ValueError
    for a structure without a label pattern.
    """
    labels, exacts = label_pattern(structure), [exact_symmetric(A) for A in matrices]
    rounded = _rounded(class_means(labels, np.asarray(element, dtype=np.float64)))
    size = float(np.max(np.abs(rounded))) or 1.0
    zero = [[Fraction(0)] * len(labels) for _ in labels]
    for inflation in INFLATIONS:
        h = exact_matrix(rounded + _dyadic(inflation * size) * np.eye(len(labels)))
        factors = [ldlt(subtract(h, a)) for a in (*exacts, zero)]
        if all(isinstance(f, Factors) for f in factors):
            found = trace(h)
            if value is not None and Fraction(value) < found:
                raise NotCertified(f"the element has trace {float(found):.17g}, above the claimed {value:.17g}")
            claimed = found if value is None else Fraction(value)
            witness = {"H": _by_label(labels, h), "factors": [_shown(f) for f in factors if isinstance(f, Factors)]}
            return Certificate("smoothness-upper", _inputs(labels, exacts, claimed), witness, "rounded and raised")
    raise NotCertified("the element, however raised, does not dominate every matrix")


def certify_lower(
    matrices: Sequence[np.ndarray],  # each (d, d), exactly symmetric
    structure: Structure,
    factors: Sequence[np.ndarray],  # each (d, r), the multipliers of a bracket
    value: float | None = None,
) -> Certificate:
    """Λ ≥ value; without `value` the best that the multipliers prove. Raises as `certify_upper` does."""
    labels, exacts = label_pattern(structure), [exact_symmetric(A) for A in matrices]
    identity = [[Fraction(i == j) for j in range(len(labels))] for i in range(len(labels))]
    for inflation in INFLATIONS:
        W = [exact_matrix(_rounded(np.asarray(w) * (1.0 - inflation))) for w in factors]
        total = [
            [sum(entries, Fraction(0)) for entries in zip(*rows, strict=True)]
            for rows in zip(*(matmul(w, transpose(w)) for w in W), strict=True)
        ]
        left = ldlt(subtract(identity, _exact_means(labels, total)))
        if isinstance(left, Factors):
            found = sum(
                (trace(matmul(transpose(w), matmul(a, w))) for a, w in zip(exacts, W, strict=True)), Fraction(0)
            )
            if value is not None and Fraction(value) > found:
                raise NotCertified(f"the multipliers reach {float(found):.17g}, below the claimed {value:.17g}")
            claimed = found if value is None else Fraction(value)
            witness = {"multipliers": [{"W": _rows(w)} for w in W], **_shown(left)}
            return Certificate("smoothness-lower", _inputs(labels, exacts, claimed), witness, "rounded and shrunk")
    raise NotCertified("the multipliers, however shrunk, are not feasible")


def _rounded(M: np.ndarray) -> np.ndarray:
    """To BITS bits below the largest entry."""
    size = float(np.max(np.abs(M), initial=0.0))
    if size == 0:
        return M
    unit = ldexp(1.0, int(np.frexp(size)[1]) - BITS)
    return np.rint(M / unit) * unit


def _dyadic(number: float) -> float:
    """The next power of two."""
    return 0.0 if number == 0 else ldexp(1.0, int(np.frexp(number)[1]))


def _exact_means(labels: np.ndarray, total: Matrix) -> Matrix:
    """E, in exact arithmetic."""
    sums: dict[int, Fraction] = {}
    counts: dict[int, int] = {}
    for row, values in zip(labels.tolist(), total, strict=True):
        for k, value in zip(row, values, strict=True):
            sums[k] = sums.get(k, Fraction(0)) + value
            counts[k] = counts.get(k, 0) + 1
    return [[sums[k] / counts[k] if k >= 0 else Fraction(0) for k in row] for row in labels.tolist()]


def _by_label(labels: np.ndarray, h: Matrix) -> list[str | int]:
    found = {
        k: value for row, values in zip(labels.tolist(), h, strict=True) for k, value in zip(row, values, strict=True)
    }
    return [write(found[k]) for k in range(int(labels.max()) + 1)]


def _inputs(labels: np.ndarray, matrices: Sequence[Matrix], value: Fraction) -> dict:
    return {"labels": labels.tolist(), "matrices": [{"A": _rows(a)} for a in matrices], "value": write(value)}


def _shown(factors: Factors) -> dict:
    return {"L": _rows(factors.L), "D": [write(number) for number in factors.D]}


def _rows(matrix: Matrix) -> list[list[str | int]]:
    return [[write(number) for number in row] for row in matrix]
