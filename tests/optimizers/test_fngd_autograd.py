"""FNGD and autograd: other backward passes, checkpoints, frozen and tied weights, batches of one and of none."""

import copy
import math

import numpy as np
import pytest
import torch
from fngd_models import SHARES, apart, cross_entropy, directions, gradients_of, plain_gradients, problem, same, train
from torch import nn
from torch.utils.checkpoint import checkpoint

from optimizers import FNGD

EXACT = 1e-11


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_graph_whose_weights_have_moved_is_not_differentiated(momentum):
    model, X, y = problem("mlp")
    optimizer = FNGD(model, momentum=momentum)
    loss = cross_entropy(model(X), y)
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("share", ["none", "scalar"])
def test_a_compiled_step_is_the_step(share):
    found = []
    for compiled in (False, True):
        model, X, y = problem("mlp")
        optimizer = FNGD(model, share=share, momentum=0.9)
        step = torch.compile(optimizer.step, backend="aot_eager") if compiled else optimizer.step
        for _ in range(3):
            optimizer.zero_grad()
            cross_entropy(model(X), y).backward()
            step()
        found.append([p.detach().clone() for p in model.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)  # the same sums in another order


def test_other_backward_passes_leave_no_trace():
    model, X, y = problem("mlp")
    expected = directions(model, X, y, 0.05)
    optimizer = FNGD(model, damping=0.05)
    with torch.no_grad():
        model(X)
    model(2 * X)  # never differentiated
    attacked = X.clone().requires_grad_()
    loss = cross_entropy(model(attacked), y)
    torch.autograd.grad(loss, attacked, retain_graph=True)
    loss.backward()  # the same graph again
    assert apart(gradients_of(model), expected) < EXACT
    optimizer.step()


def test_gradients_may_be_cleared_by_the_model():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, lr=0.01, damping=0.05)
    for _ in range(3):
        expected = directions(model, X, y, 0.05)
        model.zero_grad()
        cross_entropy(model(X), y).backward()
        assert apart(gradients_of(model), expected) < EXACT
        optimizer.step()  # without a warning of several batches


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_recompute_without_harm(reentrant):
    model, X, y = problem("mlp")
    expected = directions(model, X, y, 0.05)
    optimizer = FNGD(model, damping=0.05)
    X.requires_grad_()
    cross_entropy(model[2:](checkpoint(model[:2], X, use_reentrant=reentrant)), y).backward()
    assert apart(gradients_of(model), expected) < EXACT
    optimizer.step()


def test_a_second_derivative_is_refused_and_possible_while_paused():
    model, X, y = problem("mlp")
    optimizer = FNGD(model)
    X.requires_grad_()
    with pytest.raises(RuntimeError, match="paused"):
        torch.autograd.grad(cross_entropy(model(X), y), X, create_graph=True)
    with optimizer.paused():
        (g,) = torch.autograd.grad(cross_entropy(model(X), y), X, create_graph=True)
        (g**2).sum().backward()
    assert all(layer.hooked for layer in optimizer.layers) and float(model[0].weight.grad.abs().sum()) > 0


@pytest.mark.parametrize("share", SHARES)
def test_a_step_with_plain_gradients_is_one_of_sgd_and_warned_of(share):
    for how in ("paused", "closed"):
        model, X, y = problem("mlp")
        optimizer = FNGD(model, lr=0.1, momentum=0.0, **SHARES[share])
        expected = {
            k: p.detach() - 0.1 * g
            for (k, p), g in zip(model.named_parameters(), plain_gradients(model, X, y).values(), strict=True)
        }
        with optimizer.paused():
            cross_entropy(model(X), y).backward()
        if how == "closed":
            optimizer.close()
        with pytest.warns(UserWarning, match="as SGD does"):
            optimizer.step()
        assert all(torch.allclose(p, expected[k], rtol=1e-12) for k, p in model.named_parameters())


