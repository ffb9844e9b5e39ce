r"""LaTeX formulas as MathML, which browsers show without any script.

``latex2mathml`` converts; this module works around what it leaves undone (delimiters after ``\Bigl``, ``aligned``,
relations that arrive as letters) and around what browsers do not implement of it: MathML Core,
<https://www.w3.org/TR/mathml-core/>, knows no ``mathvariant`` but "normal", so that script, bold and blackboard letters
become the Unicode letters that look so.
"""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree as ET

__all__ = ["MathError", "math"]

_TIGHT = {"|", "/", *"\N{DOUBLE VERTICAL LINE}\N{MATHEMATICAL LEFT ANGLE BRACKET}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"}
_OBJECTS = {"\N{INFINITY}", "\N{EMPTY SET}"}  # symbols that are no operators, and arrive as such
_LIMITS = {"min", "max", "sup", "inf", "argmin", "argmax", "lim"}  # their subscript stands below
_SCRIPTS = ("msub", "msup", "msubsup")
_SPACES = {"thinmathspace": "0.167em", "mediummathspace": "0.222em", "thickmathspace": "0.278em"}
_VARIANTS = {
    "script": "SCRIPT",
    "bold": "BOLD",
    "bold-italic": "BOLD ITALIC",
    "double-struck": "DOUBLE-STRUCK",
    "fraktur": "FRAKTUR",
    "sans-serif": "SANS-SERIF",
    "monospace": "MONOSPACE",
}
_DELIMITERS = {
    r"\|": "\N{DOUBLE VERTICAL LINE}",
    r"\Vert": "\N{DOUBLE VERTICAL LINE}",
    r"\lVert": "\N{DOUBLE VERTICAL LINE}",
    r"\rVert": "\N{DOUBLE VERTICAL LINE}",
    r"\vert": "|",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\langle": "\N{MATHEMATICAL LEFT ANGLE BRACKET}",
    r"\rangle": "\N{MATHEMATICAL RIGHT ANGLE BRACKET}",
    r"\lfloor": "\N{LEFT FLOOR}",
    r"\rfloor": "\N{RIGHT FLOOR}",
    r"\lceil": "\N{LEFT CEILING}",
    r"\rceil": "\N{RIGHT CEILING}",
    r"\{": "{",
    r"\}": "}",
}
_BIG = re.compile(r"(\\[bB]igg?[lrm]?)\s*(\\[a-zA-Z]+|\\[|{}])")


class MathError(ValueError):
    """LaTeX that cannot be shown as mathematics; the message holds the LaTeX and what is wrong with it."""


def math(latex: str) -> str:
    """A ``<math>`` element that flows with the text around it, its operators as tall as on a line of their own.

    Raises MathError for LaTeX that `latex2mathml` does not know.
    """
    from latex2mathml.converter import convert

    try:
        text = convert(_prepared(latex), display="block")  # "block" puts the limits of a sum above and below
        root = ET.fromstring(re.sub(' xmlns="[^"]*"', "", text, count=1))  # HTML needs no namespace
    except Exception as error:  # the converter raises a dozen unrelated types
        raise MathError(f"{latex!r} has no MathML: {type(error).__name__} {error}") from error
    for element in root.iter():
        _repair(element)
    left = sorted({word for element in root.iter() for word in re.findall(r"\\\S*|\$", element.text or "")})
    if left:
        raise MathError(f"{latex!r} has no MathML: latex2mathml does not know {', '.join(left)}")
    root.attrib = {"displaystyle": "true"}
    _infix_first(root)
    return ET.tostring(root, encoding="unicode")


def _prepared(latex: str) -> str:
    """The same LaTeX in words that latex2mathml knows."""
    latex = _BIG.sub(lambda found: found[1] + _DELIMITERS.get(found[2], found[2]), latex)
    return re.sub(r"\\(begin|end)\{aligned\}", r"\\\1{align*}", latex)


def _repair(element: ET.Element) -> None:
    """Rewrite, in place, what MathML Core does not know."""
    variant = element.attrib.get("mathvariant")
    if variant in _VARIANTS:
        del element.attrib["mathvariant"]
        element.text = "".join(_letter(letter, variant) for letter in element.text or "")
    if element.text in _OBJECTS:
        element.tag = "mi"
    elif element.tag == "mi" and _is_operator(element.text or ""):
        element.tag = "mo"
        element.attrib.setdefault("stretchy", "false")
    if element.text in _TIGHT:  # an infix bar would get the spaces of a relation
        element.attrib |= {"lspace": "0", "rspace": "0"}
    if element.attrib.get("width") in _SPACES:
        element.attrib["width"] = _SPACES[element.attrib["width"]]
    if element.tag in _SCRIPTS:
        _repair_scripts(element)
    for before, child, after in zip([None, *element], element, [*element[1:], None], strict=False):
        _space_name(before, child, after)


def _repair_scripts(element: ET.Element) -> None:
    for script in element[1:]:  # a star alone in a superscript would get the spaces of a product
        lone = script[0] if len(script) == 1 else script
        if lone.tag == "mo":
            lone.attrib |= {"lspace": "0", "rspace": "0"}
    if element.tag == "msub" and element[0].text in _LIMITS:
        element.tag = "munder"
    if "minsize" in element[0].attrib:  # Chromium drops a tall bracket that carries a script, unless it is in a row
        row = ET.Element("mrow")
        row.extend([element[0], ET.Element("mspace", width="0")])
        element[0] = row


def _space_name(before: ET.Element | None, child: ET.Element, after: ET.Element | None) -> None:
    """A named operator such as Tr: a thin space towards letters, none towards signs and brackets, as in TeX."""
    core = child[0] if child.tag in (*_SCRIPTS, "munder") and len(child) else child
    if core.tag == "mo" and len(core.text or "") > 1 and (core.text or "").isalpha():
        core.attrib["lspace"] = "0" if before is None or before.tag == "mo" else "0.167em"
        core.attrib["rspace"] = "0" if after is None or after.tag == "mo" else "0.167em"


def _infix_first(root: ET.Element) -> None:
    """A formula that begins with an operation continues one: the operation keeps the spaces it has between terms."""
    row = root[0] if len(root) else root
    if len(row) > 1 and row[0].tag == "mo" and row[0].text in ("+", "\N{MINUS SIGN}"):
        row[0].attrib["form"] = "infix"


def _is_operator(text: str) -> bool:
    """Whether one character is a relation, an operation or a bracket."""
    return len(text) == 1 and unicodedata.category(text) in ("Sm", "Ps", "Pe")


def _letter(letter: str, variant: str) -> str:
    """The Unicode mathematical letter of a variant, or the letter itself where there is none."""
    name = f"{_VARIANTS[variant]} {'CAPITAL' if letter.isupper() else 'SMALL'} {letter.upper()}"
    for prefix in ("", "MATHEMATICAL "):
        try:
            return unicodedata.lookup(prefix + name)
        except KeyError:
            continue
    return letter
