"""What was measured on files is read as runs, with medians that a figure draws, and a new measurement is a new run."""

import json

import numpy as np
import pytest

from experiments.results import Results
from experiments.store import Store
from experiments.suite import _measured
from experiments.suite.optimizer_claims import OptimizerClaims
from experiments.suite.optimizer_files import OptimizerFiles
from paper_figures.base import load_figures
from paper_figures.style import house_style


def training():
    """Two methods on one task; a seed of the second has diverged."""

    def run(seed, end):
        loss = None if end is None else end + 0.1
        held_out = [end + 1.0, end] if end is not None else []
        return {
            "loss": loss, "accuracy": 0.5, "held_out": held_out, "steps": [5, 10][: len(held_out)],
            "seconds": [0.1 + seed, 0.2 + seed][: len(held_out)], "train": [1.0], "bytes": 400,
        }  # fmt: skip

    ends = {"AdamW": (0.5, 0.4, 0.6), "SGD": (0.3, None, 0.2), "K-FAC": (0.7, 0.7, 0.8)}
    methods = {
        name: {
            "lr": 0.1,
            "at_edge": False,
            "scores": [1.0],
            "runs": {str(k): run(k, end) for k, end in enumerate(found)},
        }
        for name, found in ends.items()
    }
    settings = {"parameters": 100, "steps": 10, "batch": 4, "samples": [8, 4, 4], "accuracy": True}
    task = {"settings": settings, "methods": methods, "skipped": {"FNGD": "a reason"}}
    return {"machine": {"processor": "a processor"}, "tasks": {"pictures": task}}


def claims():
    """Two rules on a layer, and all ways to share at two dampings."""
    rows = {
        rule: {
            "size": 3, "steps": 4, "step": [1, 2, 4], "cosine": [[c, 1.0], [c, 1.0], [c, 1.0]], "beta2": [[0.5, 0.5]] * 3,
            "median_cosine_late": c, "least_cosine_late": c, "median_current_late": None, "median_beta2_late": 0.5,
        }
        for rule, c in (("Jorge", 0.5), ("sandwich", 0.99))
    }  # fmt: skip
    shared = {
        "SGD": {
            "share": "SGD",
            "damping": 0.0,
            "lr": 0.1,
            "at_edge": False,
            "train_loss": [0.5, 0.6],
            "accuracy": [0.9, 0.9],
        }
    }
    for damping in (0.1, 1.0):
        for share in ("fresh", "table", "position", "scalar"):
            row = shared["SGD"] | {"share": share, "damping": damping}
            if share == "fresh":
                row |= {"cosine": [[[0.8, 0.9]], [[0.7, 0.9]]], "position_ratio": [[1.1], [0.9]]}
            shared[f"{share}, {damping:g}"] = row
    tasks = {"roots, CIFAR-10 CNN, a layer, outputs": {"settings": {}, "methods": rows}}
    tasks["sharing, CIFAR-10 CNN"] = {"settings": {}, "methods": shared}
    return {"machine": {"processor": "a processor"}, "tasks": tasks}


CASES = {"optimizer_files": (OptimizerFiles(), training), "optimizer_claims": (OptimizerClaims(), claims)}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The stored run of an experiment that has read such a file."""
    monkeypatch.setattr(_measured, "FOLDER", tmp_path)

    def of(name):
        experiment, make = CASES[name]
        (tmp_path / experiment.file).write_text(json.dumps(make()))
        (spec,) = experiment.runs("ci")
        store = Store(tmp_path / "results")
        store.save(spec, experiment.execute(spec), {})
        return Results((store.load(spec.key),))

    return of


def test_medians_targets_and_seeds_that_diverged(results):
    run = results("optimizer_files")[0]
    assert run.arrays["method_0"].tolist() == ["AdamW", "SGD", "K-FAC"]
    assert run.summary["tasks"][0]["target"] == 0.5
    np.testing.assert_allclose(run.arrays["loss_0"], [0.6, np.nan, 0.8])
    np.testing.assert_allclose(run.arrays["held_out_0"], [[1.5, 0.5], [1.3, 0.3], [1.7, 0.7]])
    np.testing.assert_allclose(run.arrays["seconds_to_0"], [1.2, 2.2, np.nan])
    np.testing.assert_allclose(run.arrays["bytes_0"], 4.0)


def test_claims_keep_their_numbers(results):
    run = results("optimizer_claims")[0]
    assert [each["method"] for each in run.summary["roots"]] == ["Jorge", "sandwich"]
    assert run.summary["roots"][0]["task"] == "CIFAR-10 CNN, a layer, outputs"
    assert run.arrays["roots_1_cosine"].shape == (3, 2)
    fresh = next(k for k, each in enumerate(run.summary["sharing"]) if each["method"] == "fresh, 1")
    assert run.arrays[f"sharing_{fresh}_cosine"].shape == (2, 1, 2)


@pytest.mark.parametrize("name", CASES)
def test_a_new_measurement_is_a_new_run_and_none_is_none(tmp_path, monkeypatch, name):
    monkeypatch.setattr(_measured, "FOLDER", tmp_path)
    experiment, make = CASES[name]
    assert experiment.runs("ci") == []
    (tmp_path / experiment.file).write_text(json.dumps(make()))
    (first,) = experiment.runs("ci")
    (tmp_path / experiment.file).write_text(json.dumps(make() | {"machine": {"processor": "another"}}))
    (second,) = experiment.runs("paper")
    assert first.key != second.key


@pytest.mark.parametrize("name", CASES)
def test_the_figures_of_measurements_on_files_draw(results, name):
    from matplotlib.figure import Figure

    spec, found = load_figures()[name], results(name)
    with house_style():
        fig = Figure(figsize=spec.size)
        table = spec(found, fig)
        fig.canvas.draw()
    assert len(table) > 2
    caption = spec.full_caption(found, "ci")
    assert "a reason" in caption or name == "optimizer_claims"
