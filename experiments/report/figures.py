"""The drawn figures as the page shows them: read from the folder that ``python -m paper_figures`` wrote."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from markupsafe import Markup

from experiments.report.mathml import MathError
from experiments.report.statement import prose
from experiments.store import Store

__all__ = ["FigureEntry", "figure_entries"]


@dataclass(frozen=True)
class FigureEntry:
    """A figure on the page, with its picture and its numbers inside."""

    name: str
    title: str
    caption: Markup
    alt: str
    width: float  # inches in print
    picture: str  # data URI of the PNG
    numbers: str  # data URI of the CSV
    commands: tuple[str, ...]
    keys: tuple[str, ...]  # of its runs
    needs: tuple[str, ...]  # experiments
    gone: int  # runs of the figure that the store no longer has


def figure_entries(folder: Path, store: Store, scale: str) -> tuple[list[FigureEntry], list[str]]:
    """The figures of `folder` that were drawn at this scale, and the names of those drawn at another one."""
    path = folder / "manifest.json"
    if not path.exists():
        return [], []
    drawn = json.loads(path.read_text(encoding="utf-8"))["figures"]
    fitting = [_entry(name, entry, folder, store) for name, entry in drawn.items() if entry["scale"] == scale]
    return fitting, [name for name, entry in drawn.items() if entry["scale"] != scale]


def _entry(name: str, entry: Mapping[str, Any], folder: Path, store: Store) -> FigureEntry:
    return FigureEntry(
        name=name,
        title=entry["title"],
        caption=_caption(entry["caption"]),
        alt=entry["alt"],
        width=entry["width"],
        picture=_data_uri(folder / entry["files"]["png"]["name"], "image/png"),
        numbers=_data_uri(folder / entry["files"]["csv"]["name"], "text/csv;charset=utf-8"),
        commands=tuple(entry["commands"]),
        keys=tuple(entry["runs"]),
        needs=tuple(entry["needs"]),
        gone=sum(not store.has(key) for key in entry["runs"]),
    )


def _caption(text: str) -> Markup:
    try:
        return Markup(prose(text))
    except MathError:
        return Markup(escape(text))


def _data_uri(path: Path, media: str) -> str:
    return f"data:{media};base64,{base64.b64encode(path.read_bytes()).decode()}"