def test_a_model_that_raises_an_error_stays_trainable():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, damping=0.05)
    with pytest.raises(RuntimeError, match="shapes"):
        model(X[:, :3])
    assert all(p.requires_grad for p in model.parameters())
    cross_entropy(model(X), y).backward()
    assert apart(gradients_of(model), directions(model, X, y, 0.05)) < EXACT
    optimizer.step()


def test_what_is_changed_after_it_was_seen_is_an_error_as_without_us():
    model, X, y = problem("mlp")
    optimizer = FNGD(model)
    loss = cross_entropy(model(X), y)
    X.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    optimizer.zero_grad()


def test_frozen_weights_stay_and_frozen_biases_do_not_count():
    model, X, y = problem("mlp")
    model[0].weight.requires_grad_(False)
    model[4].bias.requires_grad_(False)
    optimizer = FNGD(model, damping=0.05)
    cross_entropy(model(X), y).backward()
    plain = plain_gradients(model, X, y)
    assert model[0].weight.grad is None and model[4].bias.grad is None
    assert torch.allclose(model[0].bias.grad, plain["0.bias"], rtol=1e-12)  # by SGD
    before = [model[0].weight.clone(), model[4].bias.clone()]
    optimizer.step()
    assert same(before, [model[0].weight, model[4].bias])
    model, X, y = problem("mlp")
    expected = directions(model, X, y, 0.05, bias=False)["4.weight"]
    model[4].bias.requires_grad_(False)
    kept = FNGD(model, damping=0.05)
    cross_entropy(model(X), y).backward()
    assert np.allclose(model[4].weight.grad.numpy(), expected, rtol=1e-10, atol=1e-14) and kept.layers


def test_weights_that_are_tied_or_used_elsewhere_take_the_step_of_sgd():
    torch.manual_seed(0)

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.out.weight = self.embed.weight

        def forward(self, x):
            h = self.embed(x)
            return self.out((h + self.attention(h, h, h, need_weights=False)[0]).mean(1))

    model, X, y = Tied().double(), torch.randint(7, (5, 3)), torch.randint(7, (5,))
    plain = {k: g.numpy() for k, g in plain_gradients(model, X, y).items()}
    optimizer = FNGD(model)
    cross_entropy(model(X), y).backward()
    assert apart(gradients_of(model), plain) < EXACT and optimizer.layers == []
    optimizer.step()


def test_a_gradient_that_came_around_the_module_is_warned_of():
    model = nn.Linear(5, 3)
    optimizer = FNGD(model)
    nn.functional.linear(torch.randn(4, 5), model.weight).sum().backward()
    with pytest.warns(UserWarning, match="did not come from a call of its module"):
        optimizer.step()


@pytest.mark.parametrize("model", [nn.Linear(5, 3), nn.Conv2d(2, 3, 2)], ids=["linear", "convolution"])
def test_one_sample_without_a_batch_axis_and_no_sample_at_all(model):
    optimizer = FNGD(model, damping=0.1)
    single = torch.randn(5) if isinstance(model, nn.Linear) else torch.randn(2, 4, 4)
    found = []
    for X in (single, single[None]):
        optimizer.zero_grad()
        model(X).square().sum().backward()
        found.append(model.weight.grad.clone())
    assert torch.allclose(found[0], found[1], rtol=1e-5)
    optimizer.zero_grad()
    model(single[None][:0]).sum().backward()
    assert float(model.weight.grad.abs().sum()) == 0.0
    optimizer.step()


@pytest.mark.parametrize("share", SHARES)
def test_zero_gradients_move_nothing(share):
    model, X, y = problem("mlp")
    optimizer = FNGD(model, **SHARES[share])
    before = [p.detach().clone() for p in model.parameters()]
    for _ in range(4):
        optimizer.zero_grad()
        with optimizer.samples(range(7)):
            (0.0 * model(X)).sum().backward()
        optimizer.step()
    assert same(before, model.parameters())


