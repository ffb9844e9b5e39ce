r"""Exact linear algebra over the rationals: floats are dyadic fractions, so nothing is lost on the way in.

\[ A = L D L^\top, \qquad D \ge 0 \iff A \succeq 0, \]

by symmetric elimination without pivoting. For a positive semidefinite matrix a zero pivot has a zero row, which is
skipped; any other zero or negative pivot yields a vector with \(x^\top A x < 0\).

Source: derived here (symmetric Gaussian elimination).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Vector = list[Fraction]
Matrix = list[Vector]


@dataclass(frozen=True)
class Factors:
    """A = L D L' with D > 0: `L` has one row per row of A and one column per non-zero pivot."""

    L: Matrix
    D: Vector


@dataclass(frozen=True)
class Indefinite:
    """A vector x with x'Ax < 0."""

    x: Vector


def exact(value: Any) -> Fraction:
    """A finite float, integer or Fraction, exactly. Raises ValueError for NaN and infinities."""
    number = value if isinstance(value, (Fraction, int)) else float(value)
    try:
        return Fraction(number)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{value!r} is not a finite number") from error


def exact_matrix(
    rows: Any,  # (m, n) array of any library, or nested sequences of floats, integers and Fractions
) -> Matrix:
    """The matrix with exact entries. Raises ValueError when it is empty, ragged or not finite."""
    matrix = [[exact(entry) for entry in row] for row in rows]
    if not matrix or not matrix[0] or any(len(row) != len(matrix[0]) for row in matrix):
        raise ValueError(f"expected a non-empty rectangular matrix, got rows of lengths {[len(row) for row in matrix]}")
    return matrix


def exact_symmetric(
    rows: Any,  # (n, n)
) -> Matrix:
    """The square matrix with exact entries. Raises ValueError unless it equals its transpose exactly."""
    matrix = exact_matrix(rows)
    if matrix != transpose(matrix):
        raise ValueError("the matrix is not exactly symmetric; pass (A + A.T) / 2, and say that you did")
    return matrix


def ldlt(
    A: Matrix,  # (n, n) symmetric
) -> Factors | Indefinite:
    """The exact factors of a positive semidefinite matrix, or a vector that shows it is not.

    O(n^3) rational operations whose numbers grow with n: for double precision input about 1 ms at n = 8 and some tens
    of milliseconds at n = 16.
    """
    n = len(A)
    S = [row[: i + 1] for i, row in enumerate(A)]  # lower half of the Schur complement
    columns: list[tuple[int, Vector]] = []
    pivots: Vector = []
    for k in range(n):
        pivot = S[k][k]
        below = [S[i][k] for i in range(k + 1, n)]
        if pivot < 0:
            return Indefinite(_lifted(columns, k, {k: Fraction(1)}, n))
        if pivot == 0:
            if any(below):
                return Indefinite(_from_zero_pivot(S, columns, k, n))
            continue
        column = [Fraction(0)] * k + [Fraction(1)] + [entry / pivot for entry in below]
        for i in range(k + 1, n):
            if column[i]:
                for j in range(k + 1, i + 1):
                    S[i][j] -= column[i] * S[j][k]
        columns.append((k, column))
        pivots.append(pivot)
    return Factors([[column[i] for _, column in columns] for i in range(n)], pivots)


def quadratic_form(A: Matrix, x: Sequence[Fraction]) -> Fraction:
    """x'Ax exactly."""
    return sum((x[i] * A[i][j] * x[j] for i in range(len(A)) for j in range(len(A))), Fraction(0))


def transpose(A: Matrix) -> Matrix:
    return [list(column) for column in zip(*A, strict=True)]


def matmul(A: Matrix, B: Matrix) -> Matrix:
    columns = transpose(B)
    return [
        [sum((a * b for a, b in zip(row, col, strict=True) if a and b), Fraction(0)) for col in columns] for row in A
    ]


def subtract(A: Matrix, B: Matrix) -> Matrix:
    return [[a - b for a, b in zip(p, q, strict=True)] for p, q in zip(A, B, strict=True)]


def trace(A: Matrix) -> Fraction:
    return sum((A[i][i] for i in range(len(A))), Fraction(0))


def _from_zero_pivot(S: Matrix, columns: list[tuple[int, Vector]], k: int, n: int) -> Vector:
    """With S_kk = 0 and s = S_ik != 0, t = S_ii: y_i = 1, y_k = -(t + 1) / (2 s) has y'Sy = t + 2 s y_k = -1."""
    i = next(i for i in range(k + 1, n) if S[i][k])
    return _lifted(columns, k, {i: Fraction(1), k: -(S[i][i] + 1) / (2 * S[i][k])}, n)


def _lifted(columns: list[tuple[int, Vector]], k: int, tail: dict[int, Fraction], n: int) -> Vector:
    """The x that extends y (zero but for `tail`, at k and after) so that x'Ax = y'Sy: solve (L'x)_j = 0 backwards."""
    x = [tail.get(i, Fraction(0)) for i in range(n)]
    for j, column in reversed(columns):
        x[j] = -sum((column[i] * x[i] for i in range(j + 1, n) if x[i]), Fraction(0))
    return x
