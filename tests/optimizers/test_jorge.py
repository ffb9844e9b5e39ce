"""Jorge: the printed recursion, what it takes over from SGD, and where its rule loses the direction that the sandwich keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from optimizers import Jorge, OneSidedShampoo, Shampoo
from optimizers.reference import jorge as literal
from optimizers.roots.exact import inverse_root

M, N, T = 5, 7, 20
RNG = np.random.default_rng(0)
START = RNG.standard_normal((M, N))
GRADIENTS = RNG.standard_normal((T, M, N)) * np.exp(RNG.standard_normal((T, 1, 1))) * np.geomspace(1.0, 0.1, N)


def iterates(kind: type = Jorge, **options) -> np.ndarray:  # (T, M, N)
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer, found = kind([W], **options), []
    for G in GRADIENTS:
        W.grad = torch.tensor(G)
        optimizer.step()
        found.append(W.detach().numpy().copy())
    return np.array(found)


def published(**options) -> np.ndarray:
    return np.array(list(literal.steps(literal.Recursion(**options), START, lambda t, W: GRADIENTS[t - 1], T)))


@pytest.mark.parametrize("rule", ["jorge", "sandwich"])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("grafting", [None, "sgd"])
@pytest.mark.parametrize("ridge", [0.0, 1e-2])
def test_every_option_is_the_printed_recursion(rule, order, grafting, ridge):
    options = {
        "lr": 0.1,
        "eps": 0.2,
        "ridge": ridge,
        "momentum": 0.9,
        "weight_decay": 0.1,
        "grafting": grafting,
        "order": order,
    }
    ours, theirs = iterates(rule=rule, refresh=1, **options), published(symmetric=rule == "sandwich", **options)
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-11)  # P⁴ of roots with condition numbers up to 30


@pytest.mark.parametrize("rule", ["jorge", "sandwich"])
def test_a_fixed_beta2_is_the_printed_recursion_where_the_series_converges(rule):
    options = {"lr": 0.1, "eps": 200.0, "beta2": 0.99, "ridge": 1e-2, "momentum": 0.0, "grafting": None}
    ours = iterates(rule=rule, refresh=1, **options)
    np.testing.assert_allclose(ours, published(symmetric=rule == "sandwich", **options), rtol=0.0, atol=1e-12)


def test_a_fixed_beta2_gives_way_where_the_series_would_not_converge():
    options = {"lr": 0.1, "beta2": 0.9, "ridge": 1e-2, "momentum": 0.0, "grafting": None}
    with pytest.raises((RuntimeError, RuntimeWarning)):
        published(eps=0.2, **options)
    assert np.isfinite(iterates(eps=0.2, refresh=1, **options)).all()


@pytest.mark.parametrize("slip", [{"order": 3}, {"ridge": 0.0}, {"eps": 0.3}, {"rule": "sandwich"}, {"momentum": 0.8}])
def test_a_slip_is_seen(slip):
    options = {"lr": 0.1, "eps": 0.2, "ridge": 1e-2, "momentum": 0.9, "grafting": "sgd", "order": 2}
    assert np.abs(iterates(refresh=1, **{**options, **slip}) - published(**options)).max() > 1e-4


def test_jorge_is_shampoo_with_another_root():
    options = {
        "lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 0.1,
        "beta2": None,
        "grafting": "sgd",
        "refresh": 2,
        "ridge": 1e-2,
    }
    for rule in ("jorge", "sandwich"):
        assert np.array_equal(iterates(rule=rule, **options), iterates(Shampoo, root=rule, **options))


@pytest.mark.parametrize("root", ["jorge", "sandwich"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_series_alone_is_applied_twice(side, root):
    W, X = torch.nn.Parameter(torch.tensor(START)), START
    options = {"momentum": 0.0, "grafting": None, "beta2": None, "eps": 0.2, "ridge": 1e-2, "refresh": 1}
    optimizer = OneSidedShampoo([W], lr=0.1, root=root, side=side, **options)
    k = M if side == "left" else N
    P = 0.2**-0.25 * np.eye(k)
    for G in GRADIENTS:
        W.grad = torch.tensor(G)
        optimizer.step()
        E = (G @ G.T if side == "left" else G.T @ G) + 1e-2 * np.sum(G**2) / k * np.eye(k)
        P = literal.root_step(P, E, None, 2, symmetric=root == "sandwich")
        X = X - 0.1 * (P @ P @ G if side == "left" else G @ P @ P)
    np.testing.assert_allclose(W.detach().numpy(), X, rtol=0.0, atol=1e-11)


def test_without_eps_the_root_begins_at_the_first_gradient():
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer = Jorge([W], refresh=1, ridge=0.0)
    W.grad = torch.zeros_like(W)
    optimizer.step()
    assert not optimizer.state[W]["left_series"][0].any()
    W.grad = torch.tensor(GRADIENTS[0])
    optimizer.step()
    G = GRADIENTS[0]
    P = literal.root_step(np.eye(M) * (np.sum(G**2) / M) ** -0.25, G @ G.T, None, 2)
    np.testing.assert_allclose(optimizer.state[W]["left_series"][0].numpy(), P, rtol=1e-12)


def test_what_a_tuned_sgd_hands_over():
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer = Jorge.from_sgd([W], lr=0.1, momentum=0.9, weight_decay=5e-5, rule="sandwich")
    group = optimizer.param_groups[0]
    assert (group["lr"], group["momentum"], group["grafting"], group["root"]) == (0.1, 0.9, "sgd", "sandwich")
    assert group["weight_decay"] == pytest.approx(5e-4, rel=1e-12)
    assert group["decoupled"] is True
    with pytest.raises(ValueError, match="momentum must be"):
        Jorge.from_sgd([W], lr=0.1, momentum=1.0)


@pytest.mark.parametrize(("lr", "decay", "momentum", "off"), [(0.1, 5e-5, 0.9, 1e-3), (0.1, 1e-4, 0.95, 8e-3)])
def test_the_decay_is_the_slow_root_of_heavy_ball(lr, decay, momentum, off):
    """SGD on the penalty alone shrinks W by the slow root of x² - (1 + b - lr·wd) x + b per step."""
    slow = max(np.roots([1.0, -(1.0 + momentum - lr * decay), momentum]).real)
    W = torch.nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
    optimizer = Jorge.from_sgd([W], lr=lr, momentum=momentum, weight_decay=decay)
    W.grad = torch.zeros_like(W)
    optimizer.step()
    shrunk = 1.0 - float(W[0, 0].detach())
    assert shrunk == pytest.approx(1.0 - slow, rel=off)
    assert abs(shrunk - lr * decay) > 0.5 * shrunk  # taking the decay over as it is would be 10 or 20 times too little


def test_the_schedule_falls_at_the_thirds():
    W = torch.nn.Parameter(torch.tensor(START))
    optimizer = Jorge.from_sgd([W], lr=0.1)
    schedule, rates = Jorge.step_decay(optimizer, epochs=90), []
    for _ in range(90):
        rates.append(optimizer.param_groups[0]["lr"])
        W.grad = torch.tensor(GRADIENTS[0])
        optimizer.step()
        schedule.step()
    expected = [0.1] * 30 + [0.01] * 30 + [0.001] * 30
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="epochs"):
        Jorge.step_decay(optimizer, epochs=0)


def cosine_on_a_turning_stream(rule: str, steps: int = 1500, n: int = 32, cond: float = 1e3) -> float:
    """Least cosine of (P G, L^{-1/4} G) over the last third; L of the β₂ that the rule chose; the basis turns steadily."""
    draw = torch.Generator().manual_seed(0)
    scales = torch.logspace(0, -0.5 * np.log10(cond), n, dtype=torch.float64)
    S = torch.randn(n, n, generator=draw, dtype=torch.float64)
    turn = torch.linalg.matrix_exp(2e-3 * (S - S.T))
    basis = torch.linalg.qr(torch.randn(n, n, generator=draw, dtype=torch.float64)).Q
    W = torch.nn.Parameter(torch.zeros(n, n))
    optimizer = Jorge([W], rule=rule, refresh=1, ridge=0.0, lr=0.0, momentum=0.0)
    L, worst = None, 1.0
    for t in range(steps):
        basis = turn @ basis
        G = (basis * scales) @ torch.randn(n, n, generator=draw, dtype=torch.float64)
        before = optimizer.state[W]["left_series"][0].double().clone() if t else None
        W.grad = G.float()
        optimizer.step()
        P = optimizer.state[W]["left_series"][0].double()
        L = (G.square().sum() / n) * torch.eye(n, dtype=torch.float64) if L is None else L
        before = torch.eye(n, dtype=torch.float64) * (G.square().sum() / n) ** -0.25 if before is None else before
        E = G @ G.T
        X = before @ before @ E @ before @ before if rule == "sandwich" else torch.linalg.matrix_power(before, 4) @ E
        norm = torch.linalg.norm(X)
        L = (norm * L + E) / (1.0 + norm)
        if t > 2 * steps // 3:
            A, B = P @ G, inverse_root(L, 4) @ G
            worst = min(worst, float((A * B).sum() / (A.norm() * B.norm())))
    return worst


def test_the_sandwich_keeps_the_direction_of_a_turning_stream_and_the_literal_rule_does_not():
    assert cosine_on_a_turning_stream("sandwich", 600) > 0.99
    assert cosine_on_a_turning_stream("jorge", 600) < 0.95