def test_nan_and_infinity_are_refused_with_everything_unchanged():
    for bad in (math.nan, math.inf):
        model, X, y = problem("mlp")
        optimizer = FNGD(model)
        train(model, optimizer, 2)
        before, state = [p.detach().clone() for p in model.parameters()], copy.deepcopy(optimizer.state_dict())
        optimizer.zero_grad()
        (model(X).sum() * bad).backward()
        with pytest.raises(ValueError, match="NaN or infinite"):
            optimizer.step()
        assert same(before, model.parameters())
        assert str(state) == str(optimizer.state_dict())
        optimizer.zero_grad()
        train(model, optimizer, 1)


def test_a_layer_used_around_and_inside_of_a_checkpoint_loses_no_use():
    """The backward pass inside a reentrant checkpoint threw away what the outer one had seen of the layer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4)).double()  # called by its layer: all uses belong to one forward pass
    layer, optimizer = model[0], FNGD(model, damping=1e9)  # the direction is the gradient over λ
    X = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)

    def loss() -> torch.Tensor:
        return layer(checkpoint(layer, layer(X).tanh(), use_reentrant=True).tanh()).square().sum(1).mean()

    loss().backward()
    found = 1e9 * layer.weight.grad
    optimizer.zero_grad()
    with optimizer.paused():
        loss().backward()
    assert torch.allclose(found, layer.weight.grad, rtol=1e-6)


def test_a_layer_is_done_with_before_the_layers_before_it_are_reached():
    """Else all that was seen of all layers would be kept to the end of the backward pass."""
    model, X, y = problem("mlp")
    optimizer = FNGD(model, damping=0.05)
    order: list[str] = []
    for name in ("0.weight", "2.weight", "4.weight"):
        model.get_parameter(name).register_post_accumulate_grad_hook(lambda _, name=name: order.append(name))
    for _ in range(2):
        optimizer.zero_grad()
        order.clear()
        seen = model[0](X)
        seen.register_hook(lambda _: order.append("first output"))
        cross_entropy(model[1:](seen.clone()), y).backward()
        optimizer.step()
        optimizer._new_pass()  # as a call of the model itself would
    assert order == ["4.weight", "2.weight", "first output", "0.weight"]


def test_weights_may_change_their_precision_or_be_swapped_between_steps():
    model, X, y = problem("mlp", dtype=torch.float32)
    optimizer = FNGD(model, damping=0.05)
    cross_entropy(model(X), y).backward()
    optimizer.zero_grad()
    model.double()
    cross_entropy(model(X.double()), y).backward()
    assert apart(gradients_of(model), directions(model, X.double(), y, 0.05)) < EXACT
    optimizer.zero_grad()
    with torch.no_grad():
        model[0].weight.data = 2.0 * model[0].weight
    torch.utils.swap_tensors(model[2].weight, nn.Parameter(2.0 * model[2].weight.detach()))
    cross_entropy(model(X.double()), y).backward()
    assert apart(gradients_of(model), directions(model, X.double(), y, 0.05)) < EXACT


def test_backward_passes_that_never_reach_the_weights_leave_no_memory():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, damping=0.05)
    X.requires_grad_()
    for _ in range(3):
        torch.autograd.grad(cross_entropy(model(X), y), X)
    assert all(not layer.gather.uses and not layer.passes for layer in optimizer.layers)


def test_a_gradient_that_is_asked_for_by_name_is_the_direction():
    model, X, y = problem("mlp")
    expected = directions(model, X, y, 0.05)
    optimizer = FNGD(model, damping=0.05)
    found = torch.autograd.grad(cross_entropy(model(X), y), list(model.parameters()))
    assert (
        apart({name: g.numpy() for (name, _), g in zip(model.named_parameters(), found, strict=True)}, expected) < EXACT
    )
    optimizer.zero_grad()
    cross_entropy(model(X), y).backward(inputs=[model[0].bias])
    np.testing.assert_allclose(model[0].bias.grad.numpy(), expected["0.bias"], rtol=EXACT)
    assert all(p.grad is None for p in model.parameters() if p is not model[0].bias)
    assert [bool(layer.passes) for layer in optimizer.layers] == [True, *[False] * (len(optimizer.layers) - 1)]
