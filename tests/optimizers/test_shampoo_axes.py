"""Shampoo with a factor along each axis of a tensor: the printed recursion, its invariances, its states and its refusals."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from optimizers import OneSidedShampoo, Shampoo
from optimizers.reference import shampoo as literal
from regret.adversaries.hard_sequence import hard_scalars

SHAPES = [(3, 4, 5), (4, 2, 3, 2), (2, 3, 2, 2, 3)]
T = 12
TEXTBOOK = {"momentum": 0.0, "ridge": 0.0, "beta2": 1.0, "grafting": None, "refresh": 1, "lr": 0.3, "eps": 0.1}


def stream(shape: tuple[int, ...], steps: int = T, seed: int = 0) -> np.ndarray:  # (steps, *shape)
    """Gradients whose length varies and whose axes are not alike."""
    draw = np.random.default_rng(seed)
    G = draw.standard_normal((steps, *shape)) * np.exp(draw.standard_normal((steps, *[1] * len(shape))))
    return G * np.geomspace(1.0, 0.1, shape[-1])


def start(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape)


def iterates(gradients: np.ndarray, W0: np.ndarray, **options) -> np.ndarray:
    W = torch.nn.Parameter(torch.tensor(W0))
    optimizer, found = Shampoo([W], **options), []
    for G in gradients:
        W.grad = torch.tensor(G)
        optimizer.step()
        found.append(W.detach().numpy().copy())
    return np.array(found)


def close(one: np.ndarray, other: np.ndarray, atol: float = 1e-11) -> None:  # steps of size one, condition below 1e3
    np.testing.assert_allclose(one, other, rtol=0.0, atol=atol)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta2": 0.9, "ridge": 1e-2},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"momentum": 0.9, "grafting": "sgd"},
        {"grafting": "rmsprop"},
    ],
    ids=lambda options: "-".join(options) or "textbook",
)
def test_every_option_is_the_printed_recursion(shape, options):
    options = TEXTBOOK | options
    rule = literal.Recursion(**{name: value for name, value in options.items() if name != "refresh"})
    gradients = stream(shape)
    published = np.array(list(literal.steps(rule, start(shape), lambda t, W: gradients[t - 1], T)))
    close(iterates(gradients, start(shape), axes="each", **options), published)


def test_the_exponent_of_a_matrix_would_be_seen():
    shape, G = (3, 4, 5), stream((3, 4, 5), 1)[0]
    D = G
    for axis in range(3):
        E = literal.unfolded(G, axis)
        D = literal.along(axis, literal.inverse_root(0.1 * np.eye(len(E)) + E @ E.T, 4), D)
    ours = iterates(G[None], np.zeros(shape), axes="each", **TEXTBOOK)[0]
    assert np.linalg.norm(ours + 0.3 * D) > 0.1 * np.linalg.norm(ours)


@pytest.mark.parametrize(("shape", "matrix"), [((3, 1, 4, 1), (3, 4)), ((1, 3, 1, 4), (3, 4)), ((3, 1, 1), (3, 1))])
def test_axes_of_length_one_do_not_count(shape, matrix):
    gradients = stream(matrix)
    ours = iterates(gradients.reshape(T, *shape), start(matrix).reshape(shape), axes="each", **TEXTBOOK)
    close(ours.reshape(T, *matrix), iterates(gradients, start(matrix), **TEXTBOOK))


@pytest.mark.parametrize("shape", [(5, 7), (6,), (1, 5), ()])
def test_matrices_and_vectors_have_the_factors_that_they_had(shape):
    gradients = stream((*shape, 1)).reshape(T, *shape)
    for options in (TEXTBOOK, {"lr": 0.1}):
        each = iterates(gradients, start(shape), axes="each", **options)
        np.testing.assert_array_equal(each, iterates(gradients, start(shape), axes="merged", **options))


def test_a_merged_tensor_takes_another_step():
    gradients = stream((3, 4, 5))
    each, merged = (iterates(gradients, start((3, 4, 5)), axes=axes, **TEXTBOOK) for axes in ("each", "merged"))
    assert np.abs(each - merged).max() > 0.05  # of steps of size one


@pytest.mark.parametrize("shape", SHAPES)
def test_the_step_turns_with_the_basis_of_every_axis(shape):
    turns = [ortho_group.rvs(n, random_state=n) for n in shape]

    def turned(G: np.ndarray) -> np.ndarray:
        for axis, Q in enumerate(turns):
            G = literal.along(axis, Q, G)
        return G

    gradients, zero = stream(shape), np.zeros(shape)
    here = iterates(gradients, zero, axes="each", **TEXTBOOK)
    there = iterates(np.array([turned(G) for G in gradients]), zero, axes="each", **TEXTBOOK)
    close(there, np.array([turned(W) for W in here]), 1e-10)


def test_blocks_are_tensors_of_their_own():
    shape, options = (4, 6, 5), TEXTBOOK | {"axes": "each"}
    gradients, W0 = stream(shape), start(shape)
    whole = iterates(gradients, W0, max_size=3, **options)
    for rows in (slice(0, 2), slice(2, 4)):
        for cols in (slice(0, 3), slice(3, 6)):
            for last in (slice(0, 3), slice(3, 5)):
                part = (slice(None), rows, cols, last)
                own = iterates(gradients[part], W0[part[1:]], max_size=3, **options)
                close(whole[part], own)


def test_tensors_together_do_what_each_does_alone():
    shapes = [(3, 4, 2, 2), (3, 4, 2, 2), (5, 3, 2, 2), (4, 3), (6,)]
    params = [torch.nn.Parameter(torch.tensor(start(shape))) for shape in shapes]
    alone = [iterates(stream(shape, seed=i), start(shape), axes="each")[-1] for i, shape in enumerate(shapes)]
    together = Shampoo(params, axes="each")
    for t in range(T):
        for i, p in enumerate(params):
            p.grad = torch.tensor(stream(shapes[i], seed=i)[t])
        together.step()
    for p, expected in zip(params, alone, strict=True):
        close(p.detach().numpy(), expected)


@pytest.mark.parametrize("refresh", [1, 3, "certificate"])
def test_training_goes_on_bitwise_after_a_reload(refresh):
    shape = (4, 3, 2, 2)
    gradients = torch.tensor(stream(shape, 20)).float()
    W = torch.nn.Parameter(torch.zeros(shape))
    optimizer = Shampoo([W], axes="each", refresh=refresh, max_size=3)
    for t, G in enumerate(gradients):
        if t == 11:
            twin = torch.nn.Parameter(W.detach().clone())
            other = Shampoo([twin], lr=5.0)
            other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        W.grad = G.clone()
        optimizer.step()
        if t >= 11:
            twin.grad = G.clone()
            other.step()
    assert torch.equal(W, twin)
    assert set(optimizer.state[W]) > {f"axis{i}_statistic" for i in range(4)}


def test_axes_may_be_changed_on_the_way_and_leave_nothing_behind():
    shape = (4, 3, 2)
    W = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
    optimizer = Shampoo([W], axes="each", refresh=2)
    for t, G in enumerate(stream(shape)):
        optimizer.param_groups[0]["axes"] = (
            "merged" if t == 4 else "each" if t == 8 else optimizer.param_groups[0]["axes"]
        )
        W.grad = torch.tensor(G)
        optimizer.step()
        kept = {name.partition("_")[0] for name, value in optimizer.state[W].items() if isinstance(value, list)}
        assert kept == ({"left", "right"} if 4 <= t < 8 else {"axis0", "axis1", "axis2"})
    assert bool(torch.isfinite(W).all())


def test_a_certified_root_is_kept_while_the_gradients_stay_and_renewed_when_they_jump():
    W = torch.nn.Parameter(torch.zeros(4, 3, 5, dtype=torch.float64))
    optimizer = Shampoo([W], axes="each", refresh="certificate", beta2=0.9)
    draw, renewed, before = torch.Generator().manual_seed(0), [], None
    for t in range(120):
        G = torch.randn(4, 3, 5, generator=draw, dtype=torch.float64)
        if t >= 60:
            G[0] *= 30.0
        W.grad = G
        optimizer.step()
        root = optimizer.state[W]["axis0_root"][0].clone()
        renewed.append(before is None or not torch.equal(root, before))
        before = root
    assert sum(renewed[20:60]) < 20
    assert any(renewed[60:66])


def regret_and_bound(
    gradients: np.ndarray,  # (T, *shape)
    start: np.ndarray,
    comparator: np.ndarray,
    lr: float,
    eps: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At every horizon the regret, and the two terms of docs/proofs/baselines.md#along-every-axis-of-a-tensor."""
    k, shape = start.ndim, start.shape
    points = np.concatenate([start[None], iterates(gradients, start, axes="each", **TEXTBOOK | {"lr": lr, "eps": eps})])
    apart = points[:-1] - comparator
    regret = np.cumsum([np.sum(G * W) for G, W in zip(gradients, apart, strict=True)])
    D = np.maximum.accumulate(np.linalg.norm(apart.reshape(len(apart), -1), axis=1))
    Ls, moving, noise = [eps * np.eye(n) for n in shape], [], []
    for G in gradients:
        Ls = [L + E @ E.T for L, E in ((L, literal.unfolded(G, i)) for i, L in enumerate(Ls))]
        values = [np.linalg.eigvalsh(L).clip(0.0) for L in Ls]
        moving.append(np.prod([np.sum(v ** (0.5 / k)) for v in values]))
        noise.append(np.prod([max(np.sum(v**0.5) - len(v) * eps**0.5, 0.0) ** (1.0 / k) for v in values]))
    return regret, D**2 / (2.0 * lr) * np.array(moving), lr * np.array(noise)


