"""The benchmark at size runs the theorems' own step on any device, counts products, and says which root pays."""

import json

import numpy as np
import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import PROBLEMS, Tracked, main
from convex.adaptive import Direct, descend
from regret.learners import AdaptiveRegularization
from structures import LeftKronecker
from structures.roots_iterative import fresh_root


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    file = tmp_path_factory.mktemp("gpu") / "gpu.json"
    assert main(["--device", "cpu", "--sizes", "24", "--steps", "4", "--json", str(file)]) == 0
    return json.loads(file.read_text())


def test_every_problem_and_precision_is_measured_and_the_device_named(cells):
    assert cells["machine"]["device"] == "CPU, no GPU was used"
    assert {(c["problem"], c["dtype"]) for c in cells["cells"]} == {
        (p, d) for p in PROBLEMS for d in ("float32", "float64")
    }
    for cell in cells["cells"]:
        faster = "tracked" if cell["step_tracked_mean"] < cell["step_eigh"] else "eigh"
        assert cell["pays"] == faster and cell["floor_eigh"] > cell["eigh"] > 0
        # Below the tolerance, or what an eigendecomposition in this precision leaves beside the damping.
        assert cell["error"] <= {"float32": 1e-3, "float64": 1e-7}[cell["dtype"]]


def test_the_tracked_step_is_the_learner_s_step():
    n, lr = 12, 0.05
    problem = PROBLEMS["least squares"](n)
    x = torch.zeros((1, n, n), dtype=torch.float64)
    problem = problem.beside(x)
    S = LeftKronecker((n, n)).outer(problem.gradient(x)) + 0.1 * torch.eye(n, dtype=torch.float64)
    core = AdaptiveRegularization(LeftKronecker((n, n)), lr, accumulate="ema", beta=gpu.BETA)
    ends = []
    for method, start in (
        (Direct(core), {"statistic": S}),
        (Tracked((n, n), lr, 1e-10), {"statistic": S, "root": fresh_root(S).state}),
    ):
        ends.append(descend(gpu._Started(method, start), problem, x, 10, exact=True).x)
    assert float(torch.linalg.norm(ends[0] - ends[1])) <= 1e-8 * float(torch.linalg.norm(ends[0]))


def test_the_normal_equations_are_those_of_least_squares():
    n = 6
    problem, rng = PROBLEMS["least squares"](n), np.random.default_rng(0)
    A, X = rng.standard_normal((n, n)), rng.standard_normal((n, n)) / n**0.5
    at = np.ones((n, n))
    assert float(problem.value(at)) == pytest.approx(0.5 * np.sum((A @ at - A @ X) ** 2) / n)


def test_without_a_device_the_command_says_so(capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a device here")
    assert main(["--device", "cuda"]) == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_a_block_on_a_device_is_timed_by_its_events_and_one_on_the_host_by_the_clock(monkeypatch):
    with gpu.Stopwatch("cpu") as host:
        pass
    calls = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            calls.append("record")

        def elapsed_time(self, other):
            assert isinstance(other, Event) and calls == ["wait", "record", "work", "record", "wait"]
            return 2500.0  # ms

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: calls.append("wait"))
    with gpu.Stopwatch("cuda") as device:
        calls.append("work")
    assert device.seconds == 2.5 and 0.0 <= host.seconds < 2.5
