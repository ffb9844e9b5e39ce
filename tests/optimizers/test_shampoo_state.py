"""States that come back bit for bit, options that are refused, and gradients that break a careless implementation."""

from __future__ import annotations

import copy
import io

import pytest
import torch

from optimizers import Jorge, OneSidedShampoo, Shampoo

SHAPES = [(6, 4), (6, 4), (3, 2, 2, 2), (5,), (), (9, 7)]
KINDS = [
    (Shampoo, {}),
    (Shampoo, {"refresh": "certificate", "max_size": 4}),
    (Shampoo, {"refresh": 1, "grafting": None, "eps": 1e-3}),
    (Shampoo, {"root": "sandwich", "refresh": "certificate"}),
    (OneSidedShampoo, {"refresh": "certificate", "grafting": "adagrad"}),
    (OneSidedShampoo, {"beta2": None, "refresh": 2, "max_size": 3}),
    (Jorge, {"refresh": 2}),
    (Jorge, {"refresh": "certificate", "max_size": 5}),
    (OneSidedShampoo, {"refresh": "certificate", "beta2": None}),
    (Jorge, {"rule": "sandwich", "grafting": None, "momentum": 0.0}),
]
every_kind = pytest.mark.parametrize(("kind", "options"), KINDS)


def make(dtype: torch.dtype = torch.float32, shapes=None) -> list[torch.nn.Parameter]:
    draw = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(s, generator=draw).to(dtype)) for s in shapes or SHAPES]


def step(optimizer: torch.optim.Optimizer, params: list[torch.nn.Parameter], seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    for p in params:
        p.grad = torch.randn(p.shape, generator=draw).to(p.dtype)
    optimizer.step()


def leaves(value) -> list:
    if isinstance(value, dict):
        return [leaf for key in value for leaf in leaves(value[key])]
    if isinstance(value, list):
        return [leaf for entry in value for leaf in leaves(entry)]
    return [value]


@every_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_resumed_run_is_the_same_run_bit_for_bit(kind, options, dtype):
    params = make(dtype)
    optimizer = kind(params, **options)
    for t in range(4):
        step(optimizer, params, t)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    twins = [torch.nn.Parameter(p.detach().clone()) for p in params]
    other = kind(twins, **options)
    other.load_state_dict(torch.load(file, weights_only=True))
    for t in range(4, 9):
        step(optimizer, params, t)
        step(other, twins, t)
    assert all(torch.equal(p, q) for p, q in zip(params, twins, strict=True))
    ours, theirs = leaves(optimizer.state_dict()), leaves(other.state_dict())
    assert len(ours) == len(theirs)
    assert all(
        torch.equal(a, b) and a.dtype == b.dtype if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(ours, theirs, strict=True)
    )


@every_kind
def test_statistics_of_half_precision_parameters_are_single(kind, options):
    params = make(torch.bfloat16)
    optimizer = kind(params, **options)
    step(optimizer, params, 0)
    tensors = [leaf for leaf in leaves(dict(optimizer.state)) if isinstance(leaf, torch.Tensor)]
    assert tensors and all(t.dtype == torch.float32 for t in tensors)


@every_kind
def test_a_copy_goes_its_own_way(kind, options):
    params = make()
    optimizer = kind(params, **options)
    step(optimizer, params, 0)
    twin = copy.deepcopy(optimizer)
    mine = [p.detach().clone() for p in params]
    theirs = [p for group in twin.param_groups for p in group["params"]]
    for t in range(1, 4):
        step(twin, theirs, t)
    assert all(torch.equal(p, q) for p, q in zip(params, mine, strict=True))
    for t in range(1, 4):
        step(optimizer, params, t)
    assert all(torch.equal(p, q) for p, q in zip(params, theirs, strict=True))


@every_kind
def test_a_state_of_another_shape_is_refused_and_nothing_changes(kind, options):
    params, others = make(), make(shapes=[(4, 6), (6, 4), (3, 2, 2, 2), (5,), (), (9, 7)])
    optimizer, other = kind(params, **options), kind(others, **options)
    step(optimizer, params, 0)
    step(other, others, 0)
    before = [leaf.clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves(dict(optimizer.state))]
    with pytest.raises(ValueError, match=r"shape \(6, 4\).*unchanged"):
        optimizer.load_state_dict(other.state_dict())
    after = leaves(dict(optimizer.state))
    assert all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(after, before, strict=True))


