r"""Where a statement comes from: a key of ``references.bib``, a locator inside it, and how sure we are of it.

A citation has one of three statuses: ``seen`` (the source was read), ``remembered`` (a known constant whose source was
not read) and ``derived`` (proved in this repository; the locator is then the proof).

Source: ``references.bib`` at the root of the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

BIBLIOGRAPHY = Path(__file__).resolve().parent.parent / "references.bib"
STATUSES = ("seen", "remembered", "derived")
DERIVED = "derived"

_ENTRY = re.compile(r"@(\w+)\s*\{\s*([^,\s}]+)\s*,")
_FIELD = re.compile(r"\s*,?\s*([\w-]+)\s*=\s*")


@dataclass(frozen=True)
class Citation:
    """One source with its locator, for example ``Citation("xie2025structured", "Theorem 3.2")``.

    For a result that is proved here: ``Citation("derived", "docs/proofs/regret.md#theorem-r", "derived")``.

    Raises ValueError for an unknown status.
    """

    key: str
    locator: str = ""
    status: str = "seen"

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"a citation's status is one of {STATUSES}, not {self.status!r}")

    def text(self) -> str:
        """One line for a page: authors, year, title, venue, locator, status. Raises KeyError for an unknown key."""
        if self.key == DERIVED:
            return f"derived here, {self.locator}" if self.locator else "derived here"
        entry = lookup(self.key)
        parts = [_head(entry), entry.get("title", ""), _venue(entry), self.locator]
        line = ". ".join(part for part in parts if part)
        return line if self.status == "seen" else f"{line} ({self.status})"


def lookup(key: str) -> Mapping[str, str]:
    """The fields of one entry of ``references.bib``. Raises KeyError naming the key and the ones that exist."""
    entries = bibliography()
    if key not in entries:
        raise KeyError(f"{key!r} is not in {BIBLIOGRAPHY.name}; it has {', '.join(sorted(entries))}")
    return entries[key]


@cache
def bibliography(path: Path = BIBLIOGRAPHY) -> Mapping[str, Mapping[str, str]]:
    """Every entry of a BibTeX file as ``{key: {field: value}}``. Raises ValueError for a key that occurs twice."""
    entries: dict[str, Mapping[str, str]] = {}
    for key, fields in parse(path.read_text(encoding="utf-8")):
        if key in entries:
            raise ValueError(f"{key!r} occurs twice in {path.name}")
        entries[key] = MappingProxyType(fields)
    return MappingProxyType(entries)


def parse(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The entries of a BibTeX text, ``(key, fields)`` in order; values lose their braces and their line breaks."""
    position = 0
    while found := _ENTRY.search(text, position):
        kind, key = found.groups()
        fields = {"entrytype": kind.lower()}
        position = found.end()
        while field := _FIELD.match(text, position):
            value, position = _value(text, field.end())
            fields[field.group(1).lower()] = value
        yield key, fields


def _value(text: str, start: int) -> tuple[str, int]:
    """The value that starts at `start` (braced, quoted or bare) and the position after it."""
    if text[start] == "{":
        end = _closing_brace(text, start)
        return _clean(text[start + 1 : end]), end + 1
    if text[start] == '"':
        end = text.index('"', start + 1)
        return _clean(text[start + 1 : end]), end + 1
    bare = re.compile(r"[^\s,}]+").match(text, start)
    if bare is None:
        raise ValueError(f"a BibTeX field without a value at character {start}")
    return bare.group(), bare.end()


def _closing_brace(text: str, start: int) -> int:
    """The position of the brace that closes the one at `start`. Raises ValueError when it is never closed."""
    depth = 0
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
    raise ValueError(f"the brace at character {start} is never closed")


def _clean(value: str) -> str:
    """A BibTeX value as plain text: no braces, one space between words."""
    return " ".join(value.replace("{", "").replace("}", "").replace("--", "\N{EN DASH}").split())


def _head(entry: Mapping[str, str]) -> str:
    """Surnames and year: ``Gupta, Koren, Singer (2018)``."""
    people = [name.split(",")[0].strip() for name in entry.get("author", "").split(" and ") if name.strip()]
    return f"{', '.join(people)} ({entry.get('year', 'no year')})"


def _venue(entry: Mapping[str, str]) -> str:
    """Journal or conference, then the arXiv number."""
    place = entry.get("journal") or entry.get("booktitle") or entry.get("publisher") or ""
    number = f"arXiv {entry['eprint']}" if "eprint" in entry else ""
    return ", ".join(part for part in (place, number) if part)
