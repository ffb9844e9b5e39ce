"""Provenance follows the sources a run depends on: what it imports, however lazily, and nothing else."""

import importlib.util
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_experiment import Toy

from experiments import provenance as provenance_module
from experiments.provenance import commit, provenance
from experiments.seeds import generator, seed_for, seed_sequence, stable_hash
from experiments.sources import ROOT, Sources
from experiments.spec import RunSpec

TREE = {
    "suite/__init__.py": "import pkgutil\nfrom importlib import import_module\n",
    "suite/one.py": "from lib.used import f\nclass One: ...\n",
    "suite/two.py": "class Two: ...\n",
    "lib/__init__.py": "",
    "lib/used.py": "def f():\n    from .lazy import g\n    from law.registry import get\n",
    "lib/lazy.py": "import numpy\n",
    "lib/unused.py": "x = 1\n",
    "law/__init__.py": "",
    "law/registry.py": "import importlib\nPACKAGES = ('lib.found',)\ndef get(n): return importlib.import_module(n)\n",
    "law/entry.py": "",
    "lib/found/__init__.py": "",
    "lib/found/theorem.py": "from lib import deep\n",
    "lib/deep.py": "",
}


@pytest.fixture
def tree(tmp_path):
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    return tmp_path.resolve()


def load(tree, name, monkeypatch):
    spec = importlib.util.spec_from_file_location(f"suite_{name}", tree / "suite" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    monkeypatch.syspath_prepend(tree)
    spec.loader.exec_module(module)
    return getattr(module, name.capitalize())


def digest(tree, cls):
    return Sources(tree, ("suite", "lib", "law")).digest(cls)


def test_lazy_relative_and_registered_imports_are_followed_and_siblings_are_not(tree, monkeypatch):
    files = Sources(tree, ("suite", "lib", "law")).files(load(tree, "one", monkeypatch))
    found = {f.relative_to(tree).as_posix() for f in files}
    assert found == set(TREE) - {"suite/__init__.py", "suite/two.py", "lib/unused.py"}


@pytest.mark.parametrize("name", sorted(set(TREE) - {"suite/__init__.py", "suite/two.py", "lib/unused.py"}))
def test_the_digest_changes_with_every_file_that_the_run_depends_on(tree, monkeypatch, name):
    one = load(tree, "one", monkeypatch)
    before = digest(tree, one)
    assert digest(tree, one) == before
    (tree / name).write_text((tree / name).read_text() + "\n# changed\n")
    assert digest(tree, one) != before


@pytest.mark.parametrize("name", ["suite/__init__.py", "suite/two.py", "lib/unused.py"])
def test_the_digest_ignores_files_that_the_run_never_imports(tree, monkeypatch, name):
    one = load(tree, "one", monkeypatch)
    before = digest(tree, one)
    (tree / name).write_text("y = 2\n")
    assert digest(tree, one) == before


def test_a_file_that_cannot_be_parsed_ties_the_run_to_every_room(tree, monkeypatch):
    one = load(tree, "one", monkeypatch)
    (tree / "lib" / "lazy.py").write_text("def (:\n")
    assert tree / "lib" / "unused.py" in Sources(tree, ("suite", "lib", "law")).files(one)


def test_the_toy_experiment_depends_on_spec_and_verdicts_but_not_on_the_runner():
    names = {f.relative_to(ROOT).as_posix() for f in Sources().files(Toy)}
    assert {"experiments/spec.py", "experiments/seeds.py", "theory/theorem.py"} <= names
    assert "experiments/runner.py" not in names and "experiments/suite/__init__.py" not in names


def test_provenance_says_what_a_referee_would_ask():
    record = provenance(
        RunSpec("e", {"seed": 4, "data_seed": 5, "lr": 0.1}), "digest", 1.5, {"commit": "c", "dirty": True}
    )
    assert record["sources"] == "digest" and record["seconds"] == 1.5 and record["git"]["dirty"]
    assert record["seeds"] == {"seed": 4, "data_seed": 5}
    assert record["versions"]["numpy"] == np.__version__ and record["versions"]["python"]
    assert record["machine"]["platform"] and record["threads"] and record["date"].endswith("+00:00")


def test_the_commit_is_known_only_where_there_is_one(tmp_path, monkeypatch):
    assert commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    try:
        subprocess.run([*git, "init", "-q"], check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    assert commit(tmp_path)["dirty"] is False and len(commit(tmp_path)["commit"]) == 40
    (tmp_path / "new.py").write_text("")
    assert commit(tmp_path)["dirty"] is True

    def absent(*arguments, **keywords):
        raise FileNotFoundError("git")

    monkeypatch.setattr(provenance_module.subprocess, "run", absent)
    assert commit(tmp_path) is None


def test_streams_do_not_depend_on_pythons_hash_seed():
    program = "from experiments.seeds import seed_for; print(seed_for(7, 'adversary', 2))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env={"PYTHONHASHSEED": h}, capture_output=True, text=True
        )
        for h in ("1", "2")
    ]
    assert {run.stdout.strip() for run in runs} == {str(seed_for(7, "adversary", 2))}, runs[0].stderr


def test_the_hash_of_a_name_is_the_start_of_its_sha256():
    assert b"".join(word.to_bytes(4, "little") for word in stable_hash("")).hex() == "e3b0c44298fc1c149afbf4c8996fb924"


@given(st.integers(0, 2**64), st.text(max_size=8), st.integers(0, 2**31))
def test_a_component_has_one_stream_and_others_have_others(seed, name, replicate):
    here = seed_sequence(seed, name, replicate).generate_state(4).tolist()
    assert here == seed_sequence(seed, name, replicate).generate_state(4).tolist()
    for other in ((seed + 1, name, replicate), (seed, name + "'", replicate), (seed, name, replicate + 1)):
        assert here != seed_sequence(*other).generate_state(4).tolist()
    assert 0 <= seed_for(seed, name, replicate) < 2**53


def test_generators_of_one_component_agree_draw_by_draw_and_negative_seeds_are_refused():
    np.testing.assert_array_equal(generator(1, "data").normal(size=5), generator(1, "data").normal(size=5))
    with pytest.raises(ValueError, match="seed=-1"):
        generator(-1, "data")
