"""FNGD's directions and steps against `torch.func`, direct inverses and the literal recursion."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
from fngd_models import (
    MODELS,
    Repeated,
    apart,
    cross_entropy,
    directions,
    found_by,
    gradients_of,
    layer_columns,
    plain_gradients,
    problem,
)
from torch import nn

from optimizers import FNGD
from optimizers.fngd import coefficients, convolution, gram
from optimizers.fngd import contributions as contributions_module
from optimizers.fngd.coefficients import push_through, relative_rounding, solve, trusted
from optimizers.fngd.contributions import PositionContributions, RowContributions
from optimizers.fngd.gram import full
from optimizers.fngd.heavy_ball import accumulated, descend, in_unit
from optimizers.reference import fngd as literal

EXACT = 1e-11  # float64, condition number (|K| + nλ)/(nλ) below 1e4


@pytest.mark.parametrize("damping", [10.0, 0.1, 1e-3])
@pytest.mark.parametrize("name", MODELS)
def test_the_direction_is_the_damped_natural_gradient_of_each_layer(name, damping):
    model, X, y = problem(name)
    expected = directions(model, X, y, damping)
    assert apart(found_by(model, X, y, damping=damping), expected) < EXACT


def test_layers_have_coefficients_of_their_own():
    """Else weighting the samples' losses would do, and the test above would not see the difference."""
    model, X, y = problem("mlp")
    c = [literal.weights(U, 0.1) for _, U in layer_columns(model, X, y).values()]
    ratios = c[0] / c[-1]
    assert ratios.max() > 2 * ratios.min()


@pytest.mark.parametrize("name", MODELS)
def test_what_flows_to_the_input_is_not_weighted(name):
    model, X, y = problem(name)
    X.requires_grad_()
    (expected,) = torch.autograd.grad(cross_entropy(model(X), y), X)
    found_by(model, X, y, damping=0.01)
    assert torch.allclose(X.grad, expected, rtol=1e-12, atol=1e-15)


def test_the_model_computes_what_it_computed_before():
    model, X, _ = problem("convolutions")
    before = model(X)
    optimizer = FNGD(model)
    assert torch.equal(model(X), before) and all(layer.hooked for layer in optimizer.layers)


def test_a_trajectory_is_the_literal_recursion():
    torch.manual_seed(3)
    model = nn.Linear(4, 3).double()
    data = [(torch.randn(6, 4, dtype=torch.float64), torch.randint(3, (6,))) for _ in range(8)]
    start = np.concatenate([model.weight.detach().numpy().reshape(-1), model.bias.detach().numpy()])
    twin = literal.Recursion(start, lr=0.3, momentum=0.8, weight_decay=0.05)
    optimizer = FNGD(model, lr=0.3, momentum=0.8, weight_decay=0.05, damping=0.02)
    for X, y in data:
        W, b = twin.w[:12].reshape(3, 4), twin.w[12:]
        z = X.numpy() @ W.T + b
        p = np.exp(z - z.max(axis=1, keepdims=True))
        g = p / p.sum(axis=1, keepdims=True) - np.eye(3)[y.numpy()]
        U = literal.per_sample_gradients(X.numpy()[:, None], g[:, None], bias=True)
        twin.step(literal.direct_inverse(U, 0.02))
        optimizer.zero_grad()
        cross_entropy(model(X), y).backward()
        optimizer.step()
    found = np.concatenate([model.weight.detach().numpy().reshape(-1), model.bias.detach().numpy()])
    assert np.allclose(found, twin.w, rtol=1e-11, atol=1e-13)


def test_momentum_goes_on_when_its_unit_changes():
    """Weights per layer, and momentum, that change from step to step; one of them beyond what is rescaled at once."""
    state, expected = {}, np.zeros(3)
    rng = np.random.default_rng(0)
    for scale, mu in (
        (1.0, 0.9),
        (1.0, 0.8),
        (0.03, 0.9),
        (0.03, 0.9),
        (-4.0, 0.5),
        (1e-9, 0.9),
        (0.0, 0.9),
        (2.0, 0.9),
    ):
        g = rng.normal(size=3)
        expected = mu * expected + scale * g
        buffer, unit = in_unit(state, torch.from_numpy(g), scale)
        accumulated(buffer, unit, torch.from_numpy(g), mu, scale)
        assert np.allclose(unit * buffer.numpy(), expected, rtol=1e-12, atol=1e-14)
    assert state["unit"] == 2.0


