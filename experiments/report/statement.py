r"""A theorem's statement as HTML that wraps like text, on a telephone too, and prose with ``$math$`` and code.

A statement is one line of LaTeX display math with prose in ``\text{}``. Its top-level prose becomes ordinary text, a long
formula gets a line of its own and may break before a relation or a sum, where a printed formula would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from experiments.report.mathml import MathError, math

__all__ = ["prose", "statement"]

_SPACE = " \N{EM SPACE}"
_LONG = 30  # letters and symbols; a longer formula gets a line of its own
_TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|.", re.DOTALL)
_OPENING = {"{", r"\left", r"\begin", "(", "[", r"\{", r"\langle", r"\lVert", r"\lvert", r"\lfloor", r"\lceil"}
_CLOSING = {"}", r"\right", r"\end", ")", "]", r"\}", r"\rangle", r"\rVert", r"\rvert", r"\rfloor", r"\rceil"}
_BARS = {"|", r"\|", r"\Vert", r"\vert"}  # open and close alike: inside after an odd number of them
_RELATIONS = {
    *("=", "<", ">", r"\le", r"\leq", r"\ge", r"\geq", r"\preceq", r"\succeq", r"\prec", r"\succ"),
    *(r"\implies", r"\iff", r"\Longrightarrow", r"\Rightarrow", r"\approx", r"\coloneqq"),
}


def statement(latex: str) -> str:
    r"""HTML of a theorem's statement: its top-level ``\text{}`` as prose, its formulas as MathML.  Raises MathError."""
    parts: list[str] = []
    for kind, content in _pieces(latex):
        if kind == "text":
            parts.append(prose(_unescaped(content)))
        elif kind == "break":
            parts.append("<br>")
        elif kind == "space":
            parts.append(" " if not parts or parts[-1].endswith("</span>") else _SPACE)
        elif content.strip():
            parts.append(_formula(content))
    return "".join(parts)


def prose(text: str) -> str:
    r"""HTML of plain text in which ``$...$`` is mathematics, backticks enclose code and ``\emph{}`` stresses.

    Raises MathError for any other LaTeX outside the dollars.
    """
    pieces = re.split(r"\$([^$]+)\$", text)
    return "".join(math(piece) if i % 2 else _plain(piece) for i, piece in enumerate(pieces))


def _formula(latex: str) -> str:
    """A short formula inside the line, a long one on its own line in pieces that may wrap."""
    if _length(latex) <= _LONG:
        return math(latex)
    wrapped = [part for clause in _cut(latex, _RELATIONS) for part in _terms(clause)]
    return f'<span class="display">{"<wbr>".join(math(part) for part in wrapped)}</span>'


def _terms(clause: str) -> list[str]:
    """One side of a relation, cut before its top-level sums when it is long."""
    return list(_cut(clause, {"+", "-"})) if _length(clause) > _LONG else [clause]


def _cut(latex: str, marks: set[str]) -> Iterator[str]:
    """The formula cut before each of the `marks` that stands between two top-level terms."""
    start, inside, before = 0, False, ""
    for token, position, depth in _tokens(latex):
        inside ^= token in _BARS and depth == 0
        between = depth == 0 and not inside and before not in ("", "^", "_", *_RELATIONS)
        if token in marks and between:
            yield latex[start:position]
            start = position
        before = before if token.isspace() else token
    yield latex[start:]


def _pieces(latex: str) -> Iterator[tuple[str, str]]:
    r"""The statement cut at its top level: ("text", prose), ("math", LaTeX), ("break", "") for ``\\`` and ("space", "").

    Nothing inside brackets, ``\left...\right`` or an environment is cut; a wide space elsewhere separates formulas.
    """
    start = 0
    for token, position, depth in _tokens(latex):
        if position < start or depth or token not in (r"\text", r"\\", r"\quad", r"\qquad"):
            continue
        yield "math", latex[start:position]
        start = position + len(token)
        if token == r"\text":
            end = _argument_end(latex, start)
            yield "text", latex[start:end].strip()[1:-1]
            start = end
        elif token == r"\\":
            yield "break", ""
        else:
            yield "space", ""
    yield "math", latex[start:]


def _tokens(latex: str) -> Iterator[tuple[str, int, int]]:
    """Commands and characters with their position and the number of brackets open around them."""
    depth = 0
    for found in _TOKEN.finditer(latex):
        token = found.group()
        depth -= token in _CLOSING
        yield token, found.start(), max(depth, 0)
        depth += token in _OPENING


def _argument_end(latex: str, start: int) -> int:
    """The position after the braced argument that begins at `start`.  Raises MathError when it is never closed."""
    depth = 0
    for found in _TOKEN.finditer(latex, start):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth == 0 and found.group() == "}":
            return found.end()
    raise MathError(f"{latex!r}: the brace after \\text is never closed")


def _plain(text: str) -> str:
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    html = re.sub(r"\\(?:emph|textit)\{([^{}]*)\}", r"<em>\1</em>", html)
    if "\\" in html:
        raise MathError(f"{text!r} is prose with LaTeX in it: only $math$, `code` and \\emph{{}} are known there")
    return html


def _unescaped(text: str) -> str:
    r"""Prose of ``\text{}`` without LaTeX's escapes."""
    return re.sub(r"\\([%&_#{}])", r"\1", text).replace("~", "\N{NO-BREAK SPACE}").replace("--", "\N{EN DASH}")


def _length(latex: str) -> int:
    """How wide a formula is, roughly: letters, with every command as one and no layout."""
    return len(re.sub(r"\\[a-zA-Z]+\s*|[{}^_\s]", lambda found: "x" if found[0].startswith("\\") else "", latex))
