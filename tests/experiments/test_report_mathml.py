"""LaTeX becomes MathML that browsers know, or an error; nothing is dropped in silence."""

import re
from xml.etree import ElementTree as ET

import pytest

from experiments.report.fonts import math_faces
from experiments.report.mathml import MathError, math
from experiments.report.statement import prose, statement
from theory import registry

# https://www.w3.org/TR/mathml-core/: everything that browsers implement and that formulas are made of.
CORE = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"),
    *("munder", "mover", "munderover", "mtable", "mtr", "mtd", "mpadded", "mphantom", "mstyle", "mmultiscripts"),
}


def well_formed(html):
    return ET.fromstring(f"<div>{html.replace('<br>', '<br/>').replace('<wbr>', '<wbr/>')}</div>")


def formula(latex):
    return ET.fromstring(math(latex))


def texts(latex, tag):
    return [element.text for element in formula(latex).iter(tag)]


def test_every_registered_statement_and_assumption_becomes_well_formed_mathml_without_leftover_latex():
    for theorem in registry.theorems():
        for latex in (theorem.statement, *(assumption.statement for assumption in theorem.assumptions)):
            root = well_formed(statement(latex))
            shown = "".join(root.itertext())
            assert "\\" not in shown and "$" not in shown, f"{theorem.id}: {latex}"
            assert {element.tag for element in root.iter()} <= CORE | {"div", "span", "br", "wbr", "em", "code"}, (
                theorem.id
            )
            assert {element.get("mathvariant", "normal") for element in root.iter()} == {"normal"}, theorem.id


@pytest.mark.parametrize(
    "latex",
    [
        r"\foo{x}",
        r"\frac{1}{\foo}",
        r"a & b",
        r"\left( a",
        r"\text{open",
        r"\text{\textbf{bold} prose}",
        r"\frac{a}{\text{with $x$ inside}}",
    ],
)
def test_latex_that_is_not_known_is_an_error_that_shows_it(latex):
    with pytest.raises(MathError) as caught:
        statement(latex)
    assert latex.split("{")[0].strip() in str(caught.value).replace("\\\\", "\\")


def test_letters_in_other_alphabets_are_unicode_letters():
    assert texts(r"\mathcal H \mathbb R \mathbf x \mathfrak g \mathcal X", "mi") == list("ℋℝ𝐱𝔤𝒳")


def test_relations_and_brackets_are_operators_and_objects_are_not():
    assert texts(r"M \preceq N \implies \langle u \rangle", "mo") == ["⪯", "⟹", "⟨", "⟩"]
    assert texts(r"\infty f", "mi") == ["∞", "f"]


@pytest.mark.parametrize("bar", [r"\|", r"\Vert", r"\lVert"])
def test_big_delimiters_of_any_spelling_are_delimiters(bar):
    assert texts(rf"\Bigl{bar} x \Bigr\|", "mo") == ["‖", "‖"]


def test_aligned_lines_are_rows():
    assert len(list(formula(r"\begin{aligned} a &= b \\ &\le c \end{aligned}").iter("mtr"))) == 2


def test_limits_stand_below():
    assert [element.tag for element in formula(r"\min_{x} \sum_{t=1}^T")[0]] == ["munder", "munderover"]


def test_prose_at_the_top_level_is_text_that_wraps_and_mathematics_stays_mathematics():
    root = well_formed(statement(r"\text{For 100\% of $x_t$ and \emph{every} } T < 3"))
    outside = [root.text, *(child.tail for child in root)]
    assert "".join(filter(None, outside)).split() == ["For", "100%", "of", "and"]
    assert [child.tag for child in root] == ["math", "em", "math"]
    assert root.find("em").tail == " "


def test_nothing_is_lost_and_nothing_moves_when_a_long_formula_is_cut():
    latex = (
        r"\sum_{t=1}^T \langle g_t, x_t - u\rangle \le \bigl(a + b\bigr)|c - d| + e + f - g + j - k + l + m - n + o - p"
        r"+ q = h_+ - x^{-1} + \frac{i+j}{k} + y"
    )
    cut = well_formed(statement(latex))
    whole = "".join(formula(latex).itertext())
    pieces = ["".join(piece.itertext()) for piece in cut.find("span").iter("math")]
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", whole)
    assert len(pieces) > 6
    assert all(piece[0] in "∑≤+−=" for piece in pieces), pieces


def test_a_formula_is_not_cut_inside_brackets_or_bars():
    inside = r"\bigl(aaaaaaaaaaaaaaaaa + bbbbbbbbbbbbbbbbbbbbb = c\bigr)\|dddddddddddddd + eeeeeeeeeeeeee\|"
    assert len(list(well_formed(statement(inside)).iter("math"))) == 1


def test_a_continued_sum_keeps_the_spaces_of_a_sum():
    assert formula("+ a")[0][0].get("form") == "infix"
    assert formula("a + b")[0][1].get("form") is None


def test_prose_is_escaped():
    assert prose("a < b & `c < d`") == "a &lt; b &amp; <code>c &lt; d</code>"


def test_the_carried_font_has_the_letters_of_the_formulas():
    css = math_faces(math(r"x \in \mathcal H"))
    assert css.count("@font-face") == 2
    assert "data:font/woff;base64," in css
    assert math_faces("<p>no formula</p>") == ""
    assert len(math_faces(math("x"))) < len(css)
