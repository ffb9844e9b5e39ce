"""Every Python block of the how-to pages runs as it stands, and the theorems that a page names exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import theory

HOUSE = Path(__file__).parents[2]
PAGES = sorted((HOUSE / "docs" / "howto").glob("*.md"))
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{k}")
    for page in PAGES
    for k, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))
]
JUDGE = HOUSE / "docs" / "howto" / "judge-a-stochastic-run.md"


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs_as_it_stands(block):
    assert "assert" in block
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=HOUSE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def table_ids(page: str) -> set[str]:
    rows = [line for line in page.split("| id |")[1].splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])}


def test_the_theorems_of_the_table_exist_and_no_general_one_is_left_out():
    known = {theorem.id for theorem in theory.theorems()}
    listed = table_ids(JUDGE.read_text(encoding="utf-8"))
    assert len(listed) >= 6 and listed <= known
    assert table_ids("| id |\n| `no-such-theorem` | x |") - known == {"no-such-theorem"}


def test_the_blocks_say_what_the_page_says_of_them():
    (first, *_) = re.findall(r"```python\n(.*?)```", JUDGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    done = subprocess.run([sys.executable, "-c", first], cwd=HOUSE, capture_output=True, text=True)
    words = ("VACUOUS", "CONFIRMED", "NOT_REFUTED")
    verdicts = [line for line in done.stdout.splitlines() if line.startswith(words)]
    assert len(verdicts) == 2 and "minimiser" in done.stdout
