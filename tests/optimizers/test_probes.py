"""Every optimizer here works, or refuses with a clear error and nothing changed, in every situation that the probes make."""

import copy
import json
from pathlib import Path

import pytest
import torch
from torch.optim import Optimizer

from benchmarks.robust.judge import Broken, Refused, refusing
from benchmarks.robust.makers import OURS
from benchmarks.robust.models import apart, mlp, snapshot, train, unchanged
from benchmarks.robust.page import columns, markdown, page, table
from benchmarks.robust.probes import PROBES, outcome
from benchmarks.robustness import matrix

REFUSED = {"NaN or infinite gradient", "state_dict of another optimizer"}


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("name", OURS)
def test_it_works_or_is_refused_with_nothing_changed(name, probe):
    kind, reason = outcome(probe, OURS[name])
    assert kind == ("refuses" if probe in REFUSED else "works"), reason


class Opaque:
    """What torch.load(weights_only=True) does not load."""


class Faulty(Optimizer):
    """Momentum with one fault, by name."""

    def __init__(self, model, fault, scaler=None):
        super().__init__(list(model.parameters()), {"lr": 0.05})
        self.fault, self.first, self.aside = fault, 0.05, {}
        self._step_supports_amp_scaling = fault == "keeps the scale"

    def __deepcopy__(self, memo):
        if self.fault != "copies apart from the model":
            new = object.__new__(type(self))
            memo[id(self)] = new
            new.__dict__.update(copy.deepcopy(self.__dict__, memo))
            return new
        return self

    def step(self, closure=None):
        with torch.no_grad():
            loss = None if closure is None or self.fault == "forgets the loss" else self.evaluated(closure)
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None or self.fault == "moves without gradient":
                        self.move(p, group["lr"])
        return loss

    def evaluated(self, closure):
        with torch.enable_grad():
            return closure()

    def move(self, p, lr):
        state, fault = (
            self.aside.setdefault(id(p), {}) if self.fault == "keeps state aside" else self.state[p],
            self.fault,
        )
        g = torch.ones_like(p) if p.grad is None else p.grad
        if fault == "divides by the sum of squares":
            state["sum"] = state.get("sum", 0.0) + g * g
            g = g / state["sum"].sqrt()
        if fault == "inverts":
            g = torch.linalg.inv(g @ g.T) @ g if g.ndim == 2 else g
        if fault == "takes the largest entry" and g.numel() == 0:
            g.max()
        if fault == "asks for rows":
            lr = lr * p.shape[0] / p.shape[0]
        state["momentum"] = 0.9 * state.get("momentum", 0.0) + 0.1 * g
        state["momentum"] = state["momentum"].to(p.dtype)
        if fault == "keeps an object":
            state["plan"] = Opaque()
        sign = 1.0 if fault == "climbs" else -1.0
        p.add_(state["momentum"], alpha=sign * (self.first if fault == "keeps its learning rate" else lr))
        if fault == "widens parameters":
            p.data = p.data.float()

    def add_param_group(self, param_group):
        if getattr(self, "fault", "") == "takes no group":
            raise KeyError("use")
        super().add_param_group(param_group)


FAULTS = {
    "dead row and column": "divides by the sum of squares",
    "zero gradients": "divides by the sum of squares",
    "NaN or infinite gradient": "",
    "rank one": "inverts",
    "empty tensor": "takes the largest entry",
    "0-d, 1-d, 3-d, 4-d": "asks for rows",
    "bfloat16": "widens parameters",
    "bfloat16 keeps float32 statistics": "",
    "deepcopy": "copies apart from the model",
    "weights_only loading": "keeps an object",
    "resumed training, bitwise": "keeps state aside",
    "add_param_group": "takes no group",
    "closure": "forgets the loss",
    "frozen parameters": "moves without gradient",
    "shared parameters": "climbs",
    "state_dict of another optimizer": "",
    "learning rate schedulers": "keeps its learning rate",
    "GradScaler": "keeps the scale",
    "defaults train": "climbs",
}
PLAIN = {probe for probe, fault in FAULTS.items() if not fault}  # what torch's own optimizers fail as well


