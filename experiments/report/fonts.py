r"""Glyphs for the formulas of a page, carried inside it: phones and bare systems often have no mathematical font.

A device's own mathematical font comes first, because it can stretch delimiters; where there is none, these glyphs keep
a formula from falling apart into unrelated fonts. They are cut out of the STIX fonts, which come with matplotlib.
"""

from __future__ import annotations

import base64
import io
import re
import unicodedata
from pathlib import Path

__all__ = ["math_faces"]

FAMILIES = {"Carried Math": "STIXGeneral.ttf", "Carried Math Italic": "STIXGeneralItalic.ttf"}


def math_faces(html: str) -> str:
    """CSS ``@font-face`` rules with every glyph that the ``<math>`` elements of `html` use; "" without formulas."""
    letters = set(re.sub(r"<[^>]*>|\s", "", "".join(re.findall(r"<math.*?</math>", html, re.DOTALL))))
    if not letters:
        return ""
    wanted = {ord(letter) for letter in letters} | {ord(_italic(letter)) for letter in letters}
    return "\n".join(_face(family, file, wanted) for family, file in FAMILIES.items())


def _face(family: str, file: str, wanted: set[int]) -> str:
    import matplotlib as mpl
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    font = TTFont(Path(mpl.get_data_path()) / "fonts" / "ttf" / file, recalcTimestamp=False)
    options = Options(hinting=False, notdef_outline=True, layout_features=[])
    options.drop_tables += ["FFTM"]  # FontForge's time stamps
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=wanted & font.getBestCmap().keys())
    subsetter.subset(font)
    font.flavor = "woff"
    buffer = io.BytesIO()
    font.save(buffer)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'@font-face {{ font-family: "{family}"; src: url(data:font/woff;base64,{data}) format("woff"); }}'


def _italic(letter: str) -> str:
    """What a browser draws for a variable: the mathematical italic letter, where Unicode has one."""
    if letter == "h":
        return "\N{PLANCK CONSTANT}"
    name = unicodedata.name(letter, "").replace("LATIN ", "").replace("GREEK ", "").replace("LETTER ", "")
    try:
        return unicodedata.lookup(f"MATHEMATICAL ITALIC {name}")
    except KeyError:
        return letter