@pytest.mark.parametrize("lr", [0.03, 0.3, 3.0])
@pytest.mark.parametrize("eps", [1e-2, 1e-8])
@pytest.mark.parametrize("shape", SHAPES)
def test_its_regret_has_a_bound_without_a_rank(shape, eps, lr):
    gradients = stream(shape, 60) + 0.3
    regret, moving, noise = regret_and_bound(gradients, start(shape), np.full(shape, -1.0), lr, eps)
    assert regret.max() > 0.0
    assert (regret <= moving + noise).all()


def test_one_number_in_a_tensor_of_rank_one_comes_near_the_bound_and_a_smaller_one_would_fail():
    horizon, rate = 3000, 2.0**0.5
    E = np.multiply.outer(np.multiply.outer([0.6, 0.8], [1.0, 0.0]), [0.8, -0.6])
    gradients = hard_scalars(horizon, 1.0, rate).reshape(-1, 1, 1, 1) * E
    regret, moving, noise = regret_and_bound(gradients, (rate - 1.0) * E, E, rate, 1e-12)
    assert 0.9 < regret[-1] / (moving + noise)[-1] <= 1.0
    assert regret[-1] > (moving + 0.5 * noise)[-1]
    assert regret[-1] > (0.75 * moving + noise)[-1]


