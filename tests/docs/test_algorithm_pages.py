"""Each algorithm's page runs, names theorems and experiments that exist, and leaves out no option."""

import inspect
import re
from pathlib import Path

import pytest

import optimizers
import theory
from experiments.suite import load_suite

PAGES = sorted((Path(__file__).parents[2] / "docs" / "algorithms").glob("*.md"))
OPTIMIZERS = {
    "agd": ("AGD",),
    "fngd": ("FNGD",),
    "jorge": ("Jorge",),
    "shampoo": ("Shampoo", "OneSidedShampoo"),
}
PREFIXES = {
    "agd": ("agd-",),
    "dasvrda": ("dasvrda-",),
    "fngd": ("fngd-",),
    "jorge": ("jorge-", "sandwich-"),
    "shampoo": ("root-certificate", "root-probe", "root-staleness"),
}
THEOREMS = {theorem.id for theorem in theory.theorems()}


def part(page: str, name: str) -> str:
    """The paragraph that begins with a bold word."""
    return page.split(f"**{name}.**")[1].split("\n\n")[0]


def named(text: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9_-]+)`", text))


def unlisted(page: str, classes: tuple[str, ...]) -> set[str]:
    """Options of the classes that the page's table does not have."""
    rows = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    options = {name for each in classes for name in inspect.signature(getattr(optimizers, each)).parameters}
    return options - named(rows) - {"params", "model"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_example_runs(path):
    (block,) = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "assert" in block
    exec(compile(block, str(path), "exec"), {})


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_theorems_and_experiments_exist_and_none_of_its_own_is_left_out(path):
    page = path.read_text(encoding="utf-8")
    theorems = {name for name in named(part(page, "Theorems")) if "-" in name or name in THEOREMS}
    assert theorems <= THEOREMS
    assert {each for each in THEOREMS if each.startswith(PREFIXES.get(path.stem, ()))} <= theorems
    assert {name for name in named(part(page, "Runs")) if "_" in name} <= set(load_suite())
    assert part(page, "When").strip()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_option_is_in_the_table(name):
    page = next(path for path in PAGES if path.stem == name).read_text(encoding="utf-8")
    assert unlisted(page, OPTIMIZERS[name]) == set()


def test_an_option_that_is_left_out_is_noticed():
    page = next(path for path in PAGES if path.stem == "agd").read_text(encoding="utf-8")
    assert unlisted(page.replace("`amsgrad`", "amsgrad"), ("AGD",)) == {"amsgrad"}
    assert unlisted(page, ("Jorge",)) >= {"rule", "ridge"}
