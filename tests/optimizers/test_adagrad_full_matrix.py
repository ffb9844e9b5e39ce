"""Full-matrix AdaGrad is the printed recursion, and adaptive regularization with all symmetric matrices."""

import copy

import numpy as np
import pytest
import torch

from optimizers import FullMatrixAdaGrad
from optimizers.reference.adagrad import full_matrix_steps
from regret import AdaptiveRegularization
from structures import Full

# ε = 1e-2 beside squares of size ten: the condition number of M^{1/2} is below 1e3, and the twin inverts it.
ROUNDING = 1e-10
SHAPES = [(2, 3), (4,), ()]


def gradients(d=11, steps=15):
    rng = np.random.default_rng(1)
    return rng.normal(size=(steps, d)) * np.linspace(0.2, 2.0, d)


def trained(rows, dtype=torch.float64, shapes=SHAPES, **options):
    params = [torch.nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in shapes]
    optimizer = FullMatrixAdaGrad(params, **options)
    for row in rows:
        feed(params, row)
        optimizer.step()
    return vector(params), optimizer


def feed(params, row):
    start = 0
    for p in params:
        p.grad = torch.tensor(row[start : start + p.numel()], dtype=p.dtype).reshape(p.shape)
        start += p.numel()


def vector(params):
    return torch.cat([p.detach().reshape(-1) for p in params]).double().numpy()


@pytest.mark.parametrize("beta2", [1.0, 0.9])
def test_it_is_the_printed_recursion_over_all_parameters(beta2):
    rows = gradients()
    found, _ = trained(rows, lr=0.3, eps=1e-2, beta2=beta2)
    *_, expected = full_matrix_steps(np.zeros(11), rows, 0.3, 1e-2, beta2)
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)


def test_it_is_the_full_structure_at_the_same_lr_and_eps():
    rows = gradients()
    learner = AdaptiveRegularization(Full((11,)), lr=0.3, eps=1e-2)
    state = learner.init(np.zeros((1, 11)))
    for row in rows:
        state = learner.step(state, row[None])
    found, _ = trained(rows, lr=0.3, eps=1e-2)
    np.testing.assert_allclose(found, state["x"][0], rtol=ROUNDING, atol=ROUNDING)


def test_without_damping_the_first_step_is_lr_along_the_gradient():
    rows = gradients(steps=1)
    found, _ = trained(rows, lr=0.3, eps=0.0)
    np.testing.assert_allclose(found, -0.3 * rows[0] / np.linalg.norm(rows[0]), rtol=1e-9, atol=1e-12)


def test_parameters_without_a_gradient_stay_where_they_are():
    params = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2))]
    optimizer = FullMatrixAdaGrad(params, weight_decay=0.1)
    params[0].grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(params[1], torch.ones(2))
    assert not torch.equal(params[0], torch.ones(3))
    params[1].grad = torch.ones(2)
    optimizer.step()
    assert not torch.equal(params[1], torch.ones(2))


def test_training_goes_on_bitwise_from_a_saved_state():
    rows = gradients()
    whole, _ = trained(rows, dtype=torch.float32)
    half, optimizer = trained(rows[:7], dtype=torch.float32)
    twin = copy.deepcopy(optimizer)
    params = twin.param_groups[0]["params"]
    twin.load_state_dict(optimizer.state_dict())
    for row in rows[7:]:
        feed(params, row)
        twin.step()
    assert np.array_equal(vector(params), whole)
    assert not np.array_equal(half, whole)


def test_half_precision_parameters_keep_a_statistic_in_single():
    rows = gradients()
    found, optimizer = trained(rows, dtype=torch.bfloat16, lr=0.3, eps=1e-2)
    assert {optimizer.state[p]["rows"].dtype for p in optimizer.param_groups[0]["params"]} == {torch.float32}
    exact, _ = trained(rows, lr=0.3, eps=1e-2)
    np.testing.assert_allclose(found, exact, atol=0.1)  # fifteen roundings to eight bits of numbers of size one


def test_a_group_that_is_too_large_is_refused_when_it_is_made():
    with pytest.raises(ValueError, match="this group has 50 numbers"):
        FullMatrixAdaGrad([torch.nn.Parameter(torch.zeros(50))], max_size=49)
    optimizer = FullMatrixAdaGrad([torch.nn.Parameter(torch.zeros(5))], max_size=49)
    with pytest.raises(ValueError, match="this group has 50 numbers"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(50))]})
    assert len(optimizer.param_groups) == 1


def test_groups_of_two_precisions_wrong_options_and_other_states_are_refused():
    mixed = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))]
    with pytest.raises(ValueError, match="one precision and one device"):
        FullMatrixAdaGrad(mixed)
    with pytest.raises(ValueError, match="beta2 must be in"):
        FullMatrixAdaGrad(mixed[:1], beta2=1.5)
    _, optimizer = trained(gradients(steps=1))
    saved = optimizer.state_dict()
    saved["state"][1] = {"step": 1, "rows": torch.zeros(3, 11)}
    with pytest.raises(ValueError, match=r"shape \(3, 11\), the parameter \(4, 11\)"):
        optimizer.load_state_dict(saved)
    saved["state"][1] = {"step": 1}
    with pytest.raises(ValueError, match="not that of FullMatrixAdaGrad"):
        optimizer.load_state_dict(saved)