def test_a_series_is_refused_because_its_exponent_is_that_of_two_sides():
    W = torch.nn.Parameter(torch.zeros(3, 4, 5))
    for root in ("sandwich", "jorge"):
        with pytest.raises(ValueError, match="root='eigh', or axes='merged'"):
            Shampoo([W], axes="each", root=root)
    with pytest.raises(ValueError, match="axes must be one of 'merged', 'each', got 'all'"):
        Shampoo([W], axes="all")


def test_a_state_that_does_not_fit_the_axes_is_refused():
    W = torch.nn.Parameter(torch.zeros(3, 4, 5))
    optimizer = Shampoo([W], axes="each")
    W.grad = torch.ones(3, 4, 5)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"][0]["axis1_root"] = [torch.eye(5)]
    with pytest.raises(ValueError, match="axis1_root"):
        Shampoo([torch.nn.Parameter(torch.zeros(3, 4, 5))], axes="each").load_state_dict(saved)
    del saved["state"][0]["axis1_root"], saved["state"][0]["axis1_statistic"]
    saved["state"][0]["axis3_root"] = [torch.eye(2)]
    with pytest.raises(ValueError, match="axis3_root"):
        Shampoo([torch.nn.Parameter(torch.zeros(3, 4, 5))], axes="each").load_state_dict(saved)


def test_an_optimizer_without_the_option_does_not_read_it():
    W = torch.nn.Parameter(torch.zeros(3, 4, 5))
    optimizer = OneSidedShampoo([{"params": [W], "axes": "each"}])
    W.grad = torch.ones(3, 4, 5)
    optimizer.step()
    assert {name for name in optimizer.state[W] if name.startswith("axis")} == set()
    assert W.abs().min() > 0.0


def test_what_others_keep_in_a_state_stays():
    W = torch.nn.Parameter(torch.zeros(3, 4, 5))
    optimizer = Shampoo([W], axes="each")
    for refresh in (2, 3):
        optimizer.param_groups[0]["refresh"] = refresh
        W.grad = torch.ones(3, 4, 5)
        optimizer.step()
        optimizer.state[W].setdefault("mine", [1, 2, 3])
    assert optimizer.state[W]["mine"] == [1, 2, 3]


def test_blocks_of_an_empty_parameter_are_refused():
    empty = Shampoo([torch.nn.Parameter(torch.zeros(0, 4))])
    saved = empty.state_dict()
    saved["state"][0] = {"step": 1, "left_statistic": [torch.eye(2)]}
    with pytest.raises(ValueError, match="left_statistic"):
        empty.load_state_dict(saved)


def test_the_twin_takes_no_vectors():
    with pytest.raises(ValueError, match=r"give shape \(5, 1\)"):
        next(literal.steps(literal.Recursion(lr=0.1, eps=0.1), np.zeros(5), lambda t, W: W, 1))


def test_a_small_convolutional_net_trains_with_a_factor_for_every_axis():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(6 * 16, 3)
    )
    x, y = torch.randn(48, 2, 6, 6), torch.arange(48) % 3
    optimizer, losses = Shampoo(model.parameters(), axes="each", lr=1e-2), []
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
