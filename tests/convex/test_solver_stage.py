"""One stage of DASVRDA: unbiased, with the identities of dual averaging, equal to a literal reference and to no slip."""

from __future__ import annotations

from itertools import product

import literal_dasvrda as literal
import numpy as np
import pytest
from finite_sums import data, problem

from convex.solvers import acc_svrda, step_size
from convex.solvers.estimator import reduced_gradient
from convex.solvers.sampling import IndexStream, inverse_probabilities, probabilities, variance_constant
from convex.solvers.stage import acc_svrda_steps
from problems.composite import Composite
from problems.losses import Linear, Logistic
from problems.penalties import BoxIndicator, ElasticNet
from structures.arrays import namespace, to_numpy, tolerance

EPS = float(np.finfo(np.float64).eps)
RNG = np.random.default_rng(3)


def _small(n=4, d=3):
    A, labels, _ = data(n, d, seed=1)
    return Composite(Logistic(A, labels), ElasticNet(0.05, 0.1)), A, labels


def _every_batch(n, b):
    return np.asarray(list(product(range(n), repeat=b)))


@pytest.mark.parametrize("sampling", ["importance", "uniform"])
@pytest.mark.parametrize("b", [1, 2, 3])
def test_the_estimate_is_unbiased_over_all_mini_batches(sampling, b):
    P, _, _ = _small()
    y, snapshot, q = RNG.standard_normal(3), RNG.standard_normal(3), probabilities(P, sampling)
    batches = _every_batch(4, b)
    chances = np.prod(q[batches], axis=1)
    g = reduced_gradient(P, batches, y, snapshot, P.gradient(snapshot), inverse_probabilities(q, y))
    assert np.sum(chances) == pytest.approx(1.0, rel=64 * EPS)
    assert np.allclose(chances @ g, P.gradient(y), rtol=0, atol=256 * EPS)
    wrong = probabilities(P, "uniform" if sampling == "importance" else "importance")
    biased = reduced_gradient(P, batches, y, snapshot, P.gradient(snapshot), inverse_probabilities(wrong, y))
    assert np.linalg.norm(chances @ biased - P.gradient(y)) > 1e-2


@pytest.mark.parametrize("sampling", ["importance", "uniform"])
@pytest.mark.parametrize("b", [1, 2, 3])
def test_the_variance_is_bounded_by_the_declared_constant(sampling, b):
    P, A, _ = _small()
    q = probabilities(P, sampling)
    Lbar, L, batches = variance_constant(P, q), P.constants, _every_batch(4, b)
    chances = np.prod(q[batches], axis=1)
    tight = []
    for _ in range(20):
        y, snapshot = RNG.standard_normal(3), RNG.standard_normal(3)
        full = P.gradient(snapshot)
        error = reduced_gradient(P, batches, y, snapshot, full, inverse_probabilities(q, y)) - P.gradient(y)
        variance = chances @ np.sum(error**2, axis=1)
        moved = P.sample_gradient(np.arange(4), y) - P.sample_gradient(np.arange(4), snapshot)
        V = np.mean(np.sum(moved**2, axis=1) / (2 * L))
        assert variance <= 2 * Lbar / b * V
        tight.append(variance / (2 * Lbar / b * V))
    assert max(tight) > 0.5  # the constant is of the right size


