r"""The house style: sizes, fonts and, for every method, one colour, one marker and one line that it keeps everywhere.

Colours are those of Okabe and Ito (2008), which readers with any common colour vision can tell apart; where two methods
share a hue their markers and line styles differ, and a dashed line of the same colour is always the bound.

Fonts go into a PDF as TrueType (type 42), which journals accept; type 3, matplotlib's default, many refuse.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axis import Axis

__all__ = ["BOUND", "PALETTE", "Look", "house_style", "label", "log_axis", "look"]

PALETTE = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#D9C61E",  # Okabe and Ito's #F0E442, darkened: the original is too faint for a line on white
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#7F7F7F",
}

BOUND = {"linestyle": (0, (4, 2)), "linewidth": 1.0}  # how a bound is drawn beside its measurement

_MARKERS = "os^Dv<>pPX*hd"


@dataclass(frozen=True)
class Look:
    """How one method is drawn."""

    color: str
    marker: str
    linestyle: Any = "-"

    def line(self) -> dict[str, Any]:
        """Keywords of ``Axes.plot`` for its measured curve."""
        return {"color": self.color, "linestyle": self.linestyle}

    def points(self) -> dict[str, Any]:
        """Keywords of ``Axes.plot`` for single points."""
        return {"color": self.color, "marker": self.marker, "linestyle": "none"}


_DOTTED = (0, (1, 1.2))

_LOOKS = {
    "Scalar": Look(PALETTE["black"], "o"),
    "Diagonal": Look(PALETTE["orange"], "s"),
    "Full": Look(PALETTE["vermilion"], "D"),
    "LeftKronecker": Look(PALETTE["blue"], "<"),
    "RightKronecker": Look(PALETTE["sky"], ">"),
    "RowScalar": Look(PALETTE["blue"], "^", _DOTTED),
    "ColumnScalar": Look(PALETTE["sky"], "v", _DOTTED),
    "ModeK": Look(PALETTE["sky"], "p", "-."),
    "Layerwise": Look(PALETTE["grey"], "h"),
    "BlockDiagonal": Look(PALETTE["vermilion"], "d", _DOTTED),
    "Circulant": Look(PALETTE["green"], "P"),
    "Exchangeable": Look(PALETTE["green"], "X", _DOTTED),
    "DirectSum": Look(PALETTE["purple"], "*"),
    "Conjugated": Look(PALETTE["purple"], "H", _DOTTED),
    "GradientDescent": Look(PALETTE["grey"], "x", "-."),
    "Shampoo": Look(PALETTE["yellow"], "8"),
    "Jorge": Look(PALETTE["green"], "P"),
    "AGD": Look(PALETTE["orange"], "s"),
    "FNGD": Look(PALETTE["purple"], "*"),
    "DASVRDA": Look(PALETTE["blue"], "o"),
    "DASVRDA, sharper": Look(PALETTE["vermilion"], "D"),
    "SVRG": Look(PALETTE["grey"], "x", "-."),
    "SAGA": Look(PALETTE["sky"], "^"),
    "Katyusha": Look(PALETTE["green"], "P"),
    "AccProxSVRG": Look(PALETTE["purple"], "*", _DOTTED),
    "APG": Look(PALETTE["black"], "s", _DOTTED),
}

_LABELS = {
    "Scalar": "scalar",
    "Diagonal": "diagonal",
    "Full": "full matrix",
    "LeftKronecker": "left one-sided",
    "RightKronecker": "right one-sided",
    "RowScalar": "row-scalar",
    "ColumnScalar": "column-scalar",
    "ModeK": "tensor mode",
    "Layerwise": "layerwise",
    "BlockDiagonal": "block-diagonal",
    "Circulant": "circulant",
    "Exchangeable": "exchangeable",
    "DirectSum": "direct sum",
    "Conjugated": "rotated diagonal",
    "GradientDescent": "gradient descent",
    "AccProxSVRG": "accelerated SVRG",
    "APG": "accelerated gradient",
}


def look(name: str) -> Look:
    """The colour, marker and line of a method; for a name not in the table one that depends on the name alone."""
    if name in _LOOKS:
        return _LOOKS[name]
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    colors = list(PALETTE.values())
    return Look(colors[number % len(colors)], _MARKERS[number // 16 % len(_MARKERS)], ("-", "-.", _DOTTED)[number % 3])


def label(name: str) -> str:
    """What a legend calls a method."""
    return _LABELS.get(name, name)


def log_axis(axis: Axis, most: int = 9) -> None:
    """Ticks of a logarithmic axis as plain numbers: at 1, 2 and 5 times powers of ten, closer when it is short.

    At the powers alone when it is long, or `most` ticks would not be enough. Call it when the limits of the axis are final.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = sorted(axis.get_view_interval())
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)

    def within(*leading: float) -> list[float]:
        return [tick for power in powers for digit in leading if low <= (tick := digit * 10.0**power) <= high]

    ticks = within(1, 2, 5) if high / low < 1e3 else within(1)
    if len(ticks) > most:
        ticks = within(1)
    if len(ticks) < 2:
        ticks = within(1, 1.5, 2, 3, 4, 5, 7)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


@contextmanager
def house_style() -> Iterator[None]:
    """Draw inside this context; no setting outlives it."""
    import matplotlib as mpl

    with mpl.rc_context(rc=_SETTINGS, fname=None):
        yield


_SETTINGS: dict[str, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.borderaxespad": 0.2,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 220,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "paper_figures",
}
