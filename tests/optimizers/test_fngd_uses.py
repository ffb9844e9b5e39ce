"""FNGD's layers that are used several times in a forward pass: uses reached and not reached, one loss or two, a frozen bias."""

import pytest
import torch
from fngd_models import apart, gradients_of
from torch import nn

from optimizers import FNGD

EXACT = 1e-11


class Heads(nn.Module):
    """A layer used on the way to each of three outputs, by parts of the model that are not called through it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.shared = nn.Linear(4, 3).double()

    def forward(self, X):
        once = self.shared(X)
        return once, self.shared(2.0 * X), self.shared(torch.cat([once, X[:, :1]], 1))


def test_uses_that_a_backward_pass_does_not_reach_are_not_waited_for():
    torch.manual_seed(4)
    X, damping = torch.randn(6, 4, dtype=torch.float64), 0.05
    for reached in ((0,), (1,), (0, 1), (1, 2), (2,), (0, 1, 2)):
        plain, model = Heads(), Heads()
        # The samples one by one, whose contributions are what autograd says of each sample's own loss.
        U = []
        for i in range(len(X)):
            plain.zero_grad()
            sum(plain(X[i : i + 1])[k].square().sum() for k in reached).backward()
            U.append(torch.cat([p.grad.reshape(-1) for p in plain.parameters()]))
        U = torch.stack(U, 1)
        expected = U @ torch.linalg.solve(
            len(X) * damping * torch.eye(len(X), dtype=U.dtype) + U.T @ U, torch.ones(len(X), dtype=U.dtype)
        )
        optimizer = FNGD(model, damping=damping)
        outputs = model(X)
        (sum(outputs[k].square().sum() for k in reached) / len(X)).backward()
        found = torch.cat([p.grad.reshape(-1) for p in model.parameters()])
        torch.testing.assert_close(found, expected, rtol=EXACT, atol=EXACT)
        assert not optimizer.layers[0].gather.uses


def test_each_loss_of_a_forward_pass_may_be_differentiated_by_itself():
    torch.manual_seed(4)
    X = torch.randn(6, 4, dtype=torch.float64)
    model = Heads()
    optimizer = FNGD(model, damping=0.05, accumulation=2)
    alone = []
    for k in (0, 1):
        optimizer.zero_grad()
        model(X)[k].square().sum().backward()
        alone.append(gradients_of(model))
    optimizer.zero_grad()
    first, second, _ = model(X)
    second.square().sum().backward()  # frees its own part of the graph alone
    first.square().sum().backward()
    assert apart(gradients_of(model), {name: g + alone[1][name] for name, g in alone[0].items()}) < EXACT


def test_a_backward_pass_that_breaks_off_leaves_nothing_behind():
    torch.manual_seed(4)
    X = torch.randn(6, 4, dtype=torch.float64)
    model = Heads()
    optimizer = FNGD(model, damping=0.05)
    first, second, _ = model(X)
    first.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (first.square().sum() + second.square().sum()).backward()
    assert optimizer.layers[0].gather.uses
    optimizer.zero_grad()
    assert not optimizer.layers[0].gather.uses and not optimizer.layers[0].gather.expected


def test_a_layer_that_is_called_by_itself_does_not_remember_its_graphs():
    torch.manual_seed(4)
    X = torch.randn(6, 4, dtype=torch.float64)
    model = Heads()
    optimizer = FNGD(model, damping=0.05)
    for _ in range(5):  # the model itself is never called
        optimizer.zero_grad()
        model.shared(X).square().sum().backward()
        optimizer.step()
    assert len(optimizer.layers[0].gather.nodes) <= 1
    for _ in range(5):  # an evaluation that forgot no_grad()
        model.shared(X)
    assert len(optimizer.layers[0].gather.nodes) <= 1


@pytest.mark.parametrize("first", [True, False])
def test_a_bias_that_is_frozen_in_one_use_gets_the_direction_of_the_other(first):
    torch.manual_seed(4)
    X = torch.randn(6, 4, dtype=torch.float64)
    model, alone = Heads(), Heads()
    optimizers = [FNGD(each, damping=0.05) for each in (model, alone)]
    outputs = []
    for scale, frozen in ((1.0, first), (2.0, not first)):
        model.shared.bias.requires_grad_(not frozen)
        outputs.append(model.shared(scale * X))
    model.shared.bias.requires_grad_(True)
    sum(out.square().sum() for out in outputs).backward(retain_graph=True)
    alone.shared((2.0 if first else 1.0) * X).square().sum().backward()
    torch.testing.assert_close(model.shared.bias.grad, alone.shared.bias.grad, rtol=1e-12, atol=0.0)
    optimizers[0].zero_grad()
    sum(out.square().sum() for out in outputs).backward(inputs=[model.shared.bias])
    torch.testing.assert_close(model.shared.bias.grad, alone.shared.bias.grad, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("lengths", [(0, 4), (4, 0), (0, 0)])
def test_a_use_without_positions_adds_nothing(lengths):
    def found(lengths):
        torch.manual_seed(3)
        layer = nn.Linear(3, 2).double()
        FNGD(layer, damping=0.05)
        losses = [layer(torch.ones(5, length, 3, dtype=torch.float64)).square().sum() for length in lengths]
        (sum(losses) / 5).backward()
        return gradients_of(layer)

    both, alone = found(lengths), found([max(lengths)])
    assert apart(both, alone) < EXACT if max(lengths) else all(not g.any() for g in both.values())
