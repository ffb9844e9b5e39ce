r"""What the checker's rules are written in: exact numbers and matrices read from decoded JSON, and their products.

Part of the independent checker: standard library, exact rational arithmetic, no code shared with the producer. Anything that
is not exact, or not of the expected form, raises ``CertificateError``.

Source: derived here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

LARGEST_EXPONENT = 1 << 15  # binary exponents beyond float64's range have no use and would fill the memory

Matrix = list[list[Fraction]]

_HEX = re.compile(r"([+-]?)0x([0-9a-f]+)(?:\.([0-9a-f]*))?(?:p([+-]?\d{1,6}))?", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d+")


class CertificateError(ValueError):
    """The certificate does not prove its claim; the message says which step fails."""


def require(condition: bool, message: str) -> None:
    if not condition:
        raise CertificateError(message)


# --- reading ------------------------------------------------------------------------------------------------------------


def number(value: Any, name: str) -> Fraction:
    """An exact number: an integer, "p/q", or a hexadecimal float such as "0x1.8p+1". Decimal floats are refused."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if not isinstance(value, str):
        raise CertificateError(f"{name}: {value!r} is not exact; write an integer, 'p/q' or a hexadecimal float")
    top, slash, bottom = value.partition("/")
    denominator = _one_number(bottom, name) if slash else Fraction(1)
    require(denominator > 0, f"{name}: the denominator of {value!r} is not positive")
    return _one_number(top, name) / denominator


def _one_number(text: str, name: str) -> Fraction:
    if _INTEGER.fullmatch(text):
        require(len(text) <= 4000, f"{name}: write integers this long in hexadecimal")
        return Fraction(int(text))
    found = _HEX.fullmatch(text)
    if found is None:
        raise CertificateError(f"{name}: {text!r} is neither an integer nor a hexadecimal float")
    sign, whole, part, exponent = found.group(1), found.group(2), found.group(3) or "", int(found.group(4) or 0)
    require(abs(exponent) <= LARGEST_EXPONENT, f"{name}: the exponent of {text!r} is out of range")
    magnitude = Fraction(int(whole + part, 16)) * Fraction(2) ** (exponent - 4 * len(part))
    return -magnitude if sign == "-" else magnitude


def entry(document: dict, key: str) -> Fraction:
    """The exact number under a key."""
    return number(document.get(key), key)


def integer(document: dict, key: str) -> int:
    """The integer under a key."""
    value = entry(document, key)
    require(value.denominator == 1, f"{key}: {document[key]!r} is not an integer")
    return value.numerator


def mapping(document: dict, key: str) -> dict:
    """The object under a key, empty when there is none."""
    value = document.get(key, {})
    require(isinstance(value, dict), f"{key} is not a JSON object")
    return value


def items(document: dict, key: str, empty: bool = False) -> list:
    """The list under a key."""
    value = document.get(key)
    if not isinstance(value, list) or not (value or empty):
        raise CertificateError(f"{key} is not a {'' if empty else 'non-empty '}list")
    return value


def mappings(document: dict, key: str, length: int | None = None) -> list[dict]:
    """The list of objects under a key."""
    found = items(document, key, empty=True)
    require(all(isinstance(item, dict) for item in found), f"{key} is not a list of JSON objects")
    require(length is None or len(found) == length, f"{key} has {len(found)} entries, expected {length}")
    return found


def vector(document: dict, key: str, length: int) -> list[Fraction]:
    entries = items(document, key, empty=True)
    require(len(entries) == length, f"{key} has {len(entries)} entries, expected {length}")
    return [number(value, key) for value in entries]


def matrix(document: dict, key: str) -> Matrix:
    rows = items(document, key)
    require(all(isinstance(row, list) and row for row in rows), f"{key} is not a list of non-empty rows")
    return [vector({key: row}, key, len(rows[0])) for row in rows]


def symmetric(document: dict, key: str) -> Matrix:
    found = matrix(document, key)
    require(len(found) == len(found[0]), f"{key} is {len(found)} x {len(found[0])}, not square")
    require(found == transposed(found), f"{key} is not symmetric")
    return found


# --- products -----------------------------------------------------------------------------------------------------------


def transposed(a: Matrix) -> Matrix:
    return [list(column) for column in zip(*a, strict=True)]


def minus(a: Matrix, b: Matrix) -> Matrix:
    return [[p - q for p, q in zip(r, s, strict=True)] for r, s in zip(a, b, strict=True)]


def gram(rows: Matrix) -> Matrix:
    """R R' for the matrix with these rows; X^2 for a symmetric X."""
    return [[dot(p, q) for q in rows] for p in rows]


def dot(p: Sequence[Fraction], q: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(p, q, strict=True)), Fraction(0))


def require_gram(a: Matrix, witness: dict, name: str) -> None:
    """The matrix equals L D L' with D >= 0, entry by entry; hence x'Ax = sum_k D_k (L'x)_k^2 >= 0."""
    n, d = len(a), [number(value, "D") for value in items(witness, "D", empty=True)]
    rows = items(witness, "L")
    require(len(rows) == n, f"L has {len(rows)} rows, {name} has {n}")
    left = [vector({"row": row}, "row", len(d)) for row in rows]
    require(all(value >= 0 for value in d), "D has a negative entry")
    for i in range(n):
        scaled = [(k, d[k] * value) for k, value in enumerate(left[i]) if value and d[k]]
        for j in range(i + 1):
            product = sum((weight * left[j][k] for k, weight in scaled if left[j][k]), Fraction(0))
            require(product == a[i][j], f"L D L' differs from {name} at ({i}, {j})")


def root_trace(a: Matrix, witness: dict) -> Fraction:
    """Tr X with X^2 <= A: |X| <= sqrt(A), since the square root is operator monotone, so Tr X <= Tr |X| <= Tr sqrt(A)."""
    x = symmetric(witness, "X")
    require(len(a) == len(x), f"A is {len(a)} x {len(a)} but X is {len(x)} x {len(x)}")
    require_gram(minus(a, gram(x)), witness, "A - X^2")
    return sum((x[i][i] for i in range(len(x))), Fraction(0))


def shown(value: Fraction) -> str:
    """An exact integer, or about 17 digits for a reader; the proof has used the exact value."""
    if value.denominator == 1 and abs(value) < 10**15:
        return str(value.numerator)
    try:
        return f"{float(value):.17g}"
    except OverflowError:
        return "beyond float64"