def test_samples_without_weight_have_probability_zero_and_are_never_drawn():
    A, labels, _ = data(6, 3)
    weights = np.array([1.0, 0.0, 2.0, 0.5, 1.0, 0.0])
    P = Composite(Logistic(A, labels), ElasticNet(0.1, 0.1), weights)
    q = probabilities(P)
    drawn = IndexStream(q, 2, seed=0).draw(500, 3)
    assert set(np.unique(drawn)) == {0, 2, 3, 4}
    frequency = np.bincount(drawn.ravel(), minlength=6) / drawn.size
    assert np.all(
        np.abs(frequency - q) < 5 * np.sqrt(q * (1 - q) / drawn.size) + 1e-12
    )  # five standard errors, a fixed seed
    with pytest.raises(ValueError, match="biased"):
        variance_constant(P, np.array([0.0, 0.5, 0.5, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize("name", ["l1", "l2", "elastic net", "box", "group"])
def test_averages_inside_a_stage_have_closed_forms(name):
    P, m, eta = problem("logistic", name, weighted=True), 12, 0.2
    ytil, xtil = RNG.uniform(-0.2, 0.2, 4), RNG.uniform(-0.2, 0.2, 4)
    paths = IndexStream(probabilities(P), 3, seed=2).draw(m, 2)
    steps = list(acc_svrda_steps(P, ytil, xtil, step=eta, indices=paths))
    a = np.arange(1, m + 1) / 2.0
    x = z = np.broadcast_to(ytil, (3, 4))
    for k, step in enumerate(steps, start=1):
        A = np.sum(a[:k])
        assert pytest.approx(k * (k + 1) / 4) == A and step.k == k
        assert np.allclose(A * step.x, sum(a[j] * steps[j].z for j in range(k)), rtol=0, atol=64 * EPS * A)
        assert np.allclose(A * step.average, sum(a[j] * steps[j].g for j in range(k)), rtol=0, atol=256 * EPS * A)
        assert np.allclose(step.y, (1 - 2 / (k + 1)) * x + 2 / (k + 1) * z, rtol=0, atol=64 * EPS)
        assert np.allclose(step.z, P.penalty.prox(ytil - eta * A * step.average, eta * A), rtol=0, atol=64 * EPS)
        x, z = step.x, step.z
    last = acc_svrda(P, ytil, xtil, step=eta, indices=paths, length=m)
    assert np.array_equal(last.x, x) and np.array_equal(last.z, z)


@pytest.mark.parametrize(("m", "b"), [(1, 1), (1, 3), (7, 1), (9, 4)])
def test_a_stage_is_the_literal_one(m, b):
    P, A, labels = _small(9)
    ytil, xtil = RNG.standard_normal(3), RNG.standard_normal(3)
    paths = RNG.integers(0, 9, (m, 5, b))
    found = acc_svrda(P, ytil, xtil, step=0.3, indices=paths)
    for j in range(5):
        x, z = literal.stage(A, labels, 0.05, 0.1, ytil, xtil, 0.3, paths[:, j])
        assert np.allclose(found.x[j], x, rtol=0, atol=1024 * EPS) and np.allclose(
            found.z[j], z, rtol=0, atol=1024 * EPS
        )


@pytest.mark.parametrize("slip", literal.SLIPS_OF_A_STAGE)
def test_a_stage_is_none_of_the_slips(slip):
    P, A, labels = _small(9)
    ytil, xtil, paths = RNG.standard_normal(3), RNG.standard_normal(3), RNG.integers(0, 9, (8, 2))
    found = acc_svrda(P, ytil, xtil, step=0.3, indices=paths[:, None, :])
    x, _ = literal.stage(A, labels, 0.05, 0.1, ytil, xtil, 0.3, paths, slip)
    assert np.linalg.norm(found.x[0] - x) > 1e-3


def test_every_index_path_runs_in_one_batch():
    P, _, _ = _small(3)
    paths = _every_batch(3, 4).reshape(-1, 2, 2).swapaxes(0, 1)  # (m, 81, b) with m = b = 2
    ytil, xtil = RNG.standard_normal(3), RNG.standard_normal(3)
    together = acc_svrda(P, ytil, xtil, step=0.4, indices=paths)
    assert together.x.shape == together.z.shape == (81, 3)
    for j in (0, 17, 80):
        alone = acc_svrda(P, ytil, xtil, step=0.4, indices=paths[:, j : j + 1, :])
        assert np.allclose(together.x[j], alone.x[0], rtol=0, atol=64 * EPS)


def test_steps_and_starts_may_differ_within_a_batch():
    P, _, _ = _small(9)
    ytil, xtil, paths = RNG.standard_normal((3, 3)), RNG.standard_normal(3), RNG.integers(0, 9, (6, 3, 2))
    steps = np.array([0.1, 0.3, 0.9])
    together = acc_svrda(P, ytil, xtil, step=steps, indices=paths)
    for j in range(3):
        alone = acc_svrda(P, ytil[j], xtil, step=float(steps[j]), indices=paths[:, j, :])
        assert alone.x.shape == (3,)
        assert np.allclose(together.x[j], alone.x, rtol=0, atol=64 * EPS)


def test_a_stage_stays_in_its_box_up_to_the_rounding_that_the_box_forgives():
    A, labels, _ = data(9, 3)
    for high in (0.9, 0.3, 1e-7, 1e7):
        P = Composite(Logistic(A, labels), BoxIndicator(-high / 3, high))
        paths = RNG.integers(0, 9, (400, 20, 1))
        for step in acc_svrda_steps(P, np.zeros(3), np.zeros(3), step=5.0 * high, indices=paths):
            assert np.all(np.isfinite(P.value(step.x)))


def test_the_noise_of_a_stage_vanishes_at_the_minimiser():
    # At x̃ = ỹ = x* every estimate along the way is exact, so that the stage does not move.
    P, _, _ = _small(9)
    x = np.zeros(3)
    for _ in range(3000):
        x = P.penalty.prox(x - P.gradient(x) / P.smoothness, 1.0 / P.smoothness)
    eta = step_size(3.5, 8, 2, P.mean_smoothness)
    stage = acc_svrda(P, x, x, step=eta, indices=RNG.integers(0, 9, (8, 4, 2)))
    assert np.allclose(stage.x, x, rtol=0, atol=1e-14) and np.allclose(stage.z, x, rtol=0, atol=1e-14)


def test_every_array_library_walks_the_same_way(backend):
    P, _, _ = _small(9)
    ytil, xtil, paths = RNG.standard_normal(3), RNG.standard_normal(3), RNG.integers(0, 9, (8, 4, 2))
    expected = acc_svrda(P, ytil, xtil, step=0.3, indices=paths)
    there = P.beside(backend.like)
    room = tolerance(backend.like, 64)
    for indices in (paths, namespace(backend.like).asarray(paths.tolist(), device=backend.like.device)):
        found = acc_svrda(there, backend.array(ytil), backend.array(xtil), step=0.3, indices=indices)
        assert np.allclose(to_numpy(found.x), expected.x, rtol=0, atol=room)
        assert np.allclose(to_numpy(found.z), expected.z, rtol=0, atol=room)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"indices": np.zeros((0, 2, 1), dtype=int)}, "at least one step"),
        ({"indices": np.zeros((3, 2, 0), dtype=int)}, "at least one step"),
        ({"indices": np.zeros(3, dtype=int)}, r"\(m, ..., b\)"),
        ({"indices": np.full((3, 2, 1), 9)}, "lie in 0..8"),
        ({"indices": np.full((3, 2, 1), -1)}, "lie in 0..8"),
        ({"indices": np.zeros((3, 2, 1))}, "must be integers"),
        ({"length": 4}, "has length 4"),
        ({"step": 0.0}, "positive and finite"),
        ({"step": np.array([1.0, np.nan])}, "positive and finite"),
        ({"q": np.full(9, 0.2)}, "sum to 1"),
        ({"q": np.full(8, 1 / 8)}, "9 nonnegative numbers"),
        ({"ytil": np.zeros(4)}, "ytil has shape"),
        ({"xtil": np.zeros((2, 4))}, "xtil has shape"),
    ],
)
def test_a_stage_refuses_what_it_cannot_walk(change, words):
    P, _, _ = _small(9)
    arguments = {"ytil": np.zeros(3), "xtil": np.zeros(3), "step": 0.3, "indices": np.zeros((3, 2, 1), dtype=int)}
    arguments |= change
    ytil, xtil = arguments.pop("ytil"), arguments.pop("xtil")
    with pytest.raises(ValueError, match=words):
        acc_svrda(P, ytil, xtil, **arguments)


def test_a_linear_loss_needs_no_samples():
    P = Composite(Linear.examples()[0], ElasticNet(0.1, 0.5))
    uniform = np.full(12, 1 / 12)
    assert variance_constant(P, uniform) == 0.0
    stage = acc_svrda(
        P, np.zeros((2, 2)), np.zeros((2, 2)), step=1.0, indices=np.zeros((1, 3, 1), dtype=int), q=uniform
    )
    assert np.allclose(stage.z, P.penalty.prox(-0.5 * P.gradient(np.zeros((2, 2))), 0.5), atol=64 * EPS)
