r"""The independent checker of certificates: standard library, exact rational arithmetic, no code shared with the producer.

A certificate is a JSON file that states a claim about exact numbers and brings a witness. The checker never searches
and never rounds: it multiplies the witness out and compares fractions. Run it as ``python -m theory.check FILE.json``.

Source: derived here; each rule has its one-line proof at its function.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

FORMAT = "theory-certificate/1"
LARGEST_EXPONENT = 1 << 15  # binary exponents beyond float64's range have no use and would fill the memory

Matrix = list[list[Fraction]]

_HEX = re.compile(r"([+-]?)0x([0-9a-f]+)(?:\.([0-9a-f]*))?(?:p([+-]?\d{1,6}))?", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d+")


class CertificateError(ValueError):
    """The certificate does not prove its claim; the message says which step fails."""


def check(document: Any) -> str:
    """What a certificate (decoded JSON) proves, in one sentence. Raises CertificateError when it proves nothing."""
    if not isinstance(document, dict):
        raise CertificateError(f"a certificate is a JSON object, not {type(document).__name__}")
    if document.get("format") != FORMAT:
        raise CertificateError(f"the format is {document.get('format')!r}, this checker reads {FORMAT!r}")
    claim = document.get("claim")
    if claim not in RULES:
        raise CertificateError(f"the claim is {claim!r}, this checker knows {', '.join(RULES)}")
    return RULES[claim](_object(document, "inputs"), _object(document, "witness"))


def _psd(inputs: dict, witness: dict) -> str:
    """A = L D L' with D >= 0 gives x'Ax = sum_k D_k (L'x)_k^2 >= 0; L may be any matrix."""
    a = _symmetric(inputs, "A")
    _require_gram(a, witness, "A")
    return f"A ({len(a)} x {len(a)}) is positive semidefinite"


def _not_psd(inputs: dict, witness: dict) -> str:
    """One vector with x'Ax < 0."""
    a, x = _symmetric(inputs, "A"), _vector(witness, "x", len(inputs["A"]))
    value = sum((x[i] * a[i][j] * x[j] for i in range(len(a)) for j in range(len(a))), Fraction(0))
    if value >= 0:
        raise CertificateError(f"x'Ax = {_shown(value)} is not negative")
    return f"A ({len(a)} x {len(a)}) is not positive semidefinite: x'Ax / x'x = {_shown(value / _dot(x, x))}"


def _loewner(inputs: dict, witness: dict) -> str:
    """A <= B means that B - A is positive semidefinite."""
    a, b = _symmetric(inputs, "A"), _symmetric(inputs, "B")
    _require(len(a) == len(b), f"A is {len(a)} x {len(a)} but B is {len(b)} x {len(b)}")
    _require_gram(_minus(b, a), witness, "B - A")
    return f"A <= B in the Loewner order ({len(a)} x {len(a)})"


def _trace_sqrt_lower(inputs: dict, witness: dict) -> str:
    """X^2 <= A gives |X| <= sqrt(A), since the square root is operator monotone, so Tr X <= Tr |X| <= Tr sqrt(A)."""
    a, x, value = _symmetric(inputs, "A"), _symmetric(witness, "X"), _number(inputs.get("value"), "value")
    _require(len(a) == len(x), f"A is {len(a)} x {len(a)} but X is {len(x)} x {len(x)}")
    _require_gram(_minus(a, _gram(x)), witness, "A - X^2")
    trace = sum((x[i][i] for i in range(len(x))), Fraction(0))
    _require(trace >= value, f"Tr X = {_shown(trace)} is below the claimed {_shown(value)}")
    return f"Tr sqrt(A) >= {_shown(value)} ({len(a)} x {len(a)})"


def _nuclear_norm_lower(inputs: dict, witness: dict) -> str:
    """I - W'W >= 0 means |W|_op <= 1, so <W, B> <= |B|_* by duality (and |B|_* = Tr sqrt(BB'))."""
    b, w, value = _matrix(inputs, "B"), _matrix(witness, "W"), _number(inputs.get("value"), "value")
    _require((len(b), len(b[0])) == (len(w), len(w[0])), "B and W differ in shape")
    columns = _transposed(w) if len(w) >= len(w[0]) else w  # W'W and WW' have the same norm: take the smaller
    identity = [[Fraction(i == j) for j in range(len(columns))] for i in range(len(columns))]
    _require_gram(_minus(identity, _gram(columns)), witness, "I - W'W")
    inner = sum((_dot(p, q) for p, q in zip(b, w, strict=True)), Fraction(0))
    _require(inner >= value, f"<W, B> = {_shown(inner)} is below the claimed {_shown(value)}")
    return f"|B|_* = Tr sqrt(BB') >= {_shown(value)} ({len(b)} x {len(b[0])})"


def _inequality(inputs: dict, witness: dict) -> str:
    """Sum of coefficient * value <= bound. A proved lower bound may stand for its quantity only with coefficient <= 0."""
    facts = _object(witness, "facts")
    total, shown, used = Fraction(0), [], set()
    for term in _list(inputs, "terms"):
        _require(isinstance(term, dict), "a term is an object with name, coefficient and value")
        name, value = str(term.get("name")), _number(term.get("value"), "value")
        coefficient = _number(term.get("coefficient", 1), "coefficient")
        if name in facts:
            _require_fact(facts[name], name, coefficient, value)
            used.add(name)
        total += coefficient * value
        shown.append(f"({_shown(coefficient)}) {name}")
    bound = _number(inputs.get("bound"), "bound")
    _require(total <= bound, f"the terms sum to {_shown(total)}, above the bound {_shown(bound)}")
    _require(used == set(facts), f"facts without a term: {sorted(set(facts) - used)}")
    where = "".join(f"; {name}: {check(fact)}" for name, fact in facts.items())
    return f"{' + '.join(shown)} <= {_shown(bound)}{where}"


def _all(inputs: dict, witness: dict) -> str:
    """Every part on its own."""
    return "; ".join(check(part) for part in _list(inputs, "parts"))


RULES: dict[str, Callable[[dict, dict], str]] = {
    "psd": _psd,
    "not-psd": _not_psd,
    "loewner": _loewner,
    "trace-sqrt-lower": _trace_sqrt_lower,
    "nuclear-norm-lower": _nuclear_norm_lower,
    "inequality": _inequality,
    "all": _all,
}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise CertificateError(message)


def _require_fact(fact: Any, name: str, coefficient: Fraction, value: Fraction) -> None:
    """A fact proves a lower bound of exactly this value, and enters on the side where a lower bound helps."""
    check(fact)
    _require(fact["claim"] in ("trace-sqrt-lower", "nuclear-norm-lower"), f"{name}: {fact['claim']} bounds no quantity")
    _require(
        _number(fact["inputs"]["value"], "value") == value, f"{name}: the term's value is not the one that is proved"
    )
    _require(coefficient <= 0, f"{name}: a lower bound needs a coefficient <= 0, not {_shown(coefficient)}")


def _require_gram(matrix: Matrix, witness: dict, name: str) -> None:
    """The matrix equals L D L' with D >= 0, entry by entry."""
    n, d = len(matrix), [_number(entry, "D") for entry in _list(witness, "D", empty=True)]
    rows = _list(witness, "L")
    _require(len(rows) == n, f"L has {len(rows)} rows, {name} has {n}")
    left = [_vector({"row": row}, "row", len(d)) for row in rows]
    _require(all(entry >= 0 for entry in d), "D has a negative entry")
    for i in range(n):
        scaled = [(k, d[k] * entry) for k, entry in enumerate(left[i]) if entry and d[k]]
        for j in range(i + 1):
            product = sum((weight * left[j][k] for k, weight in scaled if left[j][k]), Fraction(0))
            _require(product == matrix[i][j], f"L D L' differs from {name} at ({i}, {j})")


def _number(value: Any, name: str) -> Fraction:
    """An exact number: an integer, "p/q", or a hexadecimal float such as "0x1.8p+1". Decimal floats are refused."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if not isinstance(value, str):
        raise CertificateError(f"{name}: {value!r} is not exact; write an integer, 'p/q' or a hexadecimal float")
    top, slash, bottom = value.partition("/")
    denominator = _one_number(bottom, name) if slash else Fraction(1)
    _require(denominator > 0, f"{name}: the denominator of {value!r} is not positive")
    return _one_number(top, name) / denominator


def _one_number(text: str, name: str) -> Fraction:
    if _INTEGER.fullmatch(text):
        _require(len(text) <= 4000, f"{name}: write integers this long in hexadecimal")
        return Fraction(int(text))
    found = _HEX.fullmatch(text)
    if found is None:
        raise CertificateError(f"{name}: {text!r} is neither an integer nor a hexadecimal float")
    sign, whole, part, exponent = found.group(1), found.group(2), found.group(3) or "", int(found.group(4) or 0)
    _require(abs(exponent) <= LARGEST_EXPONENT, f"{name}: the exponent of {text!r} is out of range")
    magnitude = Fraction(int(whole + part, 16)) * Fraction(2) ** (exponent - 4 * len(part))
    return -magnitude if sign == "-" else magnitude


def _object(document: dict, key: str) -> dict:
    value = document.get(key, {})
    _require(isinstance(value, dict), f"{key} is not a JSON object")
    return value


def _list(document: dict, key: str, empty: bool = False) -> list:
    value = document.get(key)
    if not isinstance(value, list) or not (value or empty):
        raise CertificateError(f"{key} is not a {'' if empty else 'non-empty '}list")
    return value


def _vector(document: dict, key: str, length: int) -> list[Fraction]:
    entries = _list(document, key, empty=True)
    _require(len(entries) == length, f"{key} has {len(entries)} entries, expected {length}")
    return [_number(entry, key) for entry in entries]


def _matrix(document: dict, key: str) -> Matrix:
    rows = _list(document, key)
    _require(all(isinstance(row, list) and row for row in rows), f"{key} is not a list of non-empty rows")
    return [_vector({key: row}, key, len(rows[0])) for row in rows]


def _symmetric(document: dict, key: str) -> Matrix:
    matrix = _matrix(document, key)
    _require(len(matrix) == len(matrix[0]), f"{key} is {len(matrix)} x {len(matrix[0])}, not square")
    _require(matrix == _transposed(matrix), f"{key} is not symmetric")
    return matrix


def _transposed(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def _minus(a: Matrix, b: Matrix) -> Matrix:
    return [[p - q for p, q in zip(r, s, strict=True)] for r, s in zip(a, b, strict=True)]


def _gram(rows: Matrix) -> Matrix:
    """R R' for the matrix with these rows; X^2 for a symmetric X."""
    return [[_dot(p, q) for q in rows] for p in rows]


def _dot(p: Sequence[Fraction], q: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(p, q, strict=True)), Fraction(0))


