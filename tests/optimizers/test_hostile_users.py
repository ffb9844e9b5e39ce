"""What users do to an optimizer and its parameters between two steps either works or is refused whole, by name."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler, swa_utils

from benchmarks.robust.makers import OURS
from benchmarks.robust.models import loss_of, mlp, snapshot, train, unchanged

NAMES = [name for name in OURS if name not in ("Shampoo", "Shampoo, sandwich", "Jorge, sandwich", "OneSidedShampoo")]
every = pytest.mark.parametrize("name", NAMES)
WITHOUT_MOMENTUM = ("AdaGradNorm", "FullMatrixAdaGrad")


def begun(name, steps=2):
    model = mlp()
    optimizer = OURS[name](model)
    train(model, optimizer, range(steps))
    return model, optimizer


def same(one, other):
    return all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


# ---- options


@every
def test_a_learning_rate_may_be_a_tensor(name):
    (model, optimizer), (twin, plain) = begun(name, 0), begun(name, 0)
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(group["lr"], dtype=torch.float64)
    train(model, optimizer, range(4)), train(twin, plain, range(4))
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for group in optimizer.param_groups:
        group["lr"].fill_(-1.0)
    before = snapshot(model, optimizer)
    with pytest.raises(ValueError, match="lr must be"):
        train(model, optimizer, range(4, 5))
    assert unchanged(before, model, optimizer)


@every
@pytest.mark.parametrize("value", [None, "0.1", True, torch.ones(2), [0.1], math.inf])
def test_a_learning_rate_that_is_no_number_is_refused(name, value):
    model, optimizer = begun(name, 1)
    before = snapshot(model, optimizer)
    optimizer.param_groups[0]["lr"] = value
    with pytest.raises(ValueError, match="lr must be a"):
        train(model, optimizer, range(1, 2))
    assert unchanged(before, model, optimizer)


@every
def test_a_learning_rate_of_zero_moves_nothing_and_keeps_learning(name):
    model, optimizer = begun(name)
    before = copy.deepcopy(model)
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    train(model, optimizer, range(2, 4))
    assert same(model, before)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    train(model, optimizer, range(4, 5))
    assert not same(model, before)


SCHEDULES = {
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.05, total_steps=8),
    "cycles": lambda o: lr_scheduler.CyclicLR(o, 1e-4, 1e-2, step_size_up=3),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    "warm-up, then polynomial": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.PolynomialLR(o, 5)], [3]
    ),
    "a chain": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "averages": lambda o: swa_utils.SWALR(o, swa_lr=1e-3),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", OURS)
def test_every_schedule_works_and_those_that_cycle_a_momentum_say_so_where_there_is_none(name, schedule):
    model, optimizer = begun(name)
    if schedule in ("one cycle", "cycles") and name in WITHOUT_MOMENTUM:
        with pytest.raises(ValueError, match="must support momentum"):
            SCHEDULES[schedule](optimizer)
        return
    start, plan = copy.deepcopy(model), SCHEDULES[schedule](optimizer)
    momenta = set()
    for t in range(7):
        train(model, optimizer, range(t, t + 1))
        plan.step()
        group = optimizer.param_groups[0]
        momenta.add(group["betas"][0] if "betas" in group else group.get("momentum"))
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters()) and not same(model, start)
    assert (len(momenta) > 3) == (schedule in ("one cycle", "cycles"))


# ---- parameters


@every
def test_a_parameter_that_is_frozen_for_a_while_stays_and_goes_on(name):
    model, optimizer = begun(name)
    weight = model[0].weight
    weight.requires_grad_(False)
    kept = weight.clone()
    train(model, optimizer, range(2, 5))
    assert torch.equal(weight, kept)
    weight.requires_grad_(True)
    train(model, optimizer, range(5, 7))
    assert not torch.equal(weight, kept)


@every
def test_a_resized_parameter_is_refused_until_its_state_is_dropped(name):
    model, optimizer = begun(name)
    model[2].weight.data, model[2].bias.data = torch.randn(7, 8), torch.zeros(7)
    optimizer.zero_grad()
    model(torch.randn(16, 6)).square().sum().backward()
    before = snapshot(model, optimizer)
    with pytest.raises(ValueError, match="was resized from .* to .*unchanged"):
        optimizer.step()
    assert unchanged(before, model, optimizer)
    optimizer.state.clear()
    optimizer.zero_grad()
    model(torch.randn(16, 6)).square().sum().backward()
    # One scalar per layer: what was dropped with the state was the weight between windows.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*did not come from a call of its module", category=UserWarning)
        optimizer.step()
    assert not unchanged(before, model, optimizer)


@every
def test_a_gradient_of_another_shape_is_refused(name):
    """As many entries, in other places: an elementwise step on flat memory would take it."""
    model, optimizer = begun(name)
    optimizer.zero_grad()
    loss_of(model, 2).backward()
    model[2].weight.data = torch.randn(8, 4)
    before = snapshot(model, optimizer)
    with pytest.raises(ValueError, match="has a gradient of shape"):
        optimizer.step()
    assert unchanged(before, model, optimizer)


@every
def test_complex_parameters_are_refused(name):
    with pytest.raises(TypeError, match="must be real"):
        OURS[name](nn.Linear(3, 2, dtype=torch.complex64))


@every
def test_sparse_gradients_are_refused_and_nothing_changes(name):
    model = nn.Sequential(nn.Embedding(10, 4, sparse=True), nn.Linear(4, 2))
    optimizer = OURS[name](model)
    model(torch.tensor([1, 2])).sum().backward()
    before = snapshot(model, optimizer)
    with pytest.raises(TypeError, match="dense gradients"):
        optimizer.step()
    assert unchanged(before, model, optimizer)


@every
def test_tied_weights_stay_tied_and_parametrized_ones_train(name):
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Linear(6, 4))
    model[2].weight = model[0].weight
    nn.utils.parametrizations.weight_norm(model[3])
    optimizer, start = OURS[name](model), copy.deepcopy(model)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*did not come from a call of its module", category=UserWarning)
        train(model, optimizer, range(3))
    assert model[2].weight is model[0].weight
    assert not any(torch.equal(p, q) for p, q in zip(model.parameters(), start.parameters(), strict=True))


# ---- steps


@every
def test_a_closure_that_raises_changes_nothing(name):
    model, optimizer = begun(name)
    before = snapshot(model, optimizer)

    def closure():
        optimizer.zero_grad()
        loss_of(model, 2).backward()
        raise KeyError("the closure's own")

    with pytest.raises(KeyError, match="the closure's own"):
        optimizer.step(closure)
    assert unchanged(before, model, optimizer)
    train(model, optimizer, range(2, 3))
    assert not unchanged(before, model, optimizer)


def test_a_warning_points_at_the_line_that_took_the_step():
    model, optimizer = begun("FNGD")
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    with pytest.warns(UserWarning, match="did not come from a call of its module") as seen:
        optimizer.step()
    assert {warning.filename for warning in seen} == {__file__}


@every
def test_gradients_may_be_set_to_zero_in_place(name):
    (model, optimizer), (twin, plain) = begun(name, 0), begun(name, 0)
    for t in range(4):
        optimizer.zero_grad(set_to_none=False)
        loss_of(model, t).backward()
        optimizer.step()
    train(twin, plain, range(4))
    assert same(model, twin)


@every
def test_hooks_around_a_step_are_called_and_a_pickled_copy_goes_on_as_the_original(name):
    model, optimizer = begun(name)
    seen = []
    handles = [
        optimizer.register_step_pre_hook(lambda *_: seen.append("before")),
        optimizer.register_step_post_hook(lambda *_: seen.append("after")),
    ]
    train(model, optimizer, range(2, 4))
    assert seen == ["before", "after"] * 2
    for handle in handles:
        handle.remove()
    twin, other = pickle.loads(pickle.dumps((model, optimizer)))
    train(model, optimizer, range(4, 6)), train(twin, other, range(4, 6))
    assert same(model, twin)


@every
def test_averaged_models_follow(name):
    model, optimizer = begun(name, 0)
    averages = [
        swa_utils.AveragedModel(model),
        swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.5)),
    ]
    for t in range(3):
        train(model, optimizer, range(t, t + 1))
        for average in averages:
            average.update_parameters(model)
    with torch.no_grad():
        outputs = [each(torch.ones(2, 6)) for each in (*averages, model)]
    assert all(bool(torch.isfinite(y).all()) for y in outputs) and not torch.equal(outputs[0], outputs[2])


# ---- loading


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [t for entry in entries for t in tensors(entry)]


@every
def test_hooks_before_and_after_loading_have_their_say(name):
    model, optimizer = begun(name)
    twin, other = begun(name, 0)

    def cleared(_, saved):
        saved = copy.deepcopy(saved)
        for t in tensors(saved["state"]):
            t.zero_()
        return saved

    found = []
    other.register_load_state_dict_pre_hook(cleared)
    other.register_load_state_dict_post_hook(lambda each: found.append(sum(map(len, each.state.values()))))
    other.load_state_dict(optimizer.state_dict())
    assert not any(bool(t.any()) for t in tensors(dict(other.state)))
    assert found == [sum(map(len, optimizer.state.values()))]


@every
def test_what_a_hook_spoils_is_refused(name):
    model, optimizer = begun(name)
    before = snapshot(model, optimizer)

    def spoiled(_, saved):
        saved = copy.deepcopy(saved)
        saved["param_groups"][0]["lr"] = -1.0
        return saved

    handle = optimizer.register_load_state_dict_pre_hook(spoiled)
    with pytest.raises(ValueError, match="lr must be"):
        optimizer.load_state_dict(optimizer.state_dict())
    handle.remove()
    assert unchanged(before, model, optimizer) and optimizer.param_groups[0]["lr"] > 0
    optimizer.load_state_dict(optimizer.state_dict())
