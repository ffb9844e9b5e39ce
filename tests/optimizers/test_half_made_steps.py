"""A step is made whole or not at all: whatever fails, and wherever it fails, parameters and state are what they were."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from benchmarks.robust.models import _copied, equal
from optimizers import AGD, AdaGradNorm, FullMatrixAdaGrad, Jorge, OneSidedShampoo, Shampoo
from optimizers import full_matrix_adagrad as full_matrix
from optimizers.roots import rules

KINDS = {
    "every step": (Shampoo, {"refresh": 1, "ridge": 0.0}),
    "every step, plain": (Shampoo, {"refresh": 1, "grafting": None, "momentum": 0.0}),
    "every second step": (Shampoo, {"refresh": 2, "statistics": 2}),
    "blocks": (Shampoo, {"refresh": 2, "max_size": 2}),
    "certificate": (Shampoo, {"refresh": "certificate", "threshold": 1e-3}),
    "staleness": (OneSidedShampoo, {"refresh": "certificate", "threshold": 1e-3}),
    "dynamic": (OneSidedShampoo, {"refresh": 1, "beta2": None}),
    "series": (Jorge, {"refresh": "certificate", "threshold": 1e-3}),
    "sandwich": (Shampoo, {"root": "sandwich", "refresh": "certificate", "threshold": 1e-3}),
}
SHAPES = [[(4, 3), (3,)], [(5, 5), (4, 3)]]  # of two groups


def make(kind, options):
    draw = torch.Generator().manual_seed(0)
    groups = [{"params": [torch.nn.Parameter(torch.randn(s, generator=draw)) for s in shapes]} for shapes in SHAPES]
    return [p for group in groups for p in group["params"]], kind(groups, **options)


def feed(params, seed):
    """Gradients; those of the second group are zero at first."""
    draw = torch.Generator().manual_seed(seed)
    for i, p in enumerate(params):
        p.grad = torch.randn(p.shape, generator=draw) * (i < 2 or seed > 1)


def snapshot(params, optimizer):
    return _copied([list(params), optimizer.state_dict()])


def refusal(optimizer):
    """What a step is refused with, or nothing."""
    try:
        optimizer.step()
    except ValueError as error:
        return str(error)
    return ""


def step_until_refused(params, optimizer, words):
    """Steps with the same gradients until one is refused; parameters and state before that one."""
    for _ in range(500):
        before = snapshot(params, optimizer)
        if words in refusal(optimizer):
            return before
    raise AssertionError("no step was refused")


class FailingAt:
    """A function that fails once, at its call number `call` from now."""

    def __init__(self, function, call):
        self.function, self.left, self.failed = function, call, False

    def __call__(self, *args):
        self.left -= 1
        if self.left < 0 and not self.failed:
            self.failed = True
            raise np.linalg.LinAlgError("neither precision converges")
        return self.function(*args)


@pytest.mark.parametrize("name", KINDS)
def test_a_root_that_fails_leaves_everything_as_it_was_and_training_can_go_on(name, monkeypatch):
    params, optimizer = make(*KINDS[name])
    twins, undisturbed = make(*KINDS[name])
    failures = 0
    for t in range(5):
        feed(params, t), feed(twins, t)
        for call in range(20):
            failing = FailingAt(rules.half_root, call)
            monkeypatch.setattr(rules, "half_root", failing)
            before = snapshot(params, optimizer)
            try:
                optimizer.step()
            except np.linalg.LinAlgError:
                assert equal(before, snapshot(params, optimizer))
                failures += 1
            monkeypatch.undo()
            if not failing.failed:
                break
        undisturbed.step()
        assert equal(snapshot(params, optimizer), snapshot(twins, undisturbed))
    assert failures >= 4, "nothing failed, so nothing was shown"


def test_a_root_that_fails_after_an_option_was_changed_leaves_the_state_of_the_old_option(monkeypatch):
    params, optimizer = make(Shampoo, {"refresh": 1})
    for t in range(2, 4):
        feed(params, t)
        optimizer.step()
    optimizer.param_groups[1]["refresh"] = 100  # a root is to be kept from now on, and taken at once
    before = snapshot(params, optimizer)
    monkeypatch.setattr(rules, "half_root", FailingAt(rules.half_root, 1))
    with pytest.raises(np.linalg.LinAlgError):
        optimizer.step()
    assert equal(before, snapshot(params, optimizer))
    optimizer.step()
    assert "left_root" in optimizer.state[params[2]]


@pytest.mark.parametrize("call", [0, 1])
def test_full_matrix_adagrad_takes_all_roots_before_a_group_moves(call, monkeypatch):
    params, optimizer = make(FullMatrixAdaGrad, {})
    for t in range(2):
        feed(params, t + 2)
        before = snapshot(params, optimizer)
        monkeypatch.setattr(full_matrix, "eigh", FailingAt(full_matrix.eigh, call))
        with pytest.raises(np.linalg.LinAlgError):
            optimizer.step()
        assert equal(before, snapshot(params, optimizer))
        monkeypatch.undo()
        optimizer.step()


def test_full_matrix_adagrad_refuses_sums_that_overflow_before_a_group_moves():
    params, optimizer = make(FullMatrixAdaGrad, {})
    feed(params, 2)
    optimizer.step()
    for p in params[2:]:
        p.grad = torch.full_like(p, 1.2e18)
    before = step_until_refused(params, optimizer, "products overflows")
    assert equal(before, snapshot(params, optimizer))


def test_full_matrix_adagrad_refuses_another_groups_rows_before_a_group_moves():
    params, optimizer = make(FullMatrixAdaGrad, {})
    feed(params, 2)
    optimizer.step()
    optimizer.param_groups[1]["params"].append(torch.nn.Parameter(torch.ones(2)))
    before = snapshot(params, optimizer)
    with pytest.raises(ValueError, match="of another group"):
        optimizer.step()
    assert equal(before, snapshot(params, optimizer))


@pytest.mark.parametrize("length", [1e-40, 1e-30, 1e-20, 1.0, 1e18])
def test_the_first_step_of_adagrad_norm_is_as_long_as_lr_whatever_the_gradients_scale(length):
    p = torch.nn.Parameter(torch.zeros(4))
    p.grad = torch.tensor([length, 0.0, 0.0, 0.0])
    AdaGradNorm([p], lr=0.5, eps=0.0).step()
    np.testing.assert_allclose(p.detach().numpy(), [-0.5, 0, 0, 0], rtol=1e-4)  # 1e-40 has five digits


def test_adagrad_norm_refuses_a_sum_that_overflows_before_a_group_moves():
    params = [torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2)]
    optimizer = AdaGradNorm([{"params": [p]} for p in params])
    params[0].grad, params[1].grad = torch.ones(1, dtype=torch.float64), torch.full((1,), 1e154, dtype=torch.float64)
    before = step_until_refused(params, optimizer, "overflows")
    assert equal(before, snapshot(params, optimizer))


def test_a_direction_that_overflows_is_refused_and_nothing_changes():
    params, optimizer = make(Shampoo, {"grafting": None, "refresh": 10})
    for t in range(3):
        feed(params, t)
        optimizer.step()
    feed(params, 3)
    optimizer.state[params[3]]["left_root"][0].fill_(1e20)
    optimizer.state[params[3]]["right_root"][0].fill_(1e20)
    before = snapshot(params, optimizer)
    with pytest.raises(ValueError, match="direction is not finite"):
        optimizer.step()
    assert equal(before, snapshot(params, optimizer))


def test_a_coupled_decay_of_diverged_parameters_is_refused_and_nothing_changes():
    params, optimizer = make(Shampoo, {"weight_decay": 0.1, "decoupled": False})
    feed(params, 3)
    with torch.no_grad():
        params[2].fill_(1e30)
    before = snapshot(params, optimizer)
    with pytest.raises(ValueError, match="weight decay that is coupled"):
        optimizer.step()
    assert equal(before, snapshot(params, optimizer))


def test_a_sum_of_squares_that_lends_its_length_stays_finite():
    p = torch.nn.Parameter(torch.ones(3, 3))
    optimizer = Shampoo([p], grafting="adagrad")
    for _ in range(5):
        p.grad = torch.full((3, 3), 5e18)
        optimizer.step()
    assert bool(torch.isfinite(optimizer.state[p]["second_moment"]).all())
    assert bool(torch.isfinite(p).all())


def drawn(r):
    """An optimizer and options, from a generator."""
    common = {"lr": r.choice([0.0, 1e-3, 0.1]), "weight_decay": r.choice([0.0, 0.1])}
    kind = r.choice([AGD, AdaGradNorm, FullMatrixAdaGrad, Jorge, OneSidedShampoo, Shampoo])
    if kind is AGD:
        own = {"betas": r.choice([(0.0, 0.0), (0.9, 0.999)]), "decay": r.choice(["decoupled", "coupled"]),
               "clip": r.choice([None, "auto"]), "amsgrad": r.random() < 0.3}  # fmt: skip
    elif kind in (AdaGradNorm, FullMatrixAdaGrad):
        own = {"eps": r.choice([0.0, 1e-4])}
    else:
        own = {"momentum": r.choice([0.0, 0.9]), "ridge": r.choice([0.0, 1e-4]), "decoupled": r.random() < 0.5,
               "refresh": r.choice([1, 2, "certificate"]), "grafting": r.choice([None, "sgd", "adagrad", "rmsprop"]),
               "max_size": r.choice([2, 1024]), "eps": r.choice([None, 1e-6, 1e-30])}  # fmt: skip
    return kind, {**common, **own}


def finite(value):
    if isinstance(value, torch.Tensor):
        return bool(torch.isfinite(value).all())
    if isinstance(value, dict | list):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return True


@pytest.mark.parametrize("seed", range(60))
def test_a_step_on_gradients_of_any_finite_size_is_refused_whole_or_leaves_finite_numbers(seed):
    r, draw = random.Random(seed), torch.Generator().manual_seed(seed)
    params, optimizer = make(*drawn(r))
    scales = r.choice([[1.0], [1e-38, 1e-20, 1.0], [1e18], [1e15, 1e17, 1e19], [1e-45, 1e-20, 1.0, 1e17]])
    for _ in range(6):
        for p in params:
            G = torch.randn(p.shape, generator=draw, dtype=torch.float64) * r.choice(scales)
            p.grad = G.float() if r.random() < 0.9 else None
        before = snapshot(params, optimizer)
        if "unchanged" in refusal(optimizer):
            assert equal(before, snapshot(params, optimizer))
        else:
            assert finite([list(params), optimizer.state_dict()["state"]])
