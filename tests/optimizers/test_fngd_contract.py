"""FNGD as a torch optimizer: copies, saved states, groups, compiled models, mixed precision, and defaults that train."""

import copy
import gc
import io
import math

import pytest
import torch
from fngd_models import SHARES, apart, cross_entropy, directions, gradients_of, plain_gradients, problem, same, train
from torch import nn

from optimizers import FNGD

EXACT = 1e-11


# ---- copies and states


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copy_of_both_trains_on_as_the_original(share, how):
    torch.manual_seed(0)
    model = problem("mlp")[0]
    optimizer = FNGD(model, **SHARES[share])
    train(model, optimizer, 3)
    if how == "deepcopy":
        twin, theirs = copy.deepcopy((model, optimizer))
    else:
        buffer = io.BytesIO()
        torch.save((model, optimizer), buffer)
        buffer.seek(0)
        twin, theirs = torch.load(buffer, weights_only=False)
    assert same(train(model, optimizer, 6, seed=1), train(twin, theirs, 6, seed=1))
    assert all(p is not q for p, q in zip(model.parameters(), twin.parameters(), strict=True))


def test_a_copy_of_the_model_alone_is_a_plain_model():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, damping=0.01)
    twin = copy.deepcopy(model)
    cross_entropy(twin(X), y).backward()
    found = gradients_of(twin)
    optimizer.close()
    cross_entropy(model(X), y).backward()
    assert apart(found, gradients_of(model)) < EXACT


def test_a_deleted_optimizer_leaves_a_plain_model():
    model, X, y = problem("mlp")
    expected = {k: g.numpy() for k, g in plain_gradients(model, X, y).items()}
    optimizer = FNGD(model, damping=0.01)
    gc.disable()  # references alone must do
    try:
        del optimizer
        cross_entropy(model(X), y).backward()
    finally:
        gc.enable()
    assert apart(gradients_of(model), expected) < EXACT


def test_a_second_optimizer_takes_over_and_the_first_says_so():
    model, X, y = problem("mlp")
    expected = directions(model, X, y, 0.05)
    first = FNGD(model, damping=7.0)
    second = FNGD(model, damping=0.05)
    cross_entropy(model(X), y).backward()
    assert apart(gradients_of(model), expected) < EXACT
    with pytest.raises(RuntimeError, match="taken over"):
        first.step()
    second.step()


@pytest.mark.parametrize("share", SHARES)
def test_a_saved_run_goes_on_bit_for_bit(share):
    model = problem("mlp")[0]
    optimizer = FNGD(model, lr=0.03, damping=0.1, **SHARES[share])
    train(model, optimizer, 3)
    buffer = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, buffer)
    buffer.seek(0)
    saved = torch.load(buffer, weights_only=True)
    twin = problem("mlp", seed=5)[0]
    theirs = FNGD(twin, lr=9.0, **SHARES[share])
    twin.load_state_dict(saved["model"])
    theirs.load_state_dict(saved["optimizer"])
    assert same(train(model, optimizer, 6, seed=1), train(twin, theirs, 6, seed=1))


def test_the_state_of_another_optimizer_or_model_is_refused():
    model = problem("mlp")[0]
    optimizer = FNGD(model)
    with pytest.raises(ValueError, match="not that of FNGD"):
        optimizer.load_state_dict(torch.optim.SGD(model.parameters(), lr=0.1).state_dict())
    other = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 8, bias=False), nn.Linear(8, 3))
    theirs = FNGD(other)
    other(torch.randn(4, 5)).sum().backward()
    theirs.step()
    with pytest.raises(ValueError, match="another model"):
        optimizer.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_parameters_keep_single_precision_statistics(dtype):
    model = problem("mlp", dtype=torch.float32)[0].to(dtype)
    optimizer = FNGD(model, share="table")
    train(model, optimizer, 3)
    state = optimizer.state[model[0].weight]
    assert state["momentum_buffer"].dtype == torch.float32 and state["coefficients"]["table"].dtype == torch.float32
    twin = copy.deepcopy(model)
    theirs = FNGD(twin, share="table")
    theirs.load_state_dict(optimizer.state_dict())
    assert theirs.state[twin[0].weight]["momentum_buffer"].dtype == torch.float32
    assert same(train(model, optimizer, 2, seed=1), train(twin, theirs, 2, seed=1))


# ---- groups, schedulers, closures


def test_groups_that_are_added_are_looked_into():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh()).double()
    optimizer = FNGD(model, lr=0.1, damping=0.05)
    model.append(nn.Linear(8, 3).double())
    optimizer.add_param_group({"params": model[2].parameters(), "damping": 0.5, "lr": 0.0})
    X, y = torch.randn(6, 5).double(), torch.randint(3, (6,))
    fine, coarse = directions(model, X, y, 0.05), directions(model, X, y, 0.5)
    cross_entropy(model(X), y).backward()
    expected = {k: (coarse if k.startswith("2") else fine)[k] for k in fine}
    assert apart(gradients_of(model), expected) < EXACT
    before = model[2].weight.detach().clone()
    optimizer.step()
    assert torch.equal(before, model[2].weight)
    with pytest.raises(ValueError, match="damping"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))], "damping": -1.0})
    assert len(optimizer.param_groups) == 2


def test_another_step_size_for_what_takes_the_step_of_sgd():
    model = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 3))
    optimizer = FNGD(model, lr=0.1, sgd_lr=0.7, bias="sgd")
    by_lr = {group["lr"]: {tuple(p.shape) for p in group["params"]} for group in optimizer.param_groups}
    assert by_lr == {0.1: {(4, 5), (3, 4)}, 0.7: {(4,), (3,)}}