def _shown(value: Fraction) -> str:
    """An exact integer, or about 17 digits for a reader; the proof has used the exact value."""
    if value.denominator == 1 and abs(value) < 10**15:
        return str(value.numerator)
    try:
        return f"{float(value):.17g}"
    except OverflowError:
        return "beyond float64"


_HELP = f"""\
Re-verify certificates with exact rational arithmetic and nothing but the standard library.

A certificate is a JSON object:

  {{"format": "{FORMAT}", "claim": "psd",
   "inputs": {{"A": [["0x1p+1", -1], [-1, "1/2"]]}},
   "witness": {{"L": [[1], ["-1/2"]], "D": [2]}}}}

Numbers are exact: integers, "p/q", or hexadecimal floats (what float.hex() writes). Decimal floats are refused.

claim               what it says                       what the checker multiplies out
  psd                 A is positive semidefinite         A = L D L' with D >= 0
  not-psd             A is not positive semidefinite     x'Ax < 0
  loewner             A <= B                             B - A = L D L' with D >= 0
  trace-sqrt-lower    Tr sqrt(A) >= value                A - X^2 = L D L', D >= 0, Tr X >= value
  nuclear-norm-lower  |B|_* >= value                     I - W'W = L D L', D >= 0, <W, B> >= value
  inequality          sum coefficient * value <= bound   the sum, and the facts that prove its terms
  all                 every part                         each part
"""

_EPILOG = """\
exit status: 0 every certificate is valid, 1 one of them is not, 2 the command was used wrongly.
example: python -m theory.check proof.json other.json    or    cat proof.json | python -m theory.check -
"""


def _read(path: str) -> Any:
    """The decoded JSON of a file, or of the standard input for "-". Raises OSError, ValueError."""
    if path == "-":
        return json.load(sys.stdin, object_pairs_hook=_without_duplicates)
    with open(path, encoding="utf-8") as file:
        return json.load(file, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    _require(len(document) == len(pairs), "a key occurs twice in one object")
    return document


def _judged(path: str) -> int:
    """Print what one file proves; 0 valid, 1 invalid, 2 not readable as JSON."""
    try:
        print(f"valid    {path}: {check(_read(path))}")
    except CertificateError as error:
        print(f"invalid  {path}: {error}")
        return 1
    except (OSError, ValueError, RecursionError) as error:
        print(f"{path}: not a certificate file: {error}", file=sys.stderr)
        return 2
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m theory.check",
        description=_HELP,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE.json", help="certificate files, or - for the standard input")
    return max(_judged(path) for path in parser.parse_args(arguments).files)


if __name__ == "__main__":
    sys.exit(main())
