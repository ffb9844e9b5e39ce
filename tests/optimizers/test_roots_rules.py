"""Statistics, and roots that are taken when a probe asks for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from optimizers import OneSidedShampoo, Shampoo
from optimizers.roots.certificate import residual
from optimizers.roots.exact import inverse_root, ridge_of
from optimizers.roots.products import HALVED_FROM, add_gram, probes, symmetric_product
from optimizers.roots.rules import Side, grown_stale


def test_half_a_product_in_pieces_is_the_whole_product():
    generator = torch.Generator().manual_seed(0)
    n = HALVED_FROM + 3  # bands of two lengths
    G = torch.randn(2, n, 7, generator=generator, dtype=torch.float64)
    L = torch.randn(2, n, n, generator=generator, dtype=torch.float64)
    L = L + L.mT
    expected = 0.9 * L + 0.1 * G @ G.mT
    add_gram(L, G, 0.9, 0.1)
    torch.testing.assert_close(L, expected, rtol=1e-13, atol=1e-13)
    assert torch.equal(L[:, :96, 96:], L[:, 96:, :96].mT)


def test_a_symmetric_product_of_two_matrices_is_their_product():
    generator = torch.Generator().manual_seed(4)
    for n in (5, HALVED_FROM):
        A = torch.randn(2, n, n, generator=generator, dtype=torch.float64)
        A = A + A.mT
        torch.testing.assert_close(symmetric_product(A, A), A @ A, rtol=1e-12, atol=1e-10)
        B = symmetric_product(A @ A, A)
        torch.testing.assert_close(B, A @ A @ A, rtol=1e-11, atol=1e-9 * n**1.5)


def test_probes_depend_on_the_step_alone():
    like = torch.zeros(0, dtype=torch.float64)
    assert torch.equal(probes(5, 2, 7, like), probes(5, 2, 7, like))
    assert not torch.equal(probes(5, 2, 7, like), probes(5, 2, 8, like))
    torch.testing.assert_close(probes(5, 2, 7, like).float(), probes(5, 2, 7, like.float()))


def stream(steps: int, shape: tuple[int, int], jump: int | None = None) -> list[torch.Tensor]:
    """Gradients of one covariance, which changes at step `jump`."""
    generator = torch.Generator().manual_seed(1)
    scale = torch.logspace(0, -1, shape[0], dtype=torch.float64)[:, None]
    Gs = [scale * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(steps)]
    return [G if jump is None or t < jump else 5.0 * G.flip(0) for t, G in enumerate(Gs)]


def roots_taken(optimizer: torch.optim.Optimizer, p: torch.Tensor, Gs: list[torch.Tensor], name: str) -> list[int]:
    """The steps at which the root of p changed."""
    found, last = [], None
    for t, G in enumerate(Gs):
        p.grad = G.clone()
        optimizer.step()
        root = optimizer.state[p][name][0]
        if last is None or not torch.equal(root, last):
            found.append(t)
        last = root.clone()
    return found


@pytest.mark.parametrize("kind", [Shampoo, OneSidedShampoo])
def test_a_certified_root_rests_while_the_stream_does_and_is_renewed_when_it_turns(kind):
    p = torch.nn.Parameter(torch.zeros(6, 60, dtype=torch.float64))
    taken = roots_taken(
        kind([p], refresh="certificate", beta2=0.99, threshold=0.3), p, stream(400, (6, 60), jump=300), "left_root"
    )
    assert len([t for t in taken if 150 <= t < 300]) <= 1
    assert len([t for t in taken if 300 <= t < 310]) >= 3


@pytest.mark.parametrize(("kind", "root"), [(Shampoo, "eigh"), (OneSidedShampoo, "eigh"), (Shampoo, "sandwich")])
def test_every_root_in_use_is_within_the_threshold_but_for_the_chance_of_a_probe(kind, root):
    p = torch.nn.Parameter(torch.zeros(6, 8, dtype=torch.float64))
    optimizer = kind([p], refresh="certificate", beta2=0.95, threshold=0.3, ridge=1e-2, root=root)
    off, eye = [], torch.eye(6, dtype=torch.float64)
    for G in stream(300, (6, 8), jump=150):
        p.grad = G.clone()
        optimizer.step()
        state = optimizer.state[p]
        L, A = state["left_statistic"][0], state["left_root" if root == "eigh" else "left_series"][0]
        L = L + ridge_of(L, 1e-2) * eye
        R = residual(A, L) if kind is Shampoo else A @ L @ A - eye
        off.append(float(torch.linalg.matrix_norm(R, 2)))
    assert sum(rho > 0.3 for rho in off) <= 10  # three in expectation at most
    assert max(off) > 0.05  # roots are kept


@pytest.mark.parametrize("kind", [Shampoo, OneSidedShampoo])
def test_the_step_is_taken_with_the_root_that_the_certificate_left(kind):
    p = torch.nn.Parameter(torch.zeros(6, 8, dtype=torch.float64))
    optimizer = kind([p], lr=1.0, refresh="certificate", beta2=0.9, momentum=0.0, grafting=None)
    for G in stream(40, (6, 8), jump=20):
        before = p.detach().clone()
        p.grad = G.clone()
        optimizer.step()
        state = optimizer.state[p]
        D = state["left_root"][0] @ G
        D = D @ state["right_root"][0] if kind is Shampoo else D
        torch.testing.assert_close(before - p.detach(), D, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ridge", [1e-2, 1.0])
@pytest.mark.parametrize("beta2", [0.98, 1.0])
def test_staleness_vouches_only_for_what_is_true(beta2, ridge):
    draw, eye = torch.Generator().manual_seed(2), torch.eye(4, dtype=torch.float64)
    L = torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))[None]
    A = inverse_root(L, 2, ridge)
    side = Side(4, 2, {"stale": torch.tensor([[1.0, 0.0, float(A.square().sum())]], dtype=torch.float64)})
    for t in range(40):
        # one direction at first, far above what is forgotten: there the bound has nothing to spare but the ridge
        G = 20.0 * eye[None, :, :1] if t == 0 else 0.3 * torch.randn(1, 4, 3, generator=draw, dtype=torch.float64)
        add_gram(L, G, beta2, 1.0 - beta2 if beta2 < 1.0 else 1.0)
        bound = grown_stale(
            side, (A @ G).square().sum((1, 2)), G.square().sum((1, 2)), {"beta2": beta2, "ridge": ridge}
        )
        off = A @ (L + ridge_of(L, ridge) * eye) @ A - eye
        assert float(torch.linalg.matrix_norm(off, 2)) <= float(bound) * (1 + 1e-10)


def test_a_series_is_put_right_by_its_certificate():
    generator = torch.Generator().manual_seed(3)
    Gs = [torch.randn(5, 40, generator=generator, dtype=torch.float64) for _ in range(60)]
    Gs += [torch.diag(torch.logspace(0, -2, 5, dtype=torch.float64)) @ G for G in Gs]

    def error(refresh: int | str) -> float:
        p = torch.nn.Parameter(torch.zeros(5, 40, dtype=torch.float64))
        optimizer = Shampoo([p], root="sandwich", beta2=0.9, refresh=refresh, ridge=1e-3)
        L = None
        for G in Gs:
            p.grad = G.clone()
            optimizer.step()
            E = G @ G.T
            L = E if L is None else 0.9 * L + 0.1 * E
        L = L + ridge_of(L, 1e-3) * torch.eye(5, dtype=torch.float64)
        return float(torch.linalg.matrix_norm(residual(optimizer.state[p]["left_series"][0], L), 2))

    assert error("certificate") < 0.5
    assert error(20) > 0.5


@pytest.mark.parametrize("beta2", [None, 0.9])
@pytest.mark.parametrize("root", ["jorge", "sandwich"])
def test_the_statistics_beside_a_series_have_the_weights_of_the_series(root, beta2):
    """Where everything commutes and the series is long, P is the root of the L that is kept beside it."""
    p = torch.nn.Parameter(torch.zeros(4, 4, dtype=torch.float64))
    optimizer = Shampoo([p], root=root, beta2=beta2, refresh="certificate", ridge=1e-3, order=8, threshold=0.99)
    draw = torch.Generator().manual_seed(5)
    for _ in range(60):
        p.grad = torch.diag(0.5 + torch.rand(4, generator=draw, dtype=torch.float64))
        optimizer.step()
    state = optimizer.state[p]
    L = state["left_statistic"][0]
    R = residual(state["left_series"][0], L + ridge_of(L, 1e-3) * torch.eye(4, dtype=torch.float64))
    # |cX|_2 stays below 0.8, where the ninth term is 1e-2; a statistic with other weights is off by tens of per cent
    assert float(torch.linalg.matrix_norm(R, 2)) < 0.02


def test_an_interval_is_an_interval():
    p = torch.nn.Parameter(torch.zeros(3, 4, dtype=torch.float64))
    assert roots_taken(Shampoo([p], refresh=7), p, stream(30, (3, 4)), "left_root") == [0, 1, 2, 4, 7, 14, 21, 28]
    p = torch.nn.Parameter(torch.zeros(3, 4, dtype=torch.float64))
    assert roots_taken(Shampoo([p], root="jorge", refresh=7), p, stream(30, (3, 4)), "left_series") == [
        0,
        7,
        14,
        21,
        28,
    ]


def test_statistics_may_be_taken_less_often():
    p = torch.nn.Parameter(torch.zeros(3, 4, dtype=torch.float64))
    Gs = stream(9, (3, 4))
    optimizer = Shampoo([p], statistics=4, beta2=1.0)
    for G in Gs:
        p.grad = G.clone()
        optimizer.step()
    expected = sum(Gs[t] @ Gs[t].T for t in (0, 4, 8))
    np.testing.assert_allclose(optimizer.state[p]["left_statistic"][0], expected, rtol=1e-13)