def test_a_state_of_another_optimizer_is_refused():
    params, others = make(), make()
    adam = torch.optim.AdamW(others)
    step(adam, others, 0)
    with pytest.raises(ValueError, match="not that of Shampoo"):
        Shampoo(params).load_state_dict(adam.state_dict())


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (Shampoo, {"lr": -1.0}, "lr must be"), (Shampoo, {"lr": float("nan")}, "lr must be"),
        (Shampoo, {"momentum": 1.0}, "momentum must be"), (Shampoo, {"weight_decay": -0.1}, "weight_decay must be"),
        (Shampoo, {"eps": -1.0}, "eps must be"), (Shampoo, {"beta2": 0.0}, "beta2 must be"),
        (Shampoo, {"beta2": 1.1}, "beta2 must be"), (Shampoo, {"grafting": "adam"}, "grafting must be"),
        (Shampoo, {"refresh": 0}, "refresh must be"), (Shampoo, {"refresh": 2.5}, "refresh must be"),
        (Shampoo, {"refresh": True}, "refresh must be"), (Shampoo, {"refresh": "never"}, "refresh must be"),
        (Shampoo, {"ridge": -1e-3}, "ridge must be"), (Shampoo, {"root": "newton"}, "root must be"),
        (Shampoo, {"root": "sandwich", "beta2": 1.0}, "cannot sum"), (Shampoo, {"root": "jorge", "eps": 0.0}, "eps must be > 0"),
        (Shampoo, {"order": 0}, "order must be"), (Shampoo, {"max_size": 0}, "max_size must be"),
        (Shampoo, {"threshold": 1.0}, "threshold must be"), (Shampoo, {"probes": 0}, "probes must be"),
        (Shampoo, {"statistics": 0}, "statistics must be"),
        (OneSidedShampoo, {"side": "top"}, "side must be"), (Jorge, {"rule": "eigh"}, "rule must be"),
        (Jorge, {"beta2": 1.0}, "cannot sum"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused_by_name(kind, options, words):
    with pytest.raises(ValueError, match=words):
        kind(make(), **options)


@every_kind
def test_dead_rows_and_columns_stay_finite_and_still(kind, options):
    p = torch.nn.Parameter(torch.ones(6, 4))
    optimizer = kind([p], **options)
    draw = torch.Generator().manual_seed(1)
    for _ in range(600):
        G = torch.randn(6, 4, generator=draw)
        G[2], G[:, 1] = 0.0, 0.0
        p.grad = G
        optimizer.step()
    assert torch.isfinite(p).all()
    assert all(torch.isfinite(t).all() for t in leaves(dict(optimizer.state)) if isinstance(t, torch.Tensor))
    kept = p.detach()[2]
    assert torch.allclose(kept, torch.ones(4), atol=1e-4)  # a null row of D is null up to rounding in the roots


@every_kind
def test_a_zero_gradient_changes_no_statistic(kind, options):
    params = make()
    optimizer = kind(params, **options)
    for _ in range(2):
        for p in params:
            p.grad = torch.zeros_like(p)
        optimizer.step()
    step(optimizer, params, 0)
    before = {id(p): {k: copy.deepcopy(v) for k, v in optimizer.state[p].items()} for p in params}
    for p in params:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for p in params:
        assert torch.isfinite(p).all()
        for name, value in optimizer.state[p].items():
            # a certificate may take a root from the same statistics: its probe is another one
            if name.endswith("statistic") or (name.endswith("series") and options.get("refresh") != "certificate"):
                assert all(torch.equal(a, b) for a, b in zip(value, before[id(p)][name], strict=True))


LATE = [(kind, {**options, "refresh": 100}) for kind, options in KINDS if "eps" not in options]


@pytest.mark.parametrize(("kind", "options"), LATE)
def test_a_first_gradient_that_comes_late_has_its_root_at_once_and_disturbs_no_other(kind, options):
    """Zero-initialised layers: the gradients of those before them are zero in the first steps."""
    params, other = make(shapes=[(6, 4), (6, 4)]), make(shapes=[(6, 4)])
    optimizer, alone, draw = kind(params, **options), kind(other, **options), torch.Generator().manual_seed(4)
    start = params[1].detach().clone()
    for t in range(12):
        params[0].grad, late = torch.randn(6, 4, generator=draw), torch.randn(6, 4, generator=draw)
        other[0].grad, params[1].grad = params[0].grad.clone(), late * (t >= 9)
        optimizer.step()
        alone.step()
        assert torch.equal(params[1], start) == (t < 9)  # no refresh is due between 9 and 100
    for name, blocks in alone.state[other[0]].items():
        if name.endswith(("root", "series")):
            torch.testing.assert_close(optimizer.state[params[0]][name], blocks, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(params[0], other[0], rtol=1e-5, atol=1e-6)


@every_kind
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e15, 1e18])
def test_gradients_of_any_scale_leave_finite_parameters(kind, options, scale, first):
    params = make()
    optimizer = kind(params, **options)
    start = [p.detach().clone() for p in params]
    draw = torch.Generator().manual_seed(2)
    for t in range(12):
        for p in params:
            p.grad = (scale if t % 2 != first else 1.0) * torch.randn(p.shape, generator=draw)
        optimizer.step()
    assert all(torch.isfinite(p).all() for p in params)
    assert all(not torch.equal(p, q) for p, q in zip(params, start, strict=True))


