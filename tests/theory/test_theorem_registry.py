"""Theorems are found by importing packages, and none can go missing in silence."""

import sys
import textwrap

import pytest

from theory.registry import get, theorems

THEOREM = """
from abc import abstractmethod
from theory.citation import Citation
from theory.theorem import Kind, Theorem

class {name}(Theorem):
    id = "{id}"
    title = "T"
    kind = {kind}
    source = Citation("derived", "here", "derived")
    statement = "x"
    subject = "numbers"
    def measured(self, run): return run
    def bound(self, run): return 1.0

class Unfinished(Theorem):
    @abstractmethod
    def more(self): ...
"""


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """A fresh importable package; call it with file contents to get its name."""
    name = f"room_{abs(hash(request.node.name))}"
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**files: str) -> str:
        (tmp_path / name).mkdir()
        for stem, text in {"__init__": "", **files}.items():
            (tmp_path / name / f"{stem}.py").write_text(textwrap.dedent(text))
        return name

    yield make
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def theorem(name="Claim", id="claim", kind="Kind.PATHWISE"):
    return THEOREM.format(name=name, id=id, kind=kind)


def test_concrete_theorems_are_found_once_and_ordered_by_id(package):
    name = package(a=theorem("Second", "second"), b="from .a import Second\n" + theorem("First", "first"))
    assert [found.id for found in theorems((name,))] == ["first", "second"]
    assert get("first", (name,)).title == "T"


def test_an_unknown_id_names_its_neighbours(package):
    name = package(a=theorem(id="structured-regret"))
    with pytest.raises(KeyError, match="structured-regret"):
        get("structured-regrets", (name,))


def test_a_package_that_does_not_exist_is_skipped(package):
    name = package(a=theorem())
    assert len(theorems(("no_such_room.theorems", name, f"{name}.nothing"))) == 1


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"a": "import no_such_dependency"}, ModuleNotFoundError),
        ({"a": "from theory.theorem import Nothing"}, ImportError),
        ({"a": theorem(), "b": theorem("Other")}, ValueError),
        ({"a": theorem(id="")}, TypeError),
        ({"a": theorem(kind='"pathwise"')}, TypeError),
    ],
    ids=["missing dependency", "broken import", "same id twice", "no id", "kind is a string"],
)
def test_a_broken_theorem_file_is_an_error_and_not_an_omission(package, files, error):
    with pytest.raises(error):
        theorems((package(**files),))
