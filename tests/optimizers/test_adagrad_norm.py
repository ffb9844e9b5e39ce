"""AdaGrad-Norm is the printed recursion, and adaptive regularization with one number at the stated scaling."""

import numpy as np
import pytest
import torch

from optimizers import AdaGradNorm
from optimizers.reference.adagrad import norm_steps
from regret import AdaptiveRegularization
from structures import Layerwise, Scalar

ROUNDING = 1e-12  # twenty steps of a few roundings each, on numbers of size one


def gradients(d=12, steps=20):
    rng = np.random.default_rng(0)
    return rng.normal(size=(steps, d)) * np.logspace(-3, 1, steps)[:, None]


def trained(rows, shapes, groups=False, **options):
    """All parameters side by side after the steps, from zero, and the optimizer."""
    params = [torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in shapes]
    optimizer = AdaGradNorm([{"params": [p]} for p in params] if groups else params, **options)
    for row in rows:
        start = 0
        for p in params:
            p.grad = torch.tensor(row[start : start + p.numel()]).reshape(p.shape)
            start += p.numel()
        optimizer.step()
    return torch.cat([p.detach().reshape(-1) for p in params]).numpy(), optimizer


def test_it_is_the_printed_recursion_over_all_parameters():
    rows = gradients()
    found, _ = trained(rows, [(3, 2), (6,)], lr=0.7, eps=0.1)
    *_, expected = norm_steps(np.zeros(12), rows, 0.7, 0.1)
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)


def learned(structure, rows, lr, eps):
    learner = AdaptiveRegularization(structure, lr=lr, eps=eps)
    state = learner.init(np.zeros((1, rows.shape[1])))
    for row in rows:
        state = learner.step(state, row[None])
    return state["x"][0]


def test_one_group_is_the_scalar_structure_with_lr_over_the_root_of_d_and_eps_over_d():
    rows = gradients()
    found, _ = trained(rows, [(3, 2), (6,)], lr=0.7, eps=0.12)
    np.testing.assert_allclose(found, learned(Scalar((12,)), rows, 0.7 / 12**0.5, 0.01), rtol=ROUNDING, atol=ROUNDING)


def test_a_group_for_each_layer_is_the_layerwise_structure():
    rows = gradients()
    found, _ = trained(rows, [(3, 2), (6,)], groups=True, lr=0.7, eps=0.06)
    expected = learned(Layerwise([(6,), (6,)]), rows, 0.7 / 6**0.5, 0.01)
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)
    together, _ = trained(rows, [(3, 2), (6,)], lr=0.7, eps=0.06)
    assert np.max(np.abs(found - together)) > 0.01


def test_the_first_step_is_lr_long_and_nothing_moves_without_a_gradient():
    found, _ = trained(gradients(steps=1), [(3, 2), (6,)], lr=0.7, eps=0.0)
    assert np.linalg.norm(found) == pytest.approx(0.7, rel=1e-12)
    still, _ = trained(np.zeros((2, 4)), [(4,)], eps=0.0)
    assert not np.any(still)


def test_decay_is_decoupled_and_maximize_turns_the_gradient():
    rows = gradients(4, 3)
    up, _ = trained(-rows, [(4,)], maximize=True)
    down, _ = trained(rows, [(4,)])
    assert np.array_equal(up, down)
    p = torch.nn.Parameter(torch.ones(2))
    p.grad = torch.zeros(2)
    AdaGradNorm([p], lr=0.5, weight_decay=0.2).step()
    torch.testing.assert_close(p.detach(), torch.full((2,), 0.9))


def test_half_precision_gradients_are_summed_in_higher_precision():
    p = torch.nn.Parameter(torch.zeros(1000, dtype=torch.bfloat16))
    optimizer = AdaGradNorm([p])
    for _ in range(600):
        p.grad = torch.full((1000,), 0.1, dtype=torch.bfloat16)
        optimizer.step()
    assert optimizer.state[p]["sum"] == pytest.approx(600 * 1000 * float(torch.tensor(0.1).bfloat16()) ** 2, rel=1e-4)


def test_another_state_and_wrong_options_are_refused():
    p = torch.nn.Parameter(torch.zeros(3))
    with pytest.raises(ValueError, match="eps must be"):
        AdaGradNorm([p], eps=-1.0)
    optimizer = AdaGradNorm([p])
    p.grad = torch.ones(3)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"][0] = {"step": 1, "momentum": torch.zeros(3)}
    with pytest.raises(ValueError, match="not that of AdaGradNorm"):
        optimizer.load_state_dict(saved)


@pytest.mark.parametrize("size", [1e-38, 1e-25, 1e15])
def test_the_first_step_has_length_lr_at_every_scale(size):
    """In float32 the square of 1e-25 is 0, and there was no step."""
    p = torch.nn.Parameter(torch.zeros(3))
    optimizer = AdaGradNorm([p], lr=0.5, eps=0.0)
    p.grad = torch.tensor([3.0, 0.0, -4.0]) * size
    optimizer.step()
    torch.testing.assert_close(p.detach(), torch.tensor([-0.3, 0.0, 0.4]), rtol=1e-5, atol=0.0)