@every_kind
def test_gradients_whose_squares_overflow_are_refused_and_nothing_changes(kind, options):
    """RMSProp's length would be 0 for ever, and a length of 0 times an infinite step is no number."""
    params = make()
    optimizer = kind(params, **options)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    before, state = [p.detach().clone() for p in params], copy.deepcopy(optimizer.state_dict())
    for p in params:
        p.grad = 1e37 * torch.ones_like(p)
    with pytest.raises(ValueError, match="squares of the gradients overflow"):
        optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    assert str(state) == str(optimizer.state_dict())


# Without grafting a series lets L at most double per refresh: it cannot follow a gradient that its own step enlarges.
@pytest.mark.parametrize(("kind", "options"), [k for k in KINDS if k != (Jorge, KINDS[-1][1])])
def test_rank_one_gradients_train(kind, options):
    p = torch.nn.Parameter(torch.zeros(6, 4))
    optimizer = kind([p], **{**options, "lr": 0.02})
    u, v = torch.linspace(1, 2, 6), torch.linspace(-1, 1, 4)
    target = torch.outer(u, v)
    first = float((target**2).sum())
    for _ in range(300):
        p.grad = torch.outer((p.detach() - target) @ v, v)
        optimizer.step()
    assert float((((p.detach() - target) @ v) ** 2).sum()) < 0.5 * first


@every_kind
def test_empty_parameters_and_numbers_take_part(kind, options):
    params = [torch.nn.Parameter(torch.zeros(s)) for s in [(0,), (0, 3), (3, 0), (), (1,), (1, 1), (2, 3)]]
    optimizer = kind(params, **options)
    for t in range(3):
        step(optimizer, params, t)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(optimizer, params, 3)
    assert all(bool((p != 0).all()) for p in params)


