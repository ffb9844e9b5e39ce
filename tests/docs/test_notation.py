"""The words in code of the notation's tables for optimizers and smoothness are words of the code."""

import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ROOMS = {"## Smoothness and noise": ("convex", "problems"), "## Torch optimizers": ("optimizers",)}


def words(heading: str, text: str) -> set[str]:
    """The code names in the second column under a heading; of a call its function."""
    rows = [line for line in text.split(heading)[1].split("\n## ")[0].splitlines() if line.startswith("| $")]
    cells = " ".join(row.replace("\\lvert", "").split(" | ")[1] for row in rows)
    return {re.split(r"[(.]", name)[0] for name in re.findall(r"`([^`]+)`", cells)}


def absent(names: set[str], rooms: tuple[str, ...]) -> set[str]:
    sources = "\n".join(path.read_text(encoding="utf-8") for room in rooms for path in (HOUSE / room).rglob("*.py"))
    return {name for name in names if not re.search(rf"\b{re.escape(name)}\b", sources)}


@pytest.mark.parametrize("heading", ROOMS)
def test_every_word_of_the_table_is_one_of_the_code(heading):
    names = words(heading, (HOUSE / "docs" / "notation.md").read_text(encoding="utf-8"))
    assert len(names) >= 3
    # The states' names are put together from a side and a kind.
    sided = {name.partition("_")[2] if name.startswith(("left_", "right_")) else name for name in names}
    assert absent(sided, ROOMS[heading]) == set()


def test_a_word_that_is_not_there_is_noticed():
    assert absent({"tracking", "no_such_word"}, ("optimizers",)) == {"no_such_word"}
