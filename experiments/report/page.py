"""The page itself: one HTML file that needs nothing else, made from the store and the figures drawn from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.plan import Planned, State, plan
from experiments.report.figures import figure_entries
from experiments.report.fonts import math_faces
from experiments.report.output import write_whole
from experiments.report.runs import experiment_entries, provenance_of
from experiments.report.theorems import TheoremEntry, grouped, theorem_entries
from experiments.report.words import duration, number, plural, word
from experiments.spec import Experiment
from experiments.store import Store
from experiments.verification import Row, rows
from theory.theorem import Theorem

__all__ = ["write_report"]

TEMPLATES = Path(__file__).parent / "templates"

_FACES = "/* math faces */"  # in style.css: the glyphs to carry are known once the formulas are


def write_report(
    store: Store,
    scale: str,
    out_dir: str | Path,
    figures: str | Path = "figures",  # where `python -m paper_figures` writes
    suite: Mapping[str, Experiment] | None = None,  # default: every experiment of experiments.suite
    theorems: Sequence[Theorem] | None = None,  # default: every theorem of theory.registry
) -> Path:
    """Write ``index.html`` into `out_dir` and return its path.  Computes nothing: what is not stored is named as missing."""
    if suite is None:
        from experiments.suite import load_suite

        suite = load_suite()
    if theorems is None:
        from theory import registry

        theorems = registry.theorems()
    out = Path(out_dir).absolute()
    planned = plan(suite.values(), store, scale)
    html = _rendered(_context(store, scale, Path(figures), suite, theorems, planned))
    html = html.replace(_FACES, math_faces(html), 1)
    write_whole(out / "index.html", html)
    return out / "index.html"


def _context(
    store: Store,
    scale: str,
    figures: Path,
    suite: Mapping[str, Experiment],
    theorems: Sequence[Theorem],
    planned: Sequence[Planned],
) -> dict[str, Any]:
    found = rows(planned, store)
    catalogue = store.catalogue()
    entries = theorem_entries(theorems, catalogue, found, scale)
    drawn, other_scale = figure_entries(figures, store, scale)
    stored = [run.spec.key for run in planned if store.has(run.spec.key)]
    return {
        "scale": scale,
        "theorems": entries,
        "groups": grouped(entries),
        "experiments": experiment_entries(suite, planned, found, store, scale),
        "figures": drawn,
        "figures_elsewhere": other_scale,
        "summary": _summary(entries, found, planned),
        "catalogue_date": (catalogue or {}).get("date", ""),
        "provenance": provenance_of(store.provenance(key) for key in stored),
        "unknown": sorted({row.theorem for row in found} - {theorem.id for theorem in theorems}),
    }


def _summary(entries: Sequence[TheoremEntry], found: Sequence[Row], planned: Sequence[Planned]) -> dict[str, Any]:
    """The numbers at the top of the page."""
    kinds: Counter[str] = Counter()
    for entry in entries:
        kinds.update(entry.kinds)
    states = Counter(run.state for run in planned)
    controls = [case for entry in entries for case in entry.controls or ()]
    misuses = [row for row in found if row.control]
    bad_verdicts = sum(len(row.bad) for row in found)
    bad_cases = sum(not case.ok for entry in entries for case in (*(entry.examples or ()), *(entry.controls or ())))
    return {
        "verdicts": [(word(kind), count) for kind, count in kinds.most_common()],
        "instances": sum(kinds.values()),
        "derived": sum(entry.status == "derived" for entry in entries),
        "states": {str(state): states[state] for state in State if states[state]},
        "runs": len(planned),
        "controls": len(controls) + sum(sum(row.kinds.values()) for row in misuses),
        "caught": sum(case.ok for case in controls) + sum(sum(row.kinds.values()) - len(row.bad) for row in misuses),
        "bad": bad_verdicts + bad_cases,
        "failed": states[State.FAILED],
        "unjudged": sum(entry.instances == 0 for entry in entries),
    }


def _rendered(context: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "duration": duration, "word": word}
    environment.globals |= {"plural": plural}
    return environment.get_template("page.html").render(context)
