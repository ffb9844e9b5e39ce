"""Parameters of any shape as stacks of matrices: what is stacked is what each would do alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from optimizers import Jorge, OneSidedShampoo, Shampoo
from optimizers.kronecker import KroneckerOptimizer, grid
from optimizers.matrices import matrix_shape, splits

KINDS = [
    (Shampoo, {"refresh": 2}),
    (Shampoo, {"refresh": 1, "grafting": None, "eps": 1e-2}),
    (OneSidedShampoo, {"refresh": "certificate"}),
    (Jorge, {"refresh": 2, "rule": "sandwich"}),
    (Jorge, {"refresh": 1}),
]


def train(optimizer: torch.optim.Optimizer, params: list[torch.Tensor], grads: list[list[torch.Tensor]]) -> None:
    for each in grads:
        for p, g in zip(params, each, strict=True):
            p.grad = g.clone()
        optimizer.step()


def some(
    shapes: list[tuple[int, ...]], steps: int, seed: int = 0
) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
    draw = torch.Generator().manual_seed(seed)
    new = lambda s: torch.randn(s, generator=draw, dtype=torch.float64)  # noqa: E731
    params = [torch.nn.Parameter(new(s)) for s in shapes]
    return params, [[new(s) for s in shapes] for _ in range(steps)]


@pytest.mark.parametrize(
    ("shape", "matrix"),
    [((), (1, 1)), ((7,), (7, 1)), ((3, 4), (3, 4)), ((8, 3, 5, 5), (8, 75)), ((2, 3, 4), (2, 12)), ((0, 4), (0, 4))],
)
def test_the_first_axis_against_all_others(shape, matrix):
    assert matrix_shape(shape) == matrix


@pytest.mark.parametrize(("size", "largest"), [(1, 1), (5, 5), (6, 5), (1500, 1024), (50257, 1024), (7, 2), (10, 1)])
def test_blocks_cover_an_axis_evenly_and_are_as_few_as_can_be(size, largest):
    found = splits(size, largest)
    lengths = [s.stop - s.start for s in found]
    assert [i for s in found for i in range(s.start, s.stop)] == list(range(size))
    assert max(lengths) <= largest and len(set(lengths[:-1])) <= 1
    assert len(found) == -(-size // largest)


def test_only_a_preconditioned_side_is_cut():
    assert len(grid((10, 9), (True, True), 4)) == 9
    assert grid((10, 9), (False, True), 4) == [(slice(0, 10), s) for s in splits(9, 4)]


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_parameters_together_do_what_each_does_alone(kind, options):
    shapes = [(4, 6), (4, 6), (6, 4), (5, 2, 3), (4,), (4,), (), (4, 6)]
    params, grads = some(shapes, 6)
    alone = [torch.nn.Parameter(p.detach().clone()) for p in params]
    train(kind(params, **options), params, grads)
    for i, p in enumerate(alone):
        train(kind([p], **options), [p], [[each[i]] for each in grads])
        torch.testing.assert_close(params[i], p, rtol=1e-11, atol=1e-13)  # a batched product may sum in another order


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_convolution_is_its_matrix(kind, options):
    params, grads = some([(5, 2, 3, 3)], 6)
    flat = torch.nn.Parameter(params[0].detach().reshape(5, 18).clone())
    train(kind(params, **options), params, grads)
    train(kind([flat], **options), [flat], [[g.reshape(5, 18) for g in each] for each in grads])
    assert torch.equal(params[0].reshape(5, 18), flat)


@pytest.mark.parametrize(("kind", "options"), [k for k in KINDS if k[1].get("grafting", "") is None] + [
    (Shampoo, {"refresh": 1, "grafting": None, "root": "sandwich"}),
    (OneSidedShampoo, {"refresh": 3, "grafting": None, "side": "left"}),
])  # fmt: skip
def test_blocks_are_matrices_of_their_own(kind, options):
    params, grads = some([(7, 5)], 6)
    rows, cols = splits(7, 4), splits(5, 4) if kind is Shampoo else [slice(0, 5)]
    blocks = [torch.nn.Parameter(params[0].detach()[r, c].clone()) for r in rows for c in cols]
    train(kind(params, max_size=4, **options), params, grads)
    train(kind(blocks, **options), blocks, [[each[0][r, c] for r in rows for c in cols] for each in grads])
    whole = torch.cat([torch.cat(blocks[i * len(cols) : (i + 1) * len(cols)], dim=1) for i in range(len(rows))])
    torch.testing.assert_close(params[0], torch.nn.Parameter(whole), rtol=1e-11, atol=1e-13)


def test_blocks_change_the_step():
    params, grads = some([(7, 5)], 6)
    other = torch.nn.Parameter(params[0].detach().clone())
    train(Shampoo(params, max_size=4), params, grads)
    train(Shampoo([other]), [other], grads)
    assert not torch.allclose(params[0], other, rtol=1e-3)


def test_a_grafted_block_has_no_length_of_its_own():
    params, grads = some([(7, 5)], 1)
    before = params[0].detach().clone()
    train(Jorge(params, lr=0.1, momentum=0.0, refresh=1, max_size=3), params, grads)
    step = (before - params[0].detach()) / 0.1
    assert float(step.norm()) == pytest.approx(float(grads[0][0].norm()), rel=1e-12)
    lengths = [float(step[r, c].norm() / grads[0][0][r, c].norm()) for r in splits(7, 3) for c in splits(5, 3)]
    assert max(lengths) / min(lengths) > 1.01


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_gradients_in_another_memory_order_are_the_same_gradients(kind, options):
    params, grads = some([(4, 3, 2, 2), (5, 6)], 5)
    other = [
        torch.nn.Parameter(params[0].detach().clone().to(memory_format=torch.channels_last)),
        torch.nn.Parameter(params[1].detach().clone().T.contiguous().T),
    ]
    train(kind(params, **options), params, grads)
    moved = [[each[0].to(memory_format=torch.channels_last), each[1].T.contiguous().T] for each in grads]
    train(kind(other, **options), other, moved)
    for p, q in zip(params, other, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-13)


def test_the_state_is_per_parameter_and_shares_the_memory_of_its_stack():
    params, grads = some([(4, 6), (4, 6)], 3)
    optimizer = Shampoo(params)
    train(optimizer, params, grads)
    one, two = (optimizer.state[p]["left_statistic"][0] for p in params)
    assert one.shape == two.shape == (4, 4)
    assert one.untyped_storage().data_ptr() == two.untyped_storage().data_ptr()
    assert not torch.equal(one, two)


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_parameter_that_sometimes_has_no_gradient_keeps_its_own_count(kind, options):
    params, grads = some([(4, 6), (4, 6)], 9)
    alone = [torch.nn.Parameter(p.detach().clone()) for p in params]
    optimizer = kind(params, **options)
    mine: list[list[list[torch.Tensor]]] = [[], []]
    for t, each in enumerate(grads):
        for i, p in enumerate(params):
            present = i == 0 or t % 3 != 1
            p.grad = each[i].clone() if present else None
            if present:
                mine[i].append([each[i]])
        optimizer.step()
    for i, p in enumerate(alone):
        train(kind([p], **options), [p], mine[i])
        torch.testing.assert_close(params[i], p, rtol=1e-11, atol=1e-13)
    assert [optimizer.state[p]["step"] for p in params] == [9, 6]


def test_a_subclass_says_its_sides():
    assert Shampoo([torch.nn.Parameter(torch.zeros(2, 3))]).sides((2, 3), {}) == (True, True)
    one = OneSidedShampoo([torch.nn.Parameter(torch.zeros(2, 3))])
    assert [one.sides(s, {"side": "smaller"}) for s in ((2, 3), (3, 2), (2, 2))] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    assert issubclass(Jorge, KroneckerOptimizer)
    assert np.all(
        [one.sides((9, 1), {"side": side}) == (side == "left", side == "right") for side in ("left", "right")]
    )
