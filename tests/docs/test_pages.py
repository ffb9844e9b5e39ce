"""What the pages promise exists: links, headings, proofs and the notebook example of the README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import theory

HOUSE = Path(__file__).parents[2]
PAGES = [HOUSE / "README.md", *sorted((HOUSE / "docs").rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The heading anchors of a page, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def missing(target: str, beside: Path) -> str:
    """Why a relative link leads nowhere, or an empty string."""
    name, _, anchor = target.partition("#")
    page = (beside / name).resolve() if name else beside
    if not page.exists():
        return f"{target}: no such file"
    if anchor and anchor not in anchors(page):
        return f"{target}: no heading #{anchor}, only {sorted(anchors(page))}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOUSE)))
def test_every_link_leads_somewhere(page):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]
    assert [
        reason for link in links if (reason := missing(page.name + link if link.startswith("#") else link, page.parent))
    ] == []


def test_a_dead_link_is_noticed():
    assert missing("docs/nowhere.md", HOUSE)
    assert missing("docs/notation.md#no-such-heading", HOUSE)


@pytest.mark.parametrize("theorem", theory.theorems(), ids=lambda theorem: theorem.id)
def test_every_derived_theorem_has_its_proof(theorem):
    if theorem.source.status == "derived":
        assert theorem.source.locator.startswith("docs/"), theorem.source
    places = [p for p in (theorem.proof, theorem.source.locator) if p.startswith("docs/")]
    assert [reason for place in places if (reason := missing(place, HOUSE))] == []


@pytest.mark.parametrize(("number", "printed"), [(0, "VERIFIED"), (1, "e-"), (2, ""), (3, "Diagonal")])
def test_the_notebook_examples_of_the_readme_run(number, printed):
    block = re.findall(r"```python\n(.*?)```", (HOUSE / "README.md").read_text(), flags=re.DOTALL)[number]
    assert len(block.strip().splitlines()) <= 15
    done = subprocess.run(
        [sys.executable, "-c", "import matplotlib; matplotlib.use('Agg')\n" + block],
        cwd=HOUSE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout
