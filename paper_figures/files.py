"""A drawn figure on the disk: PDF, PNG and CSV with equal bytes for equal results, and the manifest over all of them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.report.output import write_whole
from experiments.results import Results
from paper_figures.base import FigureSpec
from paper_figures.style import house_style
from paper_figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MANIFEST", "digest_of", "draw", "read_manifest"]

MANIFEST = "manifest.json"

# Dates and library versions in the metadata would change the bytes of an unchanged figure.
_METADATA = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}


def draw(spec: FigureSpec, results: Results, scale: str, out: Path) -> dict[str, Any]:
    """Draw one figure into the folder `out`, enter it in the manifest, and return the entry.

    Raises ValueError when a band or an error bar is drawn and the figure does not say what it spans.
    """
    contents = _contents(spec, results)
    for kind, data in contents.items():
        write_whole(out / f"{spec.name}.{kind}", data)
    entry = _entry(spec, results, scale, contents)
    _enter(out, spec.name, entry)
    return entry


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest of a folder of figures, ``{"figures": {name: entry}}``; empty when nothing was drawn there."""
    path = out / MANIFEST
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"figures": {}}


def digest_of(results: Iterable[Any]) -> str:
    """SHA-256 over the keys, arrays and summaries of stored runs: what a figure was drawn from."""
    total = hashlib.sha256()
    for run in results:
        total.update(run.key.encode())
        for name in ("result.npz", "summary.json", "verdicts.json"):
            total.update(hashlib.sha256((run.path / name).read_bytes()).digest())
    return total.hexdigest()


def _contents(spec: FigureSpec, results: Results) -> dict[str, bytes]:
    # The object-oriented interface with its own canvas: no pyplot state, no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with house_style():
        fig = Figure(figsize=spec.size)
        FigureCanvasAgg(fig)
        table = spec(results, fig)
        if not isinstance(table, Table):
            raise TypeError(f"figure {spec.name!r} must return a Table, got {type(table).__qualname__}")
        _require_named_intervals(spec, fig)
        pictures = {kind: _bytes(fig, kind) for kind in _METADATA}
    return {**pictures, "csv": table.csv().encode()}


def _bytes(fig: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    fig.savefig(buffer, format=kind, metadata=_METADATA[kind])
    return buffer.getvalue()


def _require_named_intervals(spec: FigureSpec, fig: Figure) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.container import ErrorbarContainer

    bands = [item for axes in fig.axes for item in axes.collections if isinstance(item, PolyCollection)]
    bars = [item for axes in fig.axes for item in axes.containers if isinstance(item, ErrorbarContainer)]
    if (bands or bars) and not spec.interval:
        raise ValueError(f"figure {spec.name!r} draws a band or bars: say in `interval` what they span")


def _entry(spec: FigureSpec, results: Results, scale: str, contents: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "title": spec.title,
        "caption": spec.full_caption(results, scale),
        "alt": spec.alt,
        "interval": spec.interval,
        "needs": list(spec.needs),
        "scale": scale,
        "commands": spec.commands(scale),
        "width": spec.size[0],
        "runs": sorted(results.keys),
        "results": digest_of(results),
        "files": {
            kind: {"name": f"{spec.name}.{kind}", "sha256": hashlib.sha256(data).hexdigest()}
            for kind, data in contents.items()
        },
    }


def _enter(out: Path, name: str, entry: Mapping[str, Any]) -> None:
    figures = {**read_manifest(out)["figures"], name: entry}
    text = json.dumps({"figures": dict(sorted(figures.items()))}, indent=1, ensure_ascii=False)
    write_whole(out / MANIFEST, f"{text}\n")