@pytest.mark.parametrize("scale", [0.3, 0.0])
def test_the_step_does_not_ask_how_a_tensor_lies_in_memory(scale):
    """Torch's kernel for SGD takes memory as it lies: of a parameter beside a transposed gradient it would make nonsense."""
    torch.manual_seed(0)
    start, g = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    flipped = torch.randn(4, 3, dtype=torch.float64).T.copy_(g)
    expected, m = start.clone(), torch.zeros_like(start)
    found = {"alike": (start.clone(), g, {}), "transposed": (start.clone(), flipped, {})}
    for _ in range(3):
        m = 0.9 * m + scale * g + 0.02 * expected
        expected = expected - 0.1 * m
        descend([(p, grad, state, scale) for p, grad, state in found.values()], 0.1, 0.9, 0.02)
    assert not flipped.is_contiguous()
    for p, grad, _ in found.values():
        assert torch.allclose(p, expected, rtol=1e-13, atol=1e-15) and torch.equal(grad, g)
    descend([(torch.zeros(0, 3), torch.zeros(0, 3), {}, scale)], 0.1, 0.9, 0.02)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_other_parameters_take_the_step_of_sgd(momentum):
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Embedding(9, 4), nn.LayerNorm(4)).double() for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    ours = FNGD(models[0], lr=0.1, momentum=momentum, weight_decay=0.02)
    theirs = torch.optim.SGD(models[1].parameters(), lr=0.1, momentum=momentum, weight_decay=0.02)
    for step in range(5):
        for model, optimizer in zip(models, (ours, theirs), strict=True):
            optimizer.zero_grad()
            (model(torch.arange(step, step + 4)) ** 3).mean().backward()
            optimizer.step()
    for p, q in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-13, atol=1e-15)


def test_a_bias_by_sgd_leaves_the_weight_alone():
    model, X, y = problem("mlp")
    expected = directions(model, X, y, 0.05, bias=False)
    assert apart(found_by(model, X, y, damping=0.05, bias="sgd"), expected) < EXACT
    assert apart(expected, directions(model, X, y, 0.05)) > 1e-3


def test_a_summed_loss_has_the_same_direction_when_it_is_said():
    found = []
    for reduction, said in (("mean", "mean"), ("sum", "sum"), ("sum", "mean")):
        model, X, y = problem("convolutions")
        loss = partial(cross_entropy, reduction=reduction)
        found.append(found_by(model, X, y, loss, damping=0.05, reduction=said))
    assert apart(found[1], found[0]) < EXACT
    assert apart(found[2], found[0]) > 0.1


def test_accumulated_passes_are_the_mean_of_their_directions():
    model, X, y = problem("mlp")
    halves = [directions(model, X[part], y[part], 0.05) for part in (slice(0, 4), slice(4, 7))]
    optimizer = FNGD(model, damping=0.05, accumulation=2)
    for part in (slice(0, 4), slice(4, 7)):
        (cross_entropy(model(X[part]), y[part]) / 2).backward()
    assert apart(gradients_of(model), {k: (halves[0][k] + halves[1][k]) / 2 for k in halves[0]}) < EXACT
    optimizer.step()  # without a warning


def test_passes_that_were_not_announced_are_warned_of():
    model, X, y = problem("mlp")
    optimizer = FNGD(model)
    for _ in range(2):
        (cross_entropy(model(X), y) / 2).backward()
    with pytest.warns(UserWarning, match="accumulation=2"):
        optimizer.step()


def test_two_forward_passes_under_one_loss_add_up():
    model, X, y = problem("mlp")
    expected = [directions(model, x, y, 0.05) for x in (X, -X)]
    found = found_by(model, X, y, lambda out, y: cross_entropy(out, y) + cross_entropy(model(-X), y), damping=0.05)
    assert apart(found, {k: expected[0][k] + expected[1][k] for k in expected[0]}) < EXACT


def test_batch_norm_leaves_contributions_that_sum_to_the_gradient():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 3)).double()
    X, y = torch.randn(8, 2, 5, 5, dtype=torch.float64), torch.randint(3, (8,))
    plain = {k: g.numpy() for k, g in plain_gradients(model, X, y).items()}
    found = found_by(model, X, y, damping=1e9)  # then x is the mean of the contributions over λ
    layers = [k for k in plain if k.split(".")[0] in "03"]
    assert apart({k: 1e9 * found[k] for k in layers}, {k: plain[k] for k in layers}) < 1e-6  # 1/(1 + |K|/(nλ))
    assert (
        apart({k: found[k] for k in plain if k not in layers}, {k: plain[k] for k in plain if k not in layers}) < EXACT
    )


