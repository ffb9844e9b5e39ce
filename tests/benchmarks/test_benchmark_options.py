"""A wrong command line of a benchmark is refused at once, with status 2 and the reason."""

import json

import pytest

from benchmarks import optimizer_claims, optimizer_step, optimizer_training, robustness, training
from benchmarks.options import save

FILES = {
    optimizer_step: "cells", training: "epochs", robustness: "outcomes", optimizer_training: "tasks",
    optimizer_claims: "tasks",
}  # fmt: skip


def refused(capsys, module, *arguments) -> str:
    with pytest.raises(SystemExit) as stopped:
        module.main(list(arguments))
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("module", FILES)
def test_files_that_are_missing_or_foreign_or_cannot_be_written_are_refused_before_anything_runs(
    module, tmp_path, capsys
):
    assert "no file of results" in refused(capsys, module, "--show", str(tmp_path / "none.json"))
    (tmp_path / "broken.json").write_text("{")
    assert "no file of results" in refused(capsys, module, "--show", str(tmp_path / "broken.json"))
    (tmp_path / "foreign.json").write_text(json.dumps({"other": 1}))
    assert f"it has no {FILES[module]!r}" in refused(capsys, module, "--show", str(tmp_path / "foreign.json"))
    assert "cannot be written" in refused(capsys, module, "--json", str(tmp_path))
    assert "cannot be written" in refused(capsys, module, "--json", str(tmp_path / "broken.json" / "x.json"))


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        (optimizer_step, ("--repeats", "0"), "at least 1"),
        (optimizer_step, ("--threads", "-1"), "at least 1"),
        (optimizer_step, ("--only", "nosuch"), "there are AdamW fused"),
        (optimizer_step, ("--lists", "nosuch"), "there are 512 x 512"),
        (training, ("--repeats", "0"), "at least 1"),
        (robustness, ("--only", "nosuch"), "no name has 'nosuch'"),
        (optimizer_training, ("--tasks", "nosuch"), "there are digits MLP"),
        (optimizer_training, ("--seeds", "0"), "at least 1"),
        (optimizer_training, ("--data", "/nowhere"), "no folder"),
        (optimizer_claims, ("--tasks", "nosuch"), "no name has"),
        (optimizer_claims, ("--data", "/nowhere"), "no folder"),
    ],
)
def test_numbers_and_words_that_choose_nothing_are_refused(module, arguments, said, capsys):
    assert said in refused(capsys, module, *arguments)


def test_results_that_cannot_be_written_leave_the_file_before_as_it_was(tmp_path):
    file = tmp_path / "deep" / "results.json"
    save(file, {"cells": [1]})
    with pytest.raises(TypeError):
        save(file, {"cells": [object()]})
    assert json.loads(file.read_text()) == {"cells": [1]}
    assert [path.name for path in file.parent.iterdir()] == ["results.json"]
