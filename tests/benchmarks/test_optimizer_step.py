"""The benchmarks of optimizers run, compare like with like, count bytes, and read their files."""

import json

import numpy as np
import pytest
import torch

from benchmarks import optimizer_step, training
from benchmarks.steps.clock import Timed, paired
from benchmarks.steps.contestants import REFERENCE, Absent, Contestant, contestants
from benchmarks.steps.floors import linear_algebra, stacks
from benchmarks.steps.memory import formula_bytes, state_bytes
from benchmarks.steps.parameters import LISTS, gradients, parameters, resnet50
from benchmarks.steps.table import markdown
from optimizers import AGD, Jorge, OneSidedShampoo, Shampoo

SHAPES = ((24, 16), (16,), (8, 8), (8, 3, 3, 3))


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A measurement of everything that is installed, on tiny lists."""
    file = tmp_path_factory.mktemp("steps") / "steps.json"
    assert optimizer_step.main(["--quick", "--repeats", "1", "--no-compile", "--json", str(file)]) == 0
    return json.loads(file.read_text())


def test_every_contestant_is_measured_or_named_with_a_reason(quick):
    expected = {
        (each.name, name)
        for each in contestants(False)
        if each.name != REFERENCE
        for name in ("24 x 16", "6 x 4 x 3 x 3")
    }
    measured = {(cell["name"], cell["list"]) for cell in quick["cells"]}
    skipped = {(each["name"], each["list"]): each["reason"] for each in quick["skipped"]}
    assert measured | set(skipped) == expected
    assert not measured & set(skipped)
    assert all(skipped.values())
    assert {each.name for each in contestants(False) if each.ours} <= {name for name, _ in measured}


def test_ratios_are_those_of_the_seconds_and_matrix_methods_have_a_floor(quick):
    for cell in quick["cells"]:
        assert cell["ratio_low"] <= cell["ratio"] <= cell["ratio_high"]
        assert cell["ratio"] == pytest.approx(cell["step"] / cell["reference"])  # one repeat: the median is the pair
        if cell["ours"] and "Shampoo" in cell["group"]:
            assert cell["to_floor"] == pytest.approx(cell["step"] / cell["floor"])
            assert cell["to_floor_and_passes"] < cell["to_floor"]
            peers = {each["name"] for each in quick["cells"] if each["group"] == cell["group"] and not each["ours"]}
            assert set(cell["against"]) == peers
    text = markdown(quick)
    assert "| OneSidedShampoo, every 10 |" in text
    assert "| AdamW fused / AGD |" in text
    assert "not installed" in text or "Distributed Shampoo" in text


def test_packages_that_are_missing_or_refuse_are_left_out_with_the_reason():
    def missing(params):
        raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")

    with pytest.raises(Absent, match="not installed .nowhere."):
        Contestant("x", missing).on([], ())
    with pytest.raises(Absent, match="matrices only"):
        Contestant("x", missing, matrices_only=True).on([], ((3,),))


def test_members_of_a_pair_take_turns_and_whole_periods_are_timed():
    calls = []
    timed = {name: Timed(lambda name=name: calls.append(name), period) for name, period in (("a", 1), ("b", 7))}
    turns = paired(timed, repeats=3, least=1e-6)
    assert {name: len(each) for name, each in turns.seconds.items()} == {"a": 3, "b": 3}
    switches = "".join(name for k, name in enumerate(calls) if k == 0 or calls[k - 1] != name)
    assert switches.endswith("ababab")
    assert calls.count("b") % 7 == 0


def test_the_lists_are_those_of_the_networks():
    assert len(LISTS["ResNet-20"]) == 59
    assert sum(int(np.prod(shape)) for shape in LISTS["ResNet-20"]) == 269_722
    assert len(resnet50()) == 161
    assert sum(int(np.prod(shape)) for shape in resnet50()) == 25_557_032  # torchvision's count


def stepped(optimizer, sets, steps=2):
    for k in range(steps):
        for p, g in zip(optimizer.param_groups[0]["params"], sets[k % len(sets)], strict=True):
            p.grad = g
        optimizer.step()
    return optimizer


@pytest.mark.parametrize(
    "make",
    [
        AGD,
        lambda p: AGD(p, amsgrad=True),
        Shampoo,
        OneSidedShampoo,
        Jorge,
        lambda p: Shampoo(p, root="sandwich"),
        lambda p: Shampoo(p, grafting=None, momentum=0.0),
    ],
    ids=["AGD", "AMSGrad", "Shampoo", "OneSidedShampoo", "Jorge", "sandwich", "plain"],
)
def test_the_state_is_at_most_the_formula_and_five_percent(make):
    params = parameters(SHAPES, torch.float32, "cpu")
    optimizer = stepped(make(params), gradients(SHAPES, torch.float32, "cpu"))
    assert formula_bytes(optimizer) <= state_bytes(optimizer) <= 1.05 * formula_bytes(optimizer)


def test_a_state_that_keeps_more_is_seen():
    params = parameters(SHAPES, torch.float32, "cpu")
    optimizer = stepped(AGD(params), gradients(SHAPES, torch.float32, "cpu"))
    before = state_bytes(optimizer)
    optimizer.state[params[0]]["more"] = torch.zeros(1000)
    optimizer.state[params[0]]["view"] = optimizer.state[params[0]]["more"][:10]
    assert state_bytes(optimizer) == before + 4000


def test_the_floor_works_on_the_matrices_that_the_method_preconditions():
    params = parameters(SHAPES, torch.float32, "cpu")
    sets = gradients(SHAPES, torch.float32, "cpu")
    optimizer = Shampoo(params, max_size=16)
    sizes = sorted((tuple(G.shape), L.shape[-1]) for G, L, _ in stacks(optimizer, optimizer.param_groups[0], sets))
    # 24 × 16 is cut into two of 12 × 16; the convolution is 8 × 27, cut into 14 and 13.
    assert ((2, 12, 16), 12) in sizes
    assert ((2, 16, 12), 16) in sizes
    assert ((1, 8, 8), 8) in sizes
    assert ((1, 14, 8), 14) in sizes
    floor = linear_algebra(optimizer, sets)
    assert floor is not None
    assert floor.period == 10
    floor.run()
    assert (
        linear_algebra(Shampoo(parameters(((5,),), torch.float32, "cpu")), gradients(((5,),), torch.float32, "cpu"))
        is None
    )


def test_the_benchmark_of_training_runs_and_prints_its_table(tmp_path, capsys, monkeypatch):
    small = (lambda: training.mlp(12, 8, 10), (12,), 16)
    monkeypatch.setattr(training, "MODELS", {"small": small})
    file = tmp_path / "training.json"
    assert training.main(["--quick", "--json", str(file)]) == 0
    (each,) = json.loads(file.read_text())["epochs"]
    assert set(each["ratio"]) == {"scalar", "table", "fresh"}
    assert each["seconds"]["Gram products"] > 0
    assert "| small |" in capsys.readouterr().out


def test_gram_products_of_convolutions_are_those_of_the_samples():
    module = torch.nn.Conv2d(3, 4, 3, 2, 1, dtype=torch.float64)
    x = torch.randn(5, 3, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = module(x)
    g = torch.cos(torch.arange(out.numel(), dtype=torch.float64)).reshape(out.shape)
    found = training.per_sample(module, x, g)
    for k in range(5):
        expected = torch.autograd.grad(module(x[k : k + 1]), module.weight, g[k : k + 1])[0]
        torch.testing.assert_close(found[k], expected)
