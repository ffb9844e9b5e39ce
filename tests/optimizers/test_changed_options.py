"""An option that is changed in the middle of a run, or loaded, is looked at like one that is given at the beginning."""

from __future__ import annotations

import copy

import pytest
import torch

from benchmarks.robust.makers import OURS
from benchmarks.robust.models import mlp, snapshot, train, unchanged


@pytest.mark.parametrize("name", OURS)
def test_a_wrong_learning_rate_in_the_middle_is_refused_before_anything_changes(name):
    model = mlp()
    optimizer = OURS[name](model)
    train(model, optimizer, range(2))
    before = snapshot(model, optimizer)
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.param_groups[-1]["lr"] = -1.0
    with pytest.raises(ValueError, match="lr must be"):
        optimizer.step()
    optimizer.param_groups[-1]["lr"] = rates[-1]
    assert unchanged(before, model, optimizer)
    optimizer.param_groups[0]["lr"] = 0.5 * rates[0]
    train(model, optimizer, range(1))


@pytest.mark.parametrize("name", OURS)
def test_a_loaded_learning_rate_that_is_not_allowed_is_refused(name):
    model = mlp()
    optimizer = OURS[name](model)
    train(model, optimizer, range(2))
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["lr"] = float("nan")
    before = snapshot(model, optimizer)
    with pytest.raises(ValueError, match="lr must be"):
        optimizer.load_state_dict(saved)
    assert unchanged(before, model, optimizer)


def test_a_later_group_is_looked_at_before_the_first_one_moves():
    from optimizers import Jorge

    first, second = (torch.nn.Parameter(torch.eye(3)) for _ in range(2))
    optimizer = Jorge([{"params": [first]}, {"params": [second]}])
    first.grad = second.grad = torch.ones(3, 3)
    optimizer.param_groups[1]["order"] = 0
    with pytest.raises(ValueError, match="order"):
        optimizer.step()
    assert torch.equal(first, torch.eye(3))