def test_schedulers_and_closures_work():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(model(X), y)
        loss.backward()
        return loss

    losses = []
    for _ in range(3):
        losses.append(optimizer.step(closure).item())
        scheduler.step()
    assert losses[0] > losses[1] > losses[2] and optimizer.param_groups[0]["lr"] == 0.1 / 8


def test_maximize_climbs():
    model, X, y = problem("mlp")
    twin = copy.deepcopy(model)
    ours, theirs = FNGD(model, maximize=True), FNGD(twin)
    for m, optimizer, sign in ((model, ours, 1.0), (twin, theirs, -1.0)):
        (sign * cross_entropy(m(X), y)).backward()
        optimizer.step()
    assert all(torch.allclose(p, q) for p, q in zip(model.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": -1.0}, "lr"),
        ({"damping": 0.0}, "damping"),
        ({"momentum": 1.0}, "momentum"),
        ({"share": "some"}, "share"),
        ({"window": 0}, "window"),
        ({"probe": None}, "probe"),
        ({"drift": -0.1}, "drift"),
        ({"measure": "feeling"}, "measure"),
        ({"bias": "none"}, "bias"),
        ({"reduction": "max"}, "reduction"),
        ({"accumulation": 0}, "accumulation"),
    ],
)
def test_options_that_are_not_allowed_are_named(options, words):
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=words):
        FNGD(model, **options)
    assert not model._forward_hooks and not model._forward_pre_hooks


def test_parameters_in_place_of_a_model_are_refused():
    with pytest.raises(TypeError, match="model itself"):
        FNGD(nn.Linear(2, 2).parameters())


def test_sharded_parameters_are_refused_before_anything_is_hooked():
    class Sharded(nn.Parameter):
        placements = (type("Shard", (), {"is_shard": lambda self: True})(),)

    model = nn.Linear(2, 2)
    model.weight = Sharded(torch.zeros(2, 2))
    with pytest.raises(TypeError, match="whole tensors"):
        FNGD(model)
    assert not model._forward_hooks


@pytest.mark.filterwarnings("ignore")  # the compiler warns of what it does itself
def test_a_compiled_model_takes_the_same_steps():
    found = []
    for compiled in (False, True):
        model, X, y = problem("mlp")
        optimizer = FNGD(model, damping=0.05, share="scalar", window=2, refresh=4)
        called = torch.compile(model, backend="eager") if compiled else model
        for _ in range(6):  # hooks come and go
            optimizer.zero_grad()
            cross_entropy(called(X), y).backward()
            optimizer.step()
        found.append([p.detach().clone() for p in model.parameters()])
    torch.compiler.reset()
    assert all(torch.allclose(p, q, rtol=1e-12) for p, q in zip(*found, strict=True))


# ---- mixed precision


def scaled_run(with_scaler, steps=4, **options) -> list[torch.Tensor]:
    model, X, y = problem("mlp")
    optimizer = FNGD(model, lr=0.05, damping=0.05, **options)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = cross_entropy(model(X), y)
        if with_scaler is None:
            loss.backward()
            optimizer.step()
            continue
        with_scaler.scale(loss).backward()
        with_scaler.step(optimizer)
        with_scaler.update()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("options", [{}, {"share": "scalar", "window": 2}], ids=["fresh", "scalar"])
def test_a_grad_scaler_changes_nothing_when_it_is_told_of(options):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12, growth_interval=2)
    found = scaled_run(scaler, scaler=scaler, **options)
    assert all(torch.allclose(p, q, rtol=1e-12) for p, q in zip(found, scaled_run(None, **options), strict=True))


def test_a_grad_scaler_that_is_not_told_of_is_refused():
    with pytest.raises(RuntimeError, match="scaler=scaler"):
        scaled_run(torch.amp.GradScaler("cpu"))


def test_an_overflow_skips_the_step_and_halves_the_scale():
    model, X, y = problem("mlp")
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    optimizer = FNGD(model, scaler=scaler)
    before = [p.detach().clone() for p in model.parameters()]
    scaler.scale(cross_entropy(model(X), y) * math.inf).backward()
    scaler.step(optimizer)
    scaler.update()
    assert same(before, model.parameters()) and scaler.get_scale() == 4.0


def test_autocast_leaves_the_products_in_single_precision():
    model, X, y = problem("mlp", dtype=torch.float32)
    expected = directions(model, X, y, 0.5)
    optimizer = FNGD(model, damping=0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cross_entropy(model(X), y).backward()
    assert all(p.grad.dtype == torch.float32 for p in model.parameters())
    assert apart(gradients_of(model), expected) < 0.05  # activations have eight bits
    optimizer.step()


# ---- defaults


@pytest.mark.parametrize("share", SHARES)
def test_the_defaults_train_a_classifier(share):
    from sklearn.datasets import load_digits

    data = load_digits()
    X, y = torch.tensor(data.data / 16.0, dtype=torch.float32), torch.tensor(data.target)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = FNGD(model, share=share)
    for _ in range(6):
        for ids in torch.randperm(len(X)).split(64):
            optimizer.zero_grad()
            with optimizer.samples(ids):
                cross_entropy(model(X[ids]), y[ids]).backward()
            optimizer.step()
    assert float((model(X).argmax(1) == y).float().mean()) > 0.93
