r"""Proofs in exact arithmetic of statements about floating-point data, written as JSON that a stranger can re-check.

A certificate holds a claim, exact inputs (floats as they are in memory), a witness that makes the claim a matter of
multiplication, the method and the version of the checker. ``python -m theory.check`` reads it with the standard library.

* ``psd``: \(A = L D L^\top\), \(D \ge 0\); ``not_psd``: \(x^\top A x < 0\); ``loewner``: \(B - A \succeq 0\).
* ``trace_sqrt_lower``: \(X^2 \preceq A \Rightarrow \operatorname{Tr} X \le \operatorname{Tr} A^{1/2}\).
* ``nuclear_norm_lower``: \(W^\top W \preceq I \Rightarrow \langle W, B \rangle \le \|B\|_*
  = \operatorname{Tr} (B B^\top)^{1/2}\).
* ``inequality``: \(\sum_i c_i v_i \le b\), where a \(v_i\) may be a proved lower bound if \(c_i \le 0\).

The checker knows one more claim, ``regret``, which `regret.theorems.rigorous` writes.

Source: derived here; Löwner's theorem for the operator monotonicity of the square root.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from theory.rational import (
    Factors,
    Indefinite,
    Matrix,
    exact,
    exact_matrix,
    exact_symmetric,
    ldlt,
    matmul,
    quadratic_form,
    subtract,
    trace,
    transpose,
)
from theory.verified_cholesky import is_certainly_psd, smallest_eigenvalue_bound
from theory.witness import contractions, roots_below

__all__ = [
    "Certificate",
    "NotCertified",
    "all_of",
    "inequality",
    "is_certainly_psd",
    "loewner",
    "not_psd",
    "nuclear_norm_lower",
    "psd",
    "root_witness",
    "smallest_eigenvalue_bound",
    "trace_sqrt_lower",
]

FORMAT = "theory-certificate/1"
Array = Any


class NotCertified(ValueError):
    """The claim is false, or the search for a witness gave up; the message says which."""


@dataclass(frozen=True)
class Certificate:
    """A claim with exact inputs and a witness, both JSON-able; `method` says how the witness was found."""

    claim: str
    inputs: Mapping[str, Any]
    witness: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""
    verifier: str = FORMAT

    def to_json(self) -> str:
        """The JSON that ``theory.check`` reads."""
        return json.dumps(self._document(), indent=1)

    def save(self, path: str | Path) -> Path:
        """Write the JSON to a file and return its path."""
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")
        return Path(path)

    def _document(self) -> dict[str, Any]:
        return {
            "format": self.verifier,
            "claim": self.claim,
            "method": self.method,
            "inputs": dict(self.inputs),
            "witness": dict(self.witness),
        }


def psd(
    A: Array,  # (n, n) exactly symmetric
) -> Certificate:
    """A is positive semidefinite. Raises NotCertified when it is not."""
    matrix = exact_symmetric(A)
    return Certificate("psd", {"A": _shown(matrix)}, _gram_witness(matrix, "A"), "exact LDL'")


def not_psd(
    A: Array,  # (n, n) exactly symmetric
) -> Certificate:
    """A is not positive semidefinite, with a vector of negative curvature. Raises NotCertified when A is semidefinite."""
    matrix = exact_symmetric(A)
    outcome = ldlt(matrix)
    if not isinstance(outcome, Indefinite):
        raise NotCertified("A is positive semidefinite")
    x = _simplified(matrix, outcome.x)
    return Certificate("not-psd", {"A": _shown(matrix)}, {"x": [write(entry) for entry in x]}, "exact LDL'")


def loewner(
    A: Array,  # (n, n) exactly symmetric
    B: Array,  # (n, n) exactly symmetric
) -> Certificate:
    """A <= B: the exact difference B - A is positive semidefinite. Raises NotCertified when it is not."""
    a, b = exact_symmetric(A), exact_symmetric(B)
    witness = _gram_witness(subtract(b, a), "B - A")
    return Certificate("loewner", {"A": _shown(a), "B": _shown(b)}, witness, "exact LDL' of the exact difference")


def trace_sqrt_lower(
    A: Array,  # (n, n) exactly symmetric, positive semidefinite
    value: Fraction | float | None = None,
) -> Certificate:
    """Tr A^(1/2) >= value; without `value` the best one found, a little below the truth (more so for ill-conditioned A).

    Raises NotCertified when A is not positive semidefinite, or when no witness reaches `value`.
    """
    a = exact_symmetric(A)
    found, witness = root_witness(a)
    inputs = {"A": _shown(a), "value": write(_reached(found, value))}
    return Certificate("trace-sqrt-lower", inputs, witness, "shrunk float root")


def root_witness(
    a: Matrix,  # (n, n) symmetric
) -> tuple[Fraction, dict[str, Any]]:
    """Tr X for a symmetric X with X^2 <= A, close to Tr A^(1/2), and the witness of that: X and the factors of A - X^2.

    Raises NotCertified when A is not positive semidefinite, or when no X was found.
    """
    spectrum = ldlt(a)
    if isinstance(spectrum, Indefinite):
        raise NotCertified("A is not positive semidefinite, so it has no square root")
    for X in roots_below(a, rank=len(spectrum.D)):
        factors = ldlt(subtract(a, matmul(X, X)))
        if isinstance(factors, Factors):
            return trace(X), {"X": _shown(X), **_written(factors)}
    raise NotCertified("no float square root, however shrunk, has its square below A")


def nuclear_norm_lower(
    B: Array,  # (m, n); for gradients stacked as columns |B|_* = Tr (sum g g')^(1/2)
    value: Fraction | float | None = None,
) -> Certificate:
    """|B|_* >= value; without `value` the best one found, about 1e-15 relative below the truth for every rank.

    Raises NotCertified when no witness reaches `value`.
    """
    b = exact_matrix(B)
    for W in contractions(b):
        small = transpose(W) if len(W) >= len(W[0]) else W
        identity = [[Fraction(i == j) for j in range(len(small))] for i in range(len(small))]
        factors = ldlt(subtract(identity, matmul(small, transpose(small))))
        if isinstance(factors, Factors):
            inner = sum((p * q for r, s in zip(W, b, strict=True) for p, q in zip(r, s, strict=True)), Fraction(0))
            inputs = {"B": _shown(b), "value": write(_reached(inner, value))}
            return Certificate(
                "nuclear-norm-lower", inputs, {"W": _shown(W), **_written(factors)}, "shrunk float polar factor"
            )
    raise NotCertified("no shrunk float polar factor is a contraction")


def inequality(
    terms: Iterable[tuple[str, Fraction | float, Fraction | float]],  # (name, coefficient, value)
    bound: Fraction | float,
    facts: Mapping[str, Certificate] | None = None,
) -> Certificate:
    """sum of coefficient * value <= bound. A fact is a certificate of a lower bound for the quantity with its name.

    Raises NotCertified when the exact sum exceeds the bound.
    """
    rows = [(name, exact(coefficient), exact(value)) for name, coefficient, value in terms]
    total = sum((coefficient * value for _, coefficient, value in rows), Fraction(0))
    if total > exact(bound):
        raise NotCertified(f"the terms sum to {float(total):.17g}, above the bound {float(bound):.17g}")
    inputs = {
        "terms": [{"name": name, "coefficient": write(c), "value": write(v)} for name, c, v in rows],
        "bound": write(exact(bound)),
    }
    proofs = {name: certificate._document() for name, certificate in (facts or {}).items()}
    return Certificate("inequality", inputs, {"facts": proofs}, "exact sum")


def all_of(parts: Sequence[Certificate]) -> Certificate:
    """Every part, as one certificate. Raises ValueError when there is none."""
    if not parts:
        raise ValueError("an empty list of certificates proves nothing")
    return Certificate("all", {"parts": [part._document() for part in parts]}, {}, "each part")


def write(number: Fraction) -> str | int:
    """An exact number as JSON: an integer, a hexadecimal float where one exists, else "p/q" in hexadecimal."""
    if number.denominator == 1 and abs(number) < 1 << 53:
        return number.numerator
    try:
        rounded = float(number)
    except OverflowError:
        rounded = 0.0
    if Fraction(rounded) == number:
        return rounded.hex()
    return f"{hex(number.numerator)}/{hex(number.denominator)}"


def _shown(matrix: Matrix) -> list[list[str | int]]:
    return [[write(entry) for entry in row] for row in matrix]


def _written(factors: Factors) -> dict[str, Any]:
    return {"L": _shown(factors.L), "D": [write(entry) for entry in factors.D]}


def _gram_witness(matrix: Matrix, name: str) -> dict[str, Any]:
    factors = ldlt(matrix)
    if isinstance(factors, Indefinite):
        curvature = quadratic_form(matrix, factors.x) / sum(entry * entry for entry in factors.x)
        raise NotCertified(f"{name} is not positive semidefinite: x'Ax / x'x = {float(curvature):.3g} for some x")
    return _written(factors)


def _simplified(matrix: Matrix, x: list[Fraction]) -> list[Fraction]:
    """The same direction with float entries, if it still has negative curvature."""
    top = max(abs(entry) for entry in x)
    rounded = [Fraction(float(entry / top)) for entry in x]
    return rounded if quadratic_form(matrix, rounded) < 0 else x


def _reached(found: Fraction, value: Fraction | float | None) -> Fraction:
    """The claimed value: the given one if it is reached, else the largest float that is."""
    if value is not None and exact(value) > found:
        raise NotCertified(f"the best witness reaches {float(found):.17g}, below {float(value):.17g}")
    if value is not None:
        return exact(value)
    nearest = float(found)
    return Fraction(nearest if Fraction(nearest) <= found else math.nextafter(nearest, -math.inf))