def test_a_gradient_that_is_not_finite_changes_nothing():
    params = make()
    optimizer = Shampoo(params)
    step(optimizer, params, 0)
    before = [t.clone() for t in leaves(dict(optimizer.state)) if isinstance(t, torch.Tensor)]
    kept = [p.detach().clone() for p in params]
    params[1].grad[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"parameter 1 in group 0"):
        optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, kept, strict=True))
    assert all(
        torch.equal(a, b)
        for a, b in zip([t for t in leaves(dict(optimizer.state)) if isinstance(t, torch.Tensor)], before, strict=True)
    )


def test_groups_have_their_own_options_and_may_be_added():
    params = make()
    optimizer = Shampoo([{"params": params[:2], "lr": 0.1, "root": "sandwich"}, {"params": params[2:4]}], lr=0.01)
    step(optimizer, params[:4], 0)
    optimizer.add_param_group({"params": params[4:], "refresh": "certificate"})
    step(optimizer, params, 1)
    assert "left_series" in optimizer.state[params[0]] and "left_root" in optimizer.state[params[2]]
    assert [optimizer.state[p]["step"] for p in params] == [2, 2, 2, 2, 1, 1]
    with pytest.raises(ValueError, match="root must be"):
        optimizer.add_param_group({"params": make()[:1], "root": "newton"})
    assert len(optimizer.param_groups) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"refresh": 1},
        {"refresh": "certificate"},
        {"root": "sandwich"},
        {"grafting": None},
        {"momentum": 0.5},
        {"max_size": 3},
        {"lr": 0.1},
    ],
)
@pytest.mark.parametrize("start", [{"refresh": 1}, {"root": "sandwich", "refresh": 2}, {"momentum": 0.0}])
def test_options_may_change_on_the_way(start, change):
    params = make(shapes=[(6, 4), (6, 4)])
    optimizer = Shampoo(params, **start)
    for t in range(3):
        step(optimizer, params, t)
    optimizer.param_groups[0].update(change)
    before = [p.detach().clone() for p in params]
    for t in range(3, 14):
        step(optimizer, params, t)
    for p, q in zip(params, before, strict=True):
        assert torch.isfinite(p).all() and not torch.equal(p, q)


@pytest.mark.parametrize(
    ("start", "change", "names"),
    [
        ({"refresh": 10}, {"refresh": 1}, {"statistic"}),
        ({"refresh": 1}, {"refresh": 100}, {"statistic", "root"}),
        ({"refresh": 10}, {"root": "sandwich"}, {"series"}),
        ({"root": "sandwich"}, {"refresh": "certificate"}, {"series", "statistic"}),
        ({"root": "sandwich", "refresh": "certificate"}, {"root": "eigh", "refresh": 5}, {"statistic", "root"}),
        ({"max_size": 2}, {"max_size": 100}, {"statistic", "root"}),
    ],
)
def test_after_a_change_the_state_is_that_of_the_new_options_and_in_use(start, change, names):
    params = make(shapes=[(6, 4)])
    optimizer = Shampoo(params, **start)
    for t in range(3):
        step(optimizer, params, t)
    optimizer.param_groups[0].update(change)
    step(optimizer, params, 3)
    state = optimizer.state[params[0]]
    assert {key for key in state if key.startswith("left_")} == {f"left_{name}" for name in names}
    assert all(len(state[f"left_{name}"]) == 1 and state[f"left_{name}"][0].shape == (6, 6) for name in names)
    assert all(bool(state[f"left_{name}"][0].any()) for name in names)


def test_a_replaced_state_tensor_is_used():
    params, others = make(), make()
    one, two = Shampoo(params), Shampoo(others)
    for t in range(3):
        step(one, params, t)
        step(two, others, t)
    one.state[params[0]]["momentum"] = torch.zeros_like(params[0])
    two.state[others[0]]["momentum"].zero_()
    for t in range(3, 6):
        step(one, params, t)
        step(two, others, t)
    assert torch.equal(params[0], others[0])
