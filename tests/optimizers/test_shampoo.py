"""Shampoo and its one-sided form: their published recursions, step by step in float64, and training with defaults."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from optimizers import Jorge, OneSidedShampoo, Shampoo
from optimizers.reference import shampoo as literal
from regret.learners.adaptive import AdaptiveRegularization
from regret.learners.shampoo import TwoSidedShampoo
from structures import LeftKronecker, RightKronecker

M, N, T = 5, 7, 20
RNG = np.random.default_rng(0)
START = RNG.standard_normal((M, N))
# Scales that vary, and neither rows nor columns alike: no factor commutes with another
GRADIENTS = RNG.standard_normal((T, M, N)) * np.exp(RNG.standard_normal((T, 1, 1))) * np.geomspace(1.0, 0.1, N)
TEXTBOOK = {"momentum": 0.0, "weight_decay": 0.0, "ridge": 0.0, "beta2": 1.0, "grafting": None, "refresh": 1}
TIGHT = {"rtol": 0.0, "atol": 1e-12}  # twenty steps of size one, roots with condition numbers below 1e2


def iterates(kind: type, **options) -> np.ndarray:  # (T, M, N)
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer, found = kind([W], **options), []
    for G in GRADIENTS:
        W.grad = torch.tensor(G)
        optimizer.step()
        found.append(W.detach().numpy().copy())
    return np.array(found)


def published(**options) -> np.ndarray:
    return np.array(list(literal.steps(literal.Recursion(**options), START, lambda t, W: GRADIENTS[t - 1], T)))


def learned(learner) -> np.ndarray:
    state, found = learner.init(START[None]), []
    for G in GRADIENTS:
        state = learner.step(state, G[None])
        found.append(state["x"][0])
    return np.array(found)


def test_the_textbook_form_is_two_sided_shampoo_of_the_regret_room():
    ours = iterates(Shampoo, lr=0.3, eps=0.1, **TEXTBOOK)
    np.testing.assert_allclose(ours, learned(TwoSidedShampoo((M, N), lr=0.3, eps=0.1)), **TIGHT)


@pytest.mark.parametrize(("side", "structure", "other"), [("left", LeftKronecker, N), ("right", RightKronecker, M)])
def test_the_textbook_form_is_adaptive_regularization_in_its_own_units(side, structure, other):
    theirs = learned(AdaptiveRegularization(structure((M, N)), lr=0.3, eps=0.05))
    ours = iterates(OneSidedShampoo, lr=0.3 * other**0.5, eps=0.05 * other, side=side, **TEXTBOOK)
    np.testing.assert_allclose(ours, theirs, **TIGHT)
    unscaled = iterates(OneSidedShampoo, lr=0.3, eps=0.05, side=side, **TEXTBOOK)
    assert np.abs(unscaled - theirs).max() > 0.1


def test_a_rank_deficient_start_is_that_of_the_regret_room():
    few = slice(0, 3)  # rank at most 3·1 on the left: eps = 0, pseudo-inverses
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer = Shampoo([W], lr=0.3, eps=0.0, **TEXTBOOK)
    learner = TwoSidedShampoo((M, N), lr=0.3)
    state = learner.init(START[None])
    for u, v in zip(GRADIENTS[few, :, :1], GRADIENTS[few, :1, :], strict=True):
        W.grad = torch.tensor(u @ v)
        optimizer.step()
        state = learner.step(state, (u @ v)[None])
    np.testing.assert_allclose(
        W.detach().numpy(), state["x"][0], rtol=0.0, atol=1e-7
    )  # sqrt(sqrt(eps)) of a lost eigenvalue


@pytest.mark.parametrize("grafting", [None, "sgd", "adagrad", "rmsprop"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("side", ["both", "left", "right"])
def test_every_option_is_the_printed_recursion(side, momentum, grafting):
    options = {
        "lr": 0.1,
        "eps": 0.2,
        "beta2": 0.9,
        "ridge": 1e-2,
        "momentum": momentum,
        "weight_decay": 0.1,
        "grafting": grafting,
    }
    own = {} if side == "both" else {"side": side}
    ours = iterates(Shampoo if side == "both" else OneSidedShampoo, refresh=1, **own, **options)
    np.testing.assert_allclose(ours, published(side=side, **options), **TIGHT)


@pytest.mark.parametrize(
    "slip", [{"ridge": 0.0}, {"beta2": 0.91}, {"eps": 0.21}, {"momentum": 0.89}, {"weight_decay": 0.09}]
)
def test_a_slip_is_seen(slip):
    options = {
        "lr": 0.1,
        "eps": 0.2,
        "beta2": 0.9,
        "ridge": 1e-2,
        "momentum": 0.9,
        "weight_decay": 0.1,
        "grafting": None,
    }
    ours = iterates(Shampoo, refresh=1, **{**options, **slip})
    assert np.abs(ours - published(**options)).max() > 1e-5


def test_stale_roots_are_those_of_the_last_refresh():
    W, optimizer, roots = torch.nn.Parameter(torch.tensor(START)), None, []
    optimizer = Shampoo([W], lr=0.1, eps=0.2, refresh=5, momentum=0.0, ridge=0.0, beta2=1.0, grafting=None)
    L, R, X = 0.2 * np.eye(M), 0.2 * np.eye(N), START
    for t, G in enumerate(GRADIENTS):
        W.grad = torch.tensor(G)
        optimizer.step()
        L, R = L + G @ G.T, R + G.T @ G
        if t % 5 == 0 or t in (1, 2, 4):  # more often before the first interval is over
            roots = [literal.inverse_root(L, 4), literal.inverse_root(R, 4)]
        X = X - 0.1 * roots[0] @ G @ roots[1]
    np.testing.assert_allclose(W.detach().numpy(), X, **TIGHT)


def test_the_dynamic_weight_of_exact_roots():
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer = OneSidedShampoo(
        [W], lr=0.1, eps=None, beta2=None, momentum=0.0, ridge=0.0, grafting=None, refresh=1, side="left"
    )
    L, A = np.zeros((M, M)), np.zeros((M, M))
    for G in GRADIENTS:
        W.grad = torch.tensor(G)
        optimizer.step()
        X = A @ G @ G.T @ A
        beta2 = np.linalg.norm(X) / (1.0 + np.linalg.norm(X))
        L = beta2 * L + (1.0 - beta2) * G @ G.T
        A = literal.inverse_root(L, 2)
    np.testing.assert_allclose(optimizer.state[W]["left_statistic"][0].numpy(), L, rtol=1e-9)


@pytest.mark.parametrize(
    "options", [{}, {"grafting": "sgd"}, {"grafting": None, "eps": 1e-2}, {"root": "sandwich", "refresh": 1}]
)
@pytest.mark.parametrize("kind", [Shampoo, OneSidedShampoo])
def test_the_step_turns_with_the_bases_of_rows_and_columns(kind, options):
    if options.get("grafting", "rmsprop") == "rmsprop":
        options = {**options, "grafting": "sgd"}  # RMSProp's length is that of one basis
    U, V = (ortho_group.rvs(k, random_state=k) for k in (M, N))
    W, X = torch.nn.Parameter(torch.tensor(START)), torch.nn.Parameter(torch.tensor(U @ START @ V.T))
    one, two = kind([W], lr=0.1, **options), kind([X], lr=0.1, **options)
    for G in GRADIENTS:
        W.grad, X.grad = torch.tensor(G), torch.tensor(U @ G @ V.T)
        one.step()
        two.step()
    np.testing.assert_allclose(
        U @ W.detach().numpy() @ V.T, X.detach().numpy(), rtol=0.0, atol=1e-9
    )  # ridge 1e-4 in roots


def test_adamw_does_not_turn_with_the_bases():
    U = ortho_group.rvs(M, random_state=M)
    W, X = torch.nn.Parameter(torch.tensor(START)), torch.nn.Parameter(torch.tensor(U @ START))
    for p, turn in ((W, np.eye(M)), (X, U)):
        optimizer = torch.optim.AdamW([p], lr=0.1)
        for G in GRADIENTS:
            p.grad = torch.tensor(turn @ G)
            optimizer.step()
    assert np.abs(U @ W.detach().numpy() - X.detach().numpy()).max() > 1e-2


def _length(method: str, G: np.ndarray) -> float:
    """|step|/lr of the method itself in its first step."""
    p = torch.nn.Parameter(torch.zeros(M, N, dtype=torch.float64))
    p.grad = torch.tensor(G)
    other = {
        "sgd": lambda: torch.optim.SGD([p], lr=1.0),
        "adagrad": lambda: torch.optim.Adagrad([p], lr=1.0, eps=1e-8),
        "rmsprop": lambda: torch.optim.Adam([p], lr=1.0, betas=(0.0, 0.999)),
    }[method]()
    other.step()
    return float(p.detach().norm())


@pytest.mark.parametrize("method", ["sgd", "adagrad", "rmsprop"])
@pytest.mark.parametrize("kind", [Shampoo, OneSidedShampoo, Jorge])
def test_the_length_is_that_of_the_method_that_lends_it(kind, method):
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer = kind([W], lr=0.5, grafting=method)
    W.grad = torch.tensor(GRADIENTS[0])
    optimizer.step()
    step = (START - W.detach().numpy()) / 0.5
    assert np.linalg.norm(step) == pytest.approx(_length(method, GRADIENTS[0]), rel=1e-12)
    assert np.abs(step / np.linalg.norm(step) - GRADIENTS[0] / np.linalg.norm(GRADIENTS[0])).max() > 1e-2


def test_the_length_follows_heavy_ball_sgd_at_every_step():
    W, V = torch.nn.Parameter(torch.tensor(START)), np.zeros((M, N))
    optimizer = Shampoo([W], lr=0.5, grafting="sgd", momentum=0.9)
    for G in GRADIENTS:
        before = W.detach().numpy().copy()
        W.grad = torch.tensor(G)
        optimizer.step()
        V = 0.9 * V + G
        assert np.linalg.norm(before - W.detach().numpy()) / 0.5 == pytest.approx(np.linalg.norm(V), rel=1e-12)


def test_vectors_take_the_step_of_the_method_that_lends_its_length():
    w = torch.nn.Parameter(torch.tensor(START[0]))
    x = torch.nn.Parameter(torch.tensor(START[0]))
    ours, theirs = Shampoo([w], lr=0.1), torch.optim.Adam([x], lr=0.1, betas=(0.9, 0.999))
    sgd, heavy = torch.nn.Parameter(torch.tensor(START[0])), torch.nn.Parameter(torch.tensor(START[0]))
    jorge, torch_sgd = Jorge([sgd], lr=0.1, momentum=0.9), torch.optim.SGD([heavy], lr=0.1, momentum=0.9)
    for G in GRADIENTS:
        for p, optimizer in ((w, ours), (x, theirs), (sgd, jorge), (heavy, torch_sgd)):
            p.grad = torch.tensor(G[0])
            optimizer.step()
    torch.testing.assert_close(sgd, heavy, rtol=1e-13, atol=1e-13)
    # The average of Adam's is of gradients, over one denominator; ours is of steps. They agree where gradients keep still.
    y, z = torch.nn.Parameter(torch.zeros(3).double()), torch.nn.Parameter(torch.zeros(3).double())
    for p, optimizer in ((y, Shampoo([y], lr=0.1)), (z, torch.optim.Adam([z], lr=0.1, betas=(0.9, 0.999)))):
        for _ in range(5):
            p.grad = torch.tensor([1.0, -2.0, 3.0]).double()
            optimizer.step()
    torch.testing.assert_close(y, z, rtol=1e-8, atol=1e-8)


def test_weight_decay_is_decoupled_or_an_l2_penalty():
    decay, lr = 0.3, 0.1
    decoupled = iterates(Shampoo, lr=lr, weight_decay=decay)[0]
    plain = iterates(Shampoo, lr=lr)[0]
    np.testing.assert_allclose(decoupled - plain, -lr * decay * START, rtol=0.0, atol=1e-14)
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer = Shampoo([W], lr=lr)
    W.grad = torch.tensor(GRADIENTS[0] + decay * START)
    optimizer.step()
    coupled = iterates(Shampoo, lr=lr, weight_decay=decay, decoupled=False)[0]
    np.testing.assert_allclose(coupled, W.detach().numpy(), rtol=0.0, atol=1e-14)


def test_maximising_is_minimising_the_negative():
    W, X = torch.nn.Parameter(torch.tensor(START)), torch.nn.Parameter(torch.tensor(START))
    one, two = Shampoo([W], maximize=True), Shampoo([X])
    for G in GRADIENTS:
        W.grad, X.grad = torch.tensor(G), torch.tensor(-G)
        one.step()
        two.step()
    assert torch.equal(W, X)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Shampoo, {}), (Shampoo, {"refresh": "certificate"}), (Shampoo, {"root": "sandwich", "refresh": 1}),
        (Shampoo, {"grafting": "sgd", "lr": 0.02}), (OneSidedShampoo, {}), (OneSidedShampoo, {"grafting": "adagrad", "lr": 0.01}),
        (Jorge, {}), (Jorge, {"rule": "sandwich"}),
    ],
)  # fmt: skip
def test_defaults_train(kind, options):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(20, 32), torch.nn.Tanh(), torch.nn.Linear(32, 3))
    x = torch.randn(256, 20)
    y = (x[:, :3] * x[:, 3:6]).argmax(1)
    optimizer, losses = kind(net.parameters(), **options), []
    for _ in range(300):
        loss = torch.nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]  # AdamW with its defaults: 0.44; SGD at Jorge's rate: 0.71