def test_sequences_with_samples_on_the_second_axis_are_told():
    model, X, y = problem("a layer used twice, on sequences")
    expected = directions(model, X, y, 0.1)
    second = SecondAxis().double()
    second.load_state_dict(model.state_dict())
    assert apart(found_by(second, X.transpose(0, 1), y, damping=0.1, batch_dim=1), expected) < EXACT


class SecondAxis(Repeated):
    def forward(self, x):  # (T, n, 5)
        x = torch.relu(self.first(x))
        x = torch.tanh(self.second(torch.tanh(self.second(x)) + x))
        return self.last(x.mean(0))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 1, 3, 4), (5, 6, 3, 4), (140, 1, 3, 2), (140, 2, 3, 2), (3, 4, 9, 8)])
def test_both_routes_to_the_products_agree_and_so_do_blocks(monkeypatch, shape, bias):
    n, T, p, q = shape
    torch.manual_seed(0)
    a, g = torch.randn(n, T, p, dtype=torch.float64), torch.randn(n, T, q, dtype=torch.float64)
    U = torch.from_numpy(literal.per_sample_gradients(a.numpy(), g.numpy(), bias))
    w = torch.randn(n, dtype=torch.float64)
    found = []
    for pairs, budget in ((True, 2**26), (False, 2**26), (True, 7 * n * T * T), (False, 2 * n * p)):
        for module in (gram, contributions_module):
            monkeypatch.setattr(module, "BUDGET", budget)
        monkeypatch.setattr(contributions_module, "pairs_are_cheaper", lambda *_, pairs=pairs: pairs)
        parts = PositionContributions(a, g, bias)
        found.append(parts.gram())
        W, b = parts.combine(w)
        flat = W.reshape(-1) if b is None else torch.cat([W.reshape(-1), b])
        assert torch.allclose(flat, U @ w, rtol=1e-12, atol=1e-12)
    for K in found:
        assert torch.allclose(full(K), U.T @ U, rtol=1e-12, atol=1e-11)
    if T == 1:
        assert torch.allclose(full(RowContributions(a[:, 0], g[:, 0], bias).gram()), U.T @ U, rtol=1e-12, atol=1e-11)


def test_convolutions_in_blocks_of_outputs_agree(monkeypatch):
    for budget in (2**26, 200):
        monkeypatch.setattr(convolution, "BUDGET", budget)
        model, X, y = problem("lines")
        expected = directions(model, X, y, 0.1)
        assert apart(found_by(model, X, y, damping=0.1), expected) < EXACT


