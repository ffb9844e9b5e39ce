"""The Shampoo family takes over only states that can be its own, and Jorge's schedule fits runs of any length."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from optimizers import Jorge, OneSidedShampoo, Shampoo

FAMILY = {"Shampoo": (Shampoo, {}), "one side": (OneSidedShampoo, {"refresh": "certificate"}), "Jorge": (Jorge, {})}


def trained(kind, options, shape=(4, 3)):
    p = torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    optimizer = kind([p], **options)
    for t in range(3):
        p.grad = torch.randn(shape, generator=torch.Generator().manual_seed(1 + t))
        optimizer.step()
    return p, optimizer


def blocks(state):
    return next(value for name, value in state.items() if isinstance(value, list) and not name.endswith("stale"))


def put(name, value):
    return lambda state: state.update({name: value})


SPOILED = {
    "no step": lambda state: state.pop("step"),
    "a step that is a word": put("step", "3"),
    "a step that is a truth": put("step", True),
    "a negative step": put("step", -1),
    "NaN in a block": lambda state: blocks(state)[0].fill_(math.nan),
    "infinity in the momentum": lambda state: state["momentum"].fill_(math.inf),
    "a momentum of integers": put("momentum", torch.zeros(4, 3, dtype=torch.int64)),
    "a momentum in half precision": put("momentum", torch.zeros(4, 3).half()),
    "a momentum of another shape": put("momentum", torch.zeros(3, 4)),
    "a momentum that is a list": put("momentum", [0.0]),
    "a second moment below zero": put("second_moment", torch.full((4, 3), -1.0)),
    "a block that is not square": put("left_root", [torch.zeros(4, 3)]),
    "a block of another size": put("left_root", [torch.zeros(5, 5)]),
    "a block that is no tensor": put("left_root", [None]),
    "no block at all": put("left_root", []),
    "a statistic below zero": put("left_statistic", [-torch.eye(4)]),
    "a side that does not exist": put("top_root", [torch.eye(4)]),
    "Adam's average": put("exp_avg", torch.zeros(4, 3)),
    "a name that is a number": put(7, torch.zeros(4, 3)),
}


@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize("name", FAMILY)
def test_a_spoiled_state_is_refused_before_anything_changes(name, spoiled):
    _, optimizer = trained(*FAMILY[name])
    saved, before = copy.deepcopy(optimizer.state_dict()), str(optimizer.state_dict())
    optimizer.load_state_dict(copy.deepcopy(saved))  # what is not spoiled is taken
    SPOILED[spoiled](saved["state"][0])
    saved["param_groups"][0]["lr"] = 0.7
    with pytest.raises(ValueError, match="unchanged"):
        optimizer.load_state_dict(saved)
    assert str(optimizer.state_dict()) == before


def test_blocks_of_two_cuts_in_one_side_are_refused():
    _, optimizer = trained(Shampoo, {"max_size": 2})
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0]["left_root"] = [torch.eye(4)]
    with pytest.raises(ValueError, match="as many blocks"):
        optimizer.load_state_dict(saved)


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        ((Jorge, {}), (Shampoo, {}), "Jorge's root"),
        ((Shampoo, {}), (OneSidedShampoo, {}), "have a side"),
        ((Jorge, {}), (OneSidedShampoo, {"root": "sandwich"}), "have a side"),
        ((OneSidedShampoo, {}), (Shampoo, {}), "have no side"),
    ],
)
def test_the_state_of_a_relative_is_refused_and_nothing_changes(mine, theirs, words):
    _, optimizer = trained(*mine)
    _, other = trained(*theirs)
    before = str(optimizer.state_dict())
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(other.state_dict())
    assert str(optimizer.state_dict()) == before


def test_another_root_is_no_jorge_in_the_middle_either():
    p, optimizer = trained(Jorge, {})
    optimizer.param_groups[0]["root"] = "eigh"
    before = p.detach().clone()
    with pytest.raises(ValueError, match="Jorge's root"):
        optimizer.step()
    assert torch.equal(p, before)


@pytest.mark.parametrize(("epochs", "rates"), [
    (1, [1.0]), (2, [1.0, 0.1]), (3, [1.0, 0.1, 0.01]), (4, [1.0, 0.1, 0.1, 0.01]), (6, [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]),
])  # fmt: skip
def test_the_schedule_of_a_short_run_begins_with_the_whole_learning_rate(epochs, rates):
    p = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = Jorge([p], lr=1.0)
    schedule, seen = Jorge.step_decay(optimizer, epochs), []
    for _ in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        p.grad = torch.ones(2, 2)
        optimizer.step()
        schedule.step()
    assert seen == pytest.approx(rates)


@pytest.mark.parametrize("epochs", [0, -3, 2.5, True, "3"])
def test_a_number_of_epochs_that_is_none_is_refused(epochs):
    with pytest.raises(ValueError, match="epochs must be"):
        Jorge.step_decay(Jorge([torch.nn.Parameter(torch.ones(2, 2))]), epochs)
