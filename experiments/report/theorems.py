"""What the page shows of a theorem: statement, source, assumptions, and every verdict that the store holds on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup

from experiments.report.mathml import MathError
from experiments.report.statement import statement
from experiments.report.words import GROUPS, KINDS, RATIOS, SOURCES, Word, plural, word
from experiments.verification import Row
from theory.finding import SUPPORTING, VerdictKind
from theory.theorem import Kind, Theorem

__all__ = ["Case", "TheoremEntry", "grouped", "shown_latex", "theorem_entries"]


@dataclass(frozen=True)
class Case:
    """One of the theorem's own examples or controls, as `verify` judged it."""

    name: str
    ok: bool
    word: Word | None  # None when judging it raised
    ratio: float
    reason: str
    breaks: str  # the assumption that a control breaks
    near_tight: bool


@dataclass(frozen=True)
class TheoremEntry:
    """A theorem on the page."""

    id: str
    title: str
    group: str
    kind: str
    subject: str
    ratio_of: str  # what `worst` and the ratios of the cases are
    is_identity: bool  # then they are errors, and small ones are good
    statement: Markup
    source: str
    status: str  # of the citation: seen, remembered, derived
    status_words: str
    proof: str
    assumptions: tuple[tuple[str, Markup], ...]
    examples: tuple[Case, ...] | None  # None before the first `verify`
    controls: tuple[Case, ...] | None
    rows: tuple[Row, ...]  # the verdicts of the experiments
    commands: tuple[str, ...]

    @property
    def kinds(self) -> Counter[str]:
        """Verdicts on instances: the experiments' (without deliberate misuse) and the theorem's own examples."""
        total: Counter[str] = Counter()
        for row in self.rows:
            total.update({} if row.control else row.kinds)
        total.update(case.word.kind for case in self.examples or () if case.word)
        return total

    @property
    def words(self) -> list[tuple[Word, int]]:
        """The kinds in words with their counts, most frequent first."""
        return [(word(kind), count) for kind, count in self.kinds.most_common()]

    @property
    def instances(self) -> int:
        """How many runs were judged."""
        return sum(self.kinds.values())

    @property
    def worst(self) -> float:
        """The largest ratio over the instances; NaN when there is none."""
        ratios = [row.worst for row in self.rows if not row.control] + [case.ratio for case in self.examples or ()]
        return max((ratio for ratio in ratios if ratio == ratio), default=float("nan"))

    @property
    def tone(self) -> str:
        """What the colour says: "bad" when anything is not as it must be, "good" when an instance supports it, else "quiet"."""
        cases = (*(self.examples or ()), *(self.controls or ()))
        if any(row.bad for row in self.rows) or any(not case.ok for case in cases):
            return "bad"
        return "good" if any(kind in SUPPORTING for kind in self.kinds) else "quiet"

    @property
    def badge(self) -> str:
        """The state of the theorem in a few words."""
        if self.tone == "bad":
            return "not as it must be"
        supporting = {kind: count for kind, count in self.kinds.items() if kind in SUPPORTING}
        if not supporting:
            return "no support yet" if self.instances else "not judged yet"
        verb = "not refuted" if set(supporting) == {VerdictKind.NOT_REFUTED} else "held"
        return f"{verb} in {plural(sum(supporting.values()), 'instance')}"


def theorem_entries(
    theorems: Sequence[Theorem], catalogue: Mapping[str, Any] | None, rows: Sequence[Row], scale: str
) -> list[TheoremEntry]:
    """One entry per theorem: those that need attention first, then those judged most often, then by title."""
    judged = {entry["id"]: entry["cases"] for entry in (catalogue or {"theorems": ()})["theorems"]}
    entries = [_entry(t, judged.get(t.id), [row for row in rows if row.theorem == t.id], scale) for t in theorems]
    return sorted(entries, key=lambda entry: (entry.tone != "bad", -entry.instances, entry.title.lower()))


def grouped(entries: Sequence[TheoremEntry]) -> list[tuple[str, list[TheoremEntry]]]:
    """The entries by group, groups in the order of the page, each in the order given."""
    names = [*GROUPS.values(), *(entry.group for entry in entries)]
    kept = [(name, [entry for entry in entries if entry.group == name]) for name in dict.fromkeys(names)]
    return [(name, members) for name, members in kept if members]


def shown_latex(latex: str) -> Markup:
    """The statement as HTML; LaTeX that cannot be converted is shown as it is written, never dropped."""
    try:
        return Markup(statement(latex))
    except MathError:
        return Markup(f'<code class="latex">{escape(latex)}</code>')


def _entry(
    theorem: Theorem, cases: Iterable[Mapping[str, Any]] | None, rows: Sequence[Row], scale: str
) -> TheoremEntry:
    listed = None if cases is None else list(cases)
    return TheoremEntry(
        id=theorem.id,
        title=theorem.title,
        group=GROUPS.get(type(theorem).__module__.split(".")[0], "Other statements"),
        kind=KINDS[theorem.kind],
        subject=theorem.subject,
        ratio_of=RATIOS[theorem.kind],
        is_identity=theorem.kind is Kind.EXACT,
        statement=shown_latex(theorem.statement),
        source=theorem.source.locator if theorem.source.status == "derived" else theorem.source.text(),
        status=theorem.source.status,
        status_words=SOURCES[theorem.source.status],
        proof=theorem.proof,
        assumptions=tuple((a.name, shown_latex(a.statement)) for a in theorem.assumptions),
        examples=_cases(listed, "example"),
        controls=_cases(listed, "control"),
        rows=tuple(rows),
        commands=_commands(theorem.id, rows, scale),
    )


def _cases(cases: Sequence[Mapping[str, Any]] | None, role: str) -> tuple[Case, ...] | None:
    return None if cases is None else tuple(_case(case) for case in cases if case["role"] == role)


def _case(case: Mapping[str, Any]) -> Case:
    verdict = case["verdict"]
    error = (case.get("error") or "").strip().splitlines()
    return Case(
        name=case["name"],
        ok=bool(case["ok"]),
        word=word(verdict["kind"]) if verdict else None,
        ratio=verdict["ratio"] if verdict else float("nan"),
        reason=str(verdict["evidence"].get("reason", "")) if verdict else error[-1] if error else "",
        breaks=case.get("breaks", ""),
        near_tight=bool(case.get("near_tight")),
    )


def _commands(id: str, rows: Sequence[Row], scale: str) -> tuple[str, ...]:
    names = sorted({row.experiment for row in rows})
    again = [f"python -m experiments run {' '.join(names)} --force --scale {scale}"] if names else []
    alone = f"import theory; t = theory.get('{id}'); [print(e.name, theory.verify(t, e.make())) for e in t.examples()]"
    return (*again, f"python -m experiments verify --scale {scale}", f'python -c "{alone}"')
