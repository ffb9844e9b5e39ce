"""A run on another device is the same game: torch on the CPU stands for a GPU here."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.device import array_on
from experiments.suite import load_suite


def test_another_device_means_torch():
    torch = pytest.importorskip("torch")
    moved = array_on("cpu:0", np.ones(3))
    assert isinstance(moved, torch.Tensor)
    assert moved.dtype == torch.float64
    assert isinstance(array_on("cpu", np.ones(3)), np.ndarray)


@pytest.mark.parametrize("name", [e.id for e in load_suite().values() if "cuda" in e.devices])
def test_every_experiment_for_the_gpu_plays_the_same_game_there(name):
    experiment = load_suite()[name]
    spec = min(experiment.runs("ci"), key=lambda spec: spec.params["horizon"])
    here, there = experiment.execute(spec), experiment.execute(spec.on("cpu:0"))
    for key, values in here.arrays.items():
        # Two libraries round differently; games of this length lose a few digits of sixteen.
        assert np.allclose(values, there.arrays[key], rtol=1e-6, atol=1e-8), key
    assert [v["kind"] for v in here.verdicts] == [v["kind"] for v in there.verdicts]
