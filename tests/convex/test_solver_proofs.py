"""The one-step inequalities of docs/proofs/finite-sum.md, with exact expectations over every mini-batch."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from finite_sums import data

from convex.solvers import SAGA, AcceleratedGradient, Katyusha
from convex.solvers.sampling import probabilities, variance_constant
from problems.composite import Composite
from problems.losses import LeastSquares, Logistic
from problems.penalties import ElasticNet

N, D = 4, 3
EPS = float(np.finfo(np.float64).eps)


@cache
def _problem(loss, mu):
    A, labels, targets = data(N, D, seed=2)
    return Composite(Logistic(A, labels) if loss == "logistic" else LeastSquares(A, targets), ElasticNet(0.02, mu))


@cache
def _minimiser(loss, mu):
    solver = AcceleratedGradient(restart="gradient")
    return solver.run(_problem(loss, mu), np.zeros(D), evaluations=N * 1500).x[0]


def _samples(P, x):  # (..., d) -> (..., n, d)
    return P.sample_gradient(np.broadcast_to(np.arange(N), (*x.shape[:-1], N)), x)


def _mean(values, chances):
    return np.tensordot(chances, values, axes=(0, 0))


CASES = [(loss, mu, b) for loss in ("logistic", "squares") for mu in (0.0, 0.3) for b in (1, 2, 5)]


def _batches(b):
    """Every mini-batch as (N^b, b), or a stratified sample with equal chances where there are too many."""
    every = np.asarray(list(product(range(N), repeat=b)))
    return every, np.full(len(every), 1.0 / len(every))


def _saga_potential(P, phi, x, star, c, b):
    """H/(np) + c|x - x*|² for tables φ (..., n, d)."""
    every = np.broadcast_to(np.arange(N), phi.shape[:-1])
    there = _samples(P, star)
    values = P.loss.value(phi, every) - P.loss.value(np.broadcast_to(star, phi.shape), every)
    H = np.mean(values - np.sum(there * (phi - star), axis=-1), axis=-1)
    p = 1 - (1 - 1 / N) ** b
    return H / (N * p) + c * np.sum((x - star) ** 2, axis=-1)


@pytest.mark.parametrize(("loss", "mu", "b"), CASES)
def test_the_potential_of_saga_contracts(loss, mu, b):
    P, star, rng = _problem(loss, mu), _minimiser(loss, mu), np.random.default_rng(b)
    eta = SAGA(minibatch=b).step_for(P)
    kappa, p = max(0.0, 1 - 3 / b), 1 - (1 - 1 / N) ** b
    c = (1 + eta * mu) ** 2 / (2 * eta * N * (1 - eta * kappa * P.smoothness))
    rate = max(1 - p / 4, (1 + eta * mu) ** -2)
    batches, chances = _batches(b)
    for _ in range(25):
        phi, x = star + rng.standard_normal((N, D)), star + rng.standard_normal(D) * rng.choice([0.1, 1.0, 3.0])
        table, new = np.stack([_samples(P, phi[i])[i] for i in range(N)]), _samples(P, x)
        g = np.mean((new - table)[batches], axis=1) + np.mean(table, axis=0)
        moved = P.penalty.prox(x - eta * g, eta)
        hit = np.any(batches[:, :, None] == np.arange(N), axis=1)
        tables = np.where(hit[..., None], x, phi)
        before = _saga_potential(P, phi, x, star, c, b)
        after = chances @ _saga_potential(P, tables, moved, star, c, b)
        assert after <= rate * before * (1 + 1e-9)  # the minimiser is known to about 1e-12


def test_the_potential_of_saga_grows_at_ten_times_the_step():
    P, star = _problem("squares", 0.0), _minimiser("squares", 0.0)
    eta = 10 * SAGA(minibatch=1).step_for(P)
    c, rng, batches = 1 / (2 * eta * N), np.random.default_rng(0), np.arange(N)[:, None]
    grown = 0
    for _ in range(25):
        x = star + rng.standard_normal(D)
        phi = np.broadcast_to(star, (N, D))
        table, new = _samples(P, star), _samples(P, x)
        g = (new - table)[batches[:, 0]] + np.mean(table, axis=0)
        moved = P.penalty.prox(x - eta * g, eta)
        tables = np.where(np.any(batches[:, :, None] == np.arange(N), axis=1)[..., None], x, phi)
        grown += np.mean(_saga_potential(P, tables, moved, star, c, 1)) > _saga_potential(P, phi, x, star, c, 1)
    assert grown > 5


@pytest.mark.parametrize("sampling", ["importance", "uniform"])
@pytest.mark.parametrize(("loss", "mu", "b"), CASES)
def test_one_step_of_svrg_obeys_its_inequality(loss, mu, b, sampling):
    P, star, rng = _problem(loss, mu), _minimiser(loss, mu), np.random.default_rng(b)
    q = probabilities(P, sampling)
    batches, _ = _batches(b)
    chances = np.prod(q[batches], axis=1)
    eta = min(0.2 * b / variance_constant(P, q), 1 / P.smoothness)
    omega, best = 4 * eta * variance_constant(P, q) / b, P.value(star)
    for _ in range(25):
        x, snapshot = star + rng.standard_normal((2, D)) * rng.choice([0.1, 1.0, 3.0])
        g = _reduced(P, x, snapshot, batches, q)
        moved = P.penalty.prox(x - eta * g, eta)
        left = chances @ np.sum((moved - star) ** 2, axis=-1)
        gain = 2 * eta * (chances @ (P.value(moved) - best))
        right = np.sum((x - star) ** 2) - gain + 2 * eta * omega * (P.value(x) + P.value(snapshot) - 2 * best)
        assert left <= right + 1e-10 * (1 + right)


def _coupling(P, star, mu, q, b, M, rng):
    """Left and right side of the coupling inequality from random points, in exact expectation."""
    batches, _ = _batches(b)
    chances, best = np.prod(q[batches], axis=1), P.value(star)
    y, z, snapshot = star + rng.standard_normal((3, D)) * rng.choice([0.1, 1.0, 3.0])
    tau1, tau2 = rng.choice([0.1, 0.3, 0.5]), 0.5
    alpha = 1 / (tau1 * M)
    x = tau1 * z + tau2 * snapshot + (1 - tau1 - tau2) * y
    g = _reduced(P, x, snapshot, batches, q)
    new_z, new_y = P.penalty.prox(z - alpha * g, alpha), P.penalty.prox(x - g / M, 1 / M)
    left = alpha / tau1 * (chances @ (P.value(new_y) - best))
    left += (1 + alpha * mu) / 2 * (chances @ np.sum((new_z - star) ** 2, axis=-1))
    right = alpha * (1 - tau1 - tau2) / tau1 * (P.value(y) - best)
    right += alpha * tau2 / tau1 * (P.value(snapshot) - best) + np.sum((z - star) ** 2) / 2
    return left, right


@pytest.mark.parametrize("sampling", ["importance", "uniform"])
@pytest.mark.parametrize(("loss", "mu", "b"), CASES)
def test_one_step_of_katyusha_obeys_its_coupling_inequality(loss, mu, b, sampling):
    P, star, rng = _problem(loss, mu), _minimiser(loss, mu), np.random.default_rng(b)
    M = Katyusha(minibatch=b, sampling=sampling).smoothness_for(P)
    for _ in range(25):
        left, right = _coupling(P, star, mu, probabilities(P, sampling), b, M, rng)
        assert left <= right + 1e-10 * (1 + right)


def test_the_coupling_inequality_fails_for_a_fifth_of_the_smoothness():
    P, star, rng = _problem("squares", 0.0), _minimiser("squares", 0.0), np.random.default_rng(1)
    M = Katyusha().smoothness_for(P) / 5
    assert any(np.greater(*_coupling(P, star, 0.0, probabilities(P), 1, M, rng)) for _ in range(25))


def _reduced(P, x, snapshot, batches, q):
    moved = (_samples(P, x) - _samples(P, snapshot)) / (N * q[:, None])
    return np.mean(moved[batches], axis=1) + P.gradient(snapshot)
