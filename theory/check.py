r"""The independent checker of certificates: standard library, exact rational arithmetic, no code shared with the producer.

A certificate is a JSON file that states a claim about exact numbers and brings a witness. The checker never searches
and never rounds: it multiplies the witness out and compares fractions. Run it as ``python -m theory.check FILE.json``.

Source: derived here; each rule has its one-line proof at its function.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from theory.check_numbers import (
    CertificateError,
    dot,
    entry,
    gram,
    items,
    mapping,
    matrix,
    minus,
    number,
    require,
    require_gram,
    root_trace,
    shown,
    symmetric,
    transposed,
    vector,
)
from theory.check_regret import regret
from theory.check_smoothness import smoothness_lower, smoothness_upper

__all__ = ["FORMAT", "RULES", "CertificateError", "check", "main", "number"]

FORMAT = "theory-certificate/1"


def check(document: Any) -> str:
    """What a certificate (decoded JSON) proves, in one sentence. Raises CertificateError when it proves nothing."""
    if not isinstance(document, dict):
        raise CertificateError(f"a certificate is a JSON object, not {type(document).__name__}")
    if document.get("format") != FORMAT:
        raise CertificateError(f"the format is {document.get('format')!r}, this checker reads {FORMAT!r}")
    claim = document.get("claim")
    if not isinstance(claim, str) or claim not in RULES:
        raise CertificateError(f"the claim is {claim!r}, this checker knows {', '.join(RULES)}")
    return RULES[claim](mapping(document, "inputs"), mapping(document, "witness"))


def _psd(inputs: dict, witness: dict) -> str:
    """A = L D L' with D >= 0 gives x'Ax = sum_k D_k (L'x)_k^2 >= 0; L may be any matrix."""
    a = symmetric(inputs, "A")
    require_gram(a, witness, "A")
    return f"A ({len(a)} x {len(a)}) is positive semidefinite"


def _not_psd(inputs: dict, witness: dict) -> str:
    """One vector with x'Ax < 0."""
    a, x = symmetric(inputs, "A"), vector(witness, "x", len(inputs["A"]))
    value = sum((x[i] * a[i][j] * x[j] for i in range(len(a)) for j in range(len(a))), Fraction(0))
    if value >= 0:
        raise CertificateError(f"x'Ax = {shown(value)} is not negative")
    return f"A ({len(a)} x {len(a)}) is not positive semidefinite: x'Ax / x'x = {shown(value / dot(x, x))}"


def _loewner(inputs: dict, witness: dict) -> str:
    """A <= B means that B - A is positive semidefinite."""
    a, b = symmetric(inputs, "A"), symmetric(inputs, "B")
    require(len(a) == len(b), f"A is {len(a)} x {len(a)} but B is {len(b)} x {len(b)}")
    require_gram(minus(b, a), witness, "B - A")
    return f"A <= B in the Loewner order ({len(a)} x {len(a)})"


def _trace_sqrt_lower(inputs: dict, witness: dict) -> str:
    """X^2 <= A, so Tr X <= Tr sqrt(A)."""
    a, value = symmetric(inputs, "A"), entry(inputs, "value")
    trace = root_trace(a, witness)
    require(trace >= value, f"Tr X = {shown(trace)} is below the claimed {shown(value)}")
    return f"Tr sqrt(A) >= {shown(value)} ({len(a)} x {len(a)})"


def _nuclear_norm_lower(inputs: dict, witness: dict) -> str:
    """I - W'W >= 0 means |W|_op <= 1, so <W, B> <= |B|_* by duality (and |B|_* = Tr sqrt(BB'))."""
    b, w, value = matrix(inputs, "B"), matrix(witness, "W"), entry(inputs, "value")
    require((len(b), len(b[0])) == (len(w), len(w[0])), "B and W differ in shape")
    columns = transposed(w) if len(w) >= len(w[0]) else w  # W'W and WW' have the same norm: take the smaller
    identity = [[Fraction(i == j) for j in range(len(columns))] for i in range(len(columns))]
    require_gram(minus(identity, gram(columns)), witness, "I - W'W")
    inner = sum((dot(p, q) for p, q in zip(b, w, strict=True)), Fraction(0))
    require(inner >= value, f"<W, B> = {shown(inner)} is below the claimed {shown(value)}")
    return f"|B|_* = Tr sqrt(BB') >= {shown(value)} ({len(b)} x {len(b[0])})"


def _inequality(inputs: dict, witness: dict) -> str:
    """Sum of coefficient * value <= bound. A proved lower bound may stand for its quantity only with coefficient <= 0."""
    facts = mapping(witness, "facts")
    total, words, used = Fraction(0), [], set()
    for term in items(inputs, "terms"):
        require(isinstance(term, dict), "a term is an object with name, coefficient and value")
        name, value = term.get("name"), entry(term, "value")
        require(isinstance(name, str), f"the name of a term is {name!r}, not a string")
        coefficient = number(term.get("coefficient", 1), "coefficient")
        if name in facts:
            _require_fact(facts[name], name, coefficient, value)
            used.add(name)
        total += coefficient * value
        words.append(f"({shown(coefficient)}) {name}")
    bound = entry(inputs, "bound")
    require(total <= bound, f"the terms sum to {shown(total)}, above the bound {shown(bound)}")
    require(used == set(facts), f"facts without a term: {sorted(set(facts) - used)}")
    where = "".join(f"; {name}: {check(fact)}" for name, fact in facts.items())
    return f"{' + '.join(words)} <= {shown(bound)}{where}"


def _all(inputs: dict, witness: dict) -> str:
    """Every part on its own."""
    statements = Counter(check(part) for part in items(inputs, "parts"))
    return "; ".join(f"{times} times: {text}" if times > 1 else text for text, times in statements.items())


RULES: dict[str, Callable[[dict, dict], str]] = {
    "psd": _psd,
    "not-psd": _not_psd,
    "loewner": _loewner,
    "trace-sqrt-lower": _trace_sqrt_lower,
    "nuclear-norm-lower": _nuclear_norm_lower,
    "inequality": _inequality,
    "regret": regret,
    "smoothness-upper": smoothness_upper,
    "smoothness-lower": smoothness_lower,
    "all": _all,
}


def _require_fact(fact: Any, name: str, coefficient: Fraction, value: Fraction) -> None:
    """A fact proves a lower bound of exactly this value, and enters on the side where a lower bound helps."""
    check(fact)
    require(fact["claim"] in ("trace-sqrt-lower", "nuclear-norm-lower"), f"{name}: {fact['claim']} bounds no quantity")
    require(entry(fact["inputs"], "value") == value, f"{name}: the term's value is not the one that is proved")
    require(coefficient <= 0, f"{name}: a lower bound needs a coefficient <= 0, not {shown(coefficient)}")


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
  regret              the regret of recorded iterates    both sides at every horizon, from iterates and
                      and gradients is at most a bound   gradients; theory/check_regret.py states it
  smoothness-upper    Lambda <= value for matrices and   H from one number per label, H - A = L D L',
                      a structure given by labels        D >= 0, Tr H <= value
  smoothness-lower    Lambda >= value                    I - E(sum W W') = L D L', D >= 0,
                                                         sum <A, W W'> >= value
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
    require(len(document) == len(pairs), "a key occurs twice in one object")
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