@pytest.mark.parametrize("probe", PROBES)
def test_every_probe_finds_the_fault_that_it_is_for(probe):
    kind, reason = outcome(probe, lambda model, scaler=None: Faulty(model, FAULTS[probe]))
    assert kind == "fails", reason


@pytest.mark.parametrize("probe", sorted(set(PROBES) - PLAIN))
def test_no_probe_blames_an_optimizer_without_that_fault(probe):
    assert outcome(probe, lambda model, scaler=None: Faulty(model, "")) == ("works", "")


def wordless():
    raise ValueError("no")


def test_an_error_after_a_change_is_no_refusal():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, optimizer, range(1))

    def change_then_raise():
        optimizer.step()
        raise ValueError("this gradient is not one that I can take")

    with pytest.raises(Broken, match="after the state had changed"):
        refusing(model, optimizer, change_then_raise)
    with pytest.raises(Refused):
        refusing(model, optimizer, lambda: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(Broken, match="explains nothing"):
        refusing(model, optimizer, wordless)
    assert not refusing(model, optimizer, lambda: None)


def test_a_change_of_a_parameter_or_of_the_state_is_seen():
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    train(model, optimizer, range(2))
    before = snapshot(model, optimizer)
    assert unchanged(before, model, optimizer)
    next(iter(optimizer.state.values()))["exp_avg"][0] += 1e-7
    assert not unchanged(before, model, optimizer)
    before = snapshot(model, optimizer)
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1e-6
    assert not unchanged(before, model, optimizer)


def test_the_matrix_has_every_probe_and_says_why_one_failed():
    found = matrix(
        {"AdamW": lambda model, scaler=None: torch.optim.AdamW(model.parameters())},
        ("closure", "bfloat16", "NaN or infinite gradient"),
    )
    assert {kind for kind, _ in found["outcomes"]["AdamW"].values()} == {"works", "fails"}
    text = markdown(found)
    assert "| closure | ✓ |" in text
    assert "| NaN or infinite gradient | ✗ |" in text
    assert "| **fails** | **1** |" in text
    assert "AdamW, NaN or infinite gradient: nan spreads" in text


HOUSE = Path(__file__).parents[2]
STORED = json.loads((HOUSE / "benchmarks" / "results" / "robustness.json").read_text(encoding="utf-8"))


def test_the_page_is_what_the_stored_outcomes_say():
    assert (HOUSE / "docs" / "robustness.md").read_text(encoding="utf-8") == page(STORED) + "\n"


def test_the_stored_outcomes_are_of_these_probes_and_of_every_optimizer_here():
    assert set(OURS) <= set(STORED["outcomes"])
    assert not STORED["absent"]
    for row in STORED["outcomes"].values():
        assert list(row) == list(PROBES)


def test_optimizers_here_share_a_column_only_while_they_do_not_differ():
    assert list(columns(STORED))[0] == f"all {len(OURS)} here"
    other = copy.deepcopy(STORED)
    other["outcomes"]["Shampoo"]["closure"] = ["fails", "another way"]
    assert set(OURS) <= set(columns(other))
    assert page(other) != page(STORED)


def test_the_short_matrix_leaves_out_only_what_fails_nowhere():
    full, short = table(STORED).splitlines(), table(STORED, differing=True).splitlines()
    assert set(short) <= set(full)
    assert full[-1] == short[-1]  # the counts are of all probes
    assert [line for line in full[2:-1] if "✗" in line] == short[2:-1]


class Drawing(Optimizer):
    """Gradient descent with noise from the global state."""

    def __init__(self, model, scaler=None):
        super().__init__(list(model.parameters()), {"lr": 0.05})

    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure() if closure else None
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.add_(p.grad + 1e-3 * torch.randn_like(p), alpha=-group["lr"])
        return loss


@pytest.mark.parametrize("probe", ["resumed training, bitwise", "closure", "deepcopy"])
def test_an_optimizer_that_draws_numbers_is_compared_with_itself(probe):
    assert outcome(probe, Drawing) == ("works", "")


def test_probes_leave_the_global_random_states_alone():
    before = torch.get_rng_state()
    outcome("closure", Drawing)
    assert torch.equal(torch.get_rng_state(), before)
    with apart():
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_readme_has_the_matrix():
    assert table(STORED, differing=True) in (HOUSE / "README.md").read_text(encoding="utf-8")
