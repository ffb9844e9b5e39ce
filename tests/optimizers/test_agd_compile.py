"""The compiled step of AGD is the eager one, is compiled once, and changes nothing when a gradient is not finite."""

import shutil

import pytest
import torch

from optimizers import AGD
from optimizers.fused import _compiled

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a processor"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of what torch itself imports to compile
]

SHAPES = [(6, 5), (7,)]
OPTIONS = {"lr": 0.05, "clip": 0.9, "weight_decay": 0.1, "amsgrad": True}


def parameters(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in SHAPES]


def feed(params, seed):
    generator = torch.Generator().manual_seed(seed)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)


@pytest.fixture(scope="module")
def pair():
    """A compiled optimizer and an eager one after six steps with a schedule, with the number of compilations."""
    compiled, eager = parameters(), parameters()
    optimizers = AGD(compiled, compile=True, **OPTIONS), AGD(eager, **OPTIONS)
    misses = []
    for step in range(6):
        for params, optimizer in zip((compiled, eager), optimizers, strict=True):
            feed(params, step)
            optimizer.param_groups[0]["lr"] = 0.05 / (1 + step)
            optimizer.step()
        misses.append(_compiled.cache_info().misses)
    return compiled, eager, optimizers, misses


def test_it_takes_the_eager_steps(pair):
    compiled, eager, optimizers, _ = pair
    for p, q in zip(compiled, eager, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)  # products may be fused, in single precision
        for name in ("mean", "square", "peak"):
            torch.testing.assert_close(optimizers[0].state[p][name], optimizers[1].state[q][name], rtol=1e-5, atol=1e-6)


def test_neither_the_step_number_nor_the_learning_rate_compile_it_again(pair):
    misses = pair[3]
    assert misses[0] >= 1
    assert misses[-1] == misses[0]


def test_autograd_notices_that_parameters_changed(pair):
    params, _, (optimizer, _), _ = pair
    versions = [p._version for p in params]
    feed(params, 9)
    optimizer.step()
    assert all(p._version > before for p, before in zip(params, versions, strict=True))


def test_a_gradient_that_is_not_finite_changes_nothing(pair):
    params, _, (optimizer, _), _ = pair
    feed(params, 7)
    params[1].grad[2] = float("inf")
    before = [p.detach().clone() for p in params]
    states = [{name: torch.as_tensor(value).clone() for name, value in optimizer.state[p].items()} for p in params]
    with pytest.raises(ValueError, match="parameter 1 in group 0"):
        optimizer.step()
    for p, q, state in zip(params, before, states, strict=True):
        assert torch.equal(p, q)
        assert all(torch.equal(torch.as_tensor(optimizer.state[p][name]), value) for name, value in state.items())


def test_finite_gradients_whose_squares_overflow_are_refused(pair):
    params, _, (optimizer, _), _ = pair
    before = [p.detach().clone() for p in params]
    for p in params:
        p.grad = torch.full_like(p, 3e38)
    with pytest.raises(ValueError, match="squares of the gradients overflow"):
        optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))


def test_without_the_guard_it_takes_the_same_steps():
    compiled, eager = parameters(), parameters()
    optimizers = AGD(compiled, compile=True, guard=False, **OPTIONS), AGD(eager, **OPTIONS)
    for step in range(3):
        for params, optimizer in zip((compiled, eager), optimizers, strict=True):
            feed(params, step)
            optimizer.step()
    for p, q in zip(compiled, eager, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
    compiled[0].grad[0, 0] = float("nan")
    optimizers[0].step()
    assert bool(torch.isnan(compiled[0][0, 0]))


def test_a_step_that_the_user_compiles_is_compiled_once(pair):
    compiled, eager = parameters(), parameters()
    optimizer, plain = AGD(compiled, **OPTIONS), AGD(eager, **OPTIONS)
    step = torch.compile(optimizer.step)
    misses = []
    for number in range(5):
        feed(compiled, number), feed(eager, number)
        step(), plain.step()
        misses.append(_compiled.cache_info().misses)
    for p, q in zip(compiled, eager, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
    assert misses[-1] == misses[0]
    compiled[0].grad[0, 0] = float("nan")
    with pytest.raises(ValueError, match="parameter 0 in group 0"):
        step()


def test_parameters_that_take_turns_are_checked_before_any_of_them_moves():
    """Two layouts in one step: then one fused call cannot look for all."""
    params = parameters()
    optimizer = AGD(params, compile=True, **OPTIONS)
    params[0].grad = torch.ones(6, 5)
    optimizer.step()
    feed(params, 3)
    params[1].grad[0] = float("nan")
    before = params[0].detach().clone()
    with pytest.raises(ValueError, match="parameter 1 in group 0"):
        optimizer.step()
    assert torch.equal(params[0], before)