CONVOLUTIONS = [
    (nn.Conv1d(3, 5, 4, stride=3, padding=2, dilation=2), (6, 3, 17)),
    (nn.Conv2d(9, 4, (3, 2), stride=(2, 1), padding=(2, 0), bias=False), (6, 9, 5, 7)),
    (nn.Conv2d(9, 20, 1), (6, 9, 3, 4)),
    (nn.Conv2d(3, 4, (2, 4), padding="same", dilation=(1, 2)), (6, 3, 5, 8)),
    (nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (6, 3, 4, 5)),
    (nn.Conv2d(3, 4, 3, padding=(2, 1), padding_mode="reflect", stride=2), (6, 3, 6, 5)),
    (nn.Conv3d(2, 3, (2, 1, 3), stride=(1, 2, 2), padding=(0, 1, 1)), (6, 2, 3, 4, 5)),
    (nn.Conv2d(4, 6, 3), (6, 4, 3, 3)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("lies", ["as it was made", "channels last", "every other"])
@pytest.mark.parametrize(("module", "shape"), CONVOLUTIONS, ids=lambda found: str(found))
@pytest.mark.parametrize(("entries", "budget"), [(1, 2**26), (200, 400), (2**19, 1), (2**19, 2**26)])
def test_a_convolution_is_a_linear_layer_on_patches(module, shape, lies, entries, budget, monkeypatch):
    monkeypatch.setattr(convolution, "CACHE", entries)
    monkeypatch.setattr(convolution, "BUDGET", budget)
    torch.manual_seed(0)
    a = torch.randn(shape, dtype=torch.float64)
    if lies == "channels last":
        a = a.movedim(1, -1).contiguous().movedim(-1, 1)
    if lies == "every other":
        a = a.repeat_interleave(2, -1)[..., ::2]
    module = copy.deepcopy(module).double()
    with torch.no_grad():
        out = module(a)
        if module.bias is not None:
            out = out - module.bias.reshape(-1, *(1,) * (a.ndim - 2))
        a = convolution.padded(module, a)
        product = convolution.patches(module, a) @ module.weight.flatten(1).T
        torch.testing.assert_close(product, out.flatten(2).mT, rtol=1e-12, atol=1e-12)
        g = torch.randn_like(out)
        w = torch.randn(6, dtype=torch.float64)
        found = []
        for route in ("pairs", "patches", "groups"):
            parts = convolution.ConvContributions(module, [(a, g), (2.0 * a, g.flip(0))], module.bias is not None)
            K = parts._gram_of_pairs() if route == "pairs" else parts._gram_of_samples(getattr(parts, f"_by_{route}"))
            found.append((full(K), *parts.combine(w)))
        again = parts.to(torch.float64)
        found.append((full(again.gram()), *again.combine(w)))
    for one, *others in zip(*found, strict=True):
        for other in others:
            assert one is other is None or torch.allclose(one, other, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(
    ("options", "positions", "route"),
    [
        ({"in_channels": 16, "out_channels": 16, "kernel_size": 3}, 64, "groups"),
        ({"in_channels": 64, "out_channels": 64, "kernel_size": 3}, 64, "patches"),
        ({"in_channels": 64, "out_channels": 64, "kernel_size": 3}, 65, "groups"),
        ({"in_channels": 128, "out_channels": 32, "kernel_size": 3}, 65, "patches"),
        ({"in_channels": 128, "out_channels": 16, "kernel_size": 3}, 65, "groups"),  # few outputs
        ({"in_channels": 3, "out_channels": 32, "kernel_size": 3}, 100, "patches"),
        ({"in_channels": 3, "out_channels": 12, "kernel_size": 3}, 100, "groups"),
        ({"in_channels": 16, "out_channels": 32, "kernel_size": 1}, 100, "patches"),
        ({"in_channels": 64, "out_channels": 64, "kernel_size": 3, "groups": 2}, 10, "groups"),
        ({"in_channels": 64, "out_channels": 64, "kernel_size": 3}, 4, "pairs"),
        ({"in_channels": 128, "out_channels": 32, "kernel_size": 3}, 3000, "groups"),  # large patches
        ({"in_channels": 3, "out_channels": 32, "kernel_size": 31}, 12000, "groups"),
    ],
)
@pytest.mark.parametrize("budget", [2**26, 1])
def test_which_route_a_convolution_takes(options, positions, route, budget, monkeypatch):
    monkeypatch.setattr(convolution, "BUDGET", budget)
    route = "patches" if route == "pairs" and budget == 1 else route  # of which only a sample's must fit
    taken = []
    for name in ("_by_groups", "_by_patches", "_gram_of_pairs"):
        own = getattr(convolution.ConvContributions, name)

        def noted(self, *args, name=name, own=own):
            taken.append(name.rpartition("_")[2])
            return own(self, *args)

        monkeypatch.setattr(convolution.ConvContributions, name, noted)
    module = nn.Conv1d(bias=False, **options)
    a = torch.randn(3, module.in_channels, positions + module.kernel_size[0] - 1)
    K = convolution.ConvContributions(module, [(a, torch.randn(3, module.out_channels, positions))], False).gram()
    assert set(taken) == {route} and K.shape == (3, 3)


@pytest.mark.parametrize("channels", [(2, 16), (16, 4)])
def test_a_convolution_is_what_its_options_say_now(channels):
    """As in dilated backbones: strides become dilations after the model was made, and kernels are replaced."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(*channels, 3, stride=2, padding=1), nn.Flatten())
    model[0].stride, model[0].dilation, model[0].padding = 1, (2, 2), (2, 1)
    model[0].weight = nn.Parameter(torch.randn(channels[1], channels[0], 2, 3))
    model.append(nn.LazyLinear(3)).double()
    X, y = torch.randn(6, channels[0], 5, 6, dtype=torch.float64), torch.randint(3, (6,))
    model(X)
    assert apart(found_by(model, X, y, damping=0.1), directions(model, X, y, 0.1)) < EXACT


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("n", [1, 64, 65, 128, 129, 255, 256, 257, 300])
def test_large_batches_are_solved_as_small_ones_are(n, dtype, monkeypatch):
    def not_asked(*_):
        raise AssertionError("a definite matrix was not factored")

    monkeypatch.setattr(coefficients, "_clipped", not_asked)
    torch.manual_seed(0)
    U = torch.randn(40, n, dtype=dtype)
    K, damping = (U.T @ U).triu(), 0.01
    below = torch.full_like(K, math.nan).tril(-1)  # what is below the diagonal means nothing
    c = push_through(K + below, damping)
    A = full(K).double() + n * damping * torch.eye(n, dtype=torch.float64)
    exact = torch.linalg.solve(A, A.new_ones(n))
    accuracy = 4.0 * torch.finfo(dtype).eps * float(torch.linalg.cond(A))
    torch.testing.assert_close(c.double(), exact, rtol=0.0, atol=accuracy * float(exact.abs().max()))
    monkeypatch.undo()
    K[0, n // 2] = math.nan
    assert torch.isnan(push_through(K, damping)).all()


@pytest.mark.parametrize("place", [0, 63, 64, 150, 255, 299])
def test_a_matrix_that_is_not_definite_is_not_factored_in_blocks(place):
    """Then the eigenvalues below zero are set to zero: as if the sample had no gradient."""
    torch.manual_seed(0)
    U = torch.randn(40, 300, dtype=torch.float64)
    U[:, place] = 0.0
    K = (U.T @ U).triu()
    wanted = push_through(K, 1.0)
    K[place, place] = -400.0
    torch.testing.assert_close(push_through(K, 1.0), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("n", [1, 128, 129, 300])
def test_products_of_samples_are_their_gram_matrix(n, dtype):
    torch.manual_seed(0)
    U = torch.randn(n, 7, dtype=torch.float64).to(dtype)
    exact = (U.double() @ U.double().T).triu()
    for laid in (U, U.T.contiguous().T, U.repeat_interleave(2, 1)[:, ::2]):
        K = gram.gram_of_samples(laid)
        assert K.dtype == dtype
        torch.testing.assert_close(
            K.triu().double(), exact, rtol=16 * torch.finfo(dtype).eps, atol=64 * torch.finfo(dtype).eps
        )
    assert torch.equal(gram.gram_of_samples(U[:, :0]), torch.zeros(n, n, dtype=dtype))


def test_single_precision_is_left_where_it_would_not_do():
    """More samples than parameters and little damping: c is huge, and U annihilates most of it."""
    torch.manual_seed(0)
    a, g = torch.randn(96, 7), torch.randn(96, 5)
    damping = 1e-6
    U = literal.per_sample_gradients(a.double().numpy()[:, None], g.double().numpy()[:, None], bias=True)
    exact = literal.direct_inverse(U, damping)

    def error(parts, c):
        W, b = parts.combine(c)
        return np.linalg.norm(torch.cat([W.reshape(-1), b]).double().numpy() - exact) / np.linalg.norm(exact)

    single = RowContributions(a, g, True)
    K = single.gram()
    naive = push_through(K, damping)
    assert not trusted(K, naive, damping) and trusted(K, push_through(K, 1.0), 1.0)
    parts, _, c = solve(single, 1.0, damping)
    assert c.dtype == torch.float64 and error(parts, c) < 1e-6
    assert error(single, naive) > 1e-3
    assert relative_rounding(full(K), naive, damping) > error(single, naive)


def test_a_gram_matrix_that_rounding_made_indefinite_is_solved_all_the_same():
    u = torch.full((6, 1), 1.0e4)
    K = u @ u.mT
    K[0, 0] -= 50.0  # within float32's rounding of 1e8, and more than the damping
    c = push_through(K, 1e-3)
    assert torch.isfinite(c).all() and float(c @ (K @ c)) < 6 * 2


@pytest.mark.parametrize("scale", [1e3, 1e6])
@pytest.mark.parametrize("damping", [1e-4, 1e-8])
def test_more_samples_than_parameters_and_hardly_any_damping_give_the_direction_all_the_same(scale, damping):
    """Float64 did not suffice: c has a part of size 1/nλ in the null space of K, and the direction was off by 2e5 lengths."""
    torch.manual_seed(0)
    model, x, y = torch.nn.Linear(4, 2), torch.randn(64, 4), torch.randn(64, 2)
    residuals = 2.0 * scale * (model(x) - y).detach().double()
    optimizer = FNGD(model, damping=damping)
    (scale * (model(x) - y).square().sum(1)).mean().backward()
    U = torch.stack(
        [torch.cat([torch.outer(r, a).reshape(-1), r]) for r, a in zip(residuals, x.double(), strict=True)], 1
    )
    left, size, right = torch.linalg.svd(U, full_matrices=False)
    expected = left @ (size / (64 * damping + size**2) * (right @ torch.ones(64, dtype=torch.float64)))
    assert all(p.grad is not None for p in optimizer.param_groups[0]["params"])
    found = torch.cat([model.weight.grad.reshape(-1), model.bias.grad]).double()
    assert torch.linalg.norm(found - expected) <= 1e-3 * torch.linalg.norm(expected)  # U is known to single precision


@pytest.mark.parametrize(
    "options", [{"accumulation": True}, {"batch_dim": True}, {"batch_dim": -1}, {"batch_dim": 0.5}]
)
def test_a_count_or_an_axis_is_an_integer(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        FNGD(torch.nn.Linear(2, 2), **options)
