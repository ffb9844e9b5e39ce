"""Laws of every loss: gradients, convexity, declared constants, and sums over samples."""

from __future__ import annotations

import hard_metrics
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import registry
from problems.losses import LeastSquares, Linear, LinearFunction, Logistic, Quadratic, Softmax, prefix_counts
from structures import NotPositiveError
from structures.arrays import asarray_like, to_numpy

EPS = float(np.finfo(np.float64).eps)
RNG = np.random.default_rng(0)
A = RNG.standard_normal((12, 4))
LOSSES = registry.losses()
OBJECTIVES = [loss.total(RNG.random(12) * (RNG.random(12) < 0.7)) for loss in LOSSES] + [
    Quadratic(A.T @ A, RNG.standard_normal(4), offset=2.0),
    Quadratic(A.T @ A, RNG.standard_normal((2, 2))),
]


def _points(shape, count=9, spread=1.0, seed=1):
    return np.random.default_rng(seed).standard_normal((count, *shape)) * spread


def _flat(x, shape):
    return x.reshape(*x.shape[: x.ndim - len(shape)], -1)


def _difference_quotients(f, x, shape, h=1e-5):
    """Central differences: error h²·f''' + eps·|f|/h."""
    d = int(np.prod(shape))
    steps = np.eye(d).reshape(d, *shape) * h
    return np.stack([(f(x + e) - f(x - e)) / (2 * h) for e in steps], axis=-1)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=hard_metrics.name)
def test_gradients_are_derivatives(objective):
    x = _points(objective.shape)
    expected = _difference_quotients(objective.value, x, objective.shape)
    found = _flat(objective.gradient(x), objective.shape)
    assert np.allclose(
        found, expected, atol=1e-8 * (1 + np.max(np.abs(expected)))
    )  # h² = 1e-10, eps/h = 2e-11, times f
    assert not np.allclose(1.001 * found, expected, atol=1e-8 * (1 + np.max(np.abs(expected))))


@pytest.mark.parametrize("loss", LOSSES, ids=hard_metrics.name)
def test_sample_gradients_are_derivatives(loss):
    x, i = _points(loss.shape, 12), np.arange(12)
    expected = _difference_quotients(lambda z: loss.value(z, i), x, loss.shape)
    assert np.allclose(_flat(loss.gradient(x, i), loss.shape), expected, atol=1e-8)


@pytest.mark.parametrize("loss", LOSSES, ids=hard_metrics.name)
def test_gradients_agree_with_automatic_differentiation(loss):
    torch = pytest.importorskip("torch")
    there = loss.beside(torch.zeros(1, dtype=torch.float64))
    x = torch.asarray(_points(loss.shape, 12)).requires_grad_()
    i = torch.arange(12)
    (by_sample,) = torch.autograd.grad(torch.sum(there.value(x, i)), x)
    assert torch.allclose(by_sample, there.gradient(x, i), rtol=0, atol=256 * EPS)
    weights = torch.asarray(np.random.default_rng(3).random((12, 12)))
    (summed,) = torch.autograd.grad(torch.sum(there.total(weights).value(x)), x)
    assert torch.allclose(summed, there.total(weights).gradient(x), rtol=0, atol=1024 * EPS)


@pytest.mark.parametrize("loss", LOSSES, ids=hard_metrics.name)
def test_a_weighted_sum_is_the_sum_of_its_samples(loss):
    x, weights = _points(loss.shape, 5), np.random.default_rng(2).integers(0, 4, (5, 12)).astype(float)
    values, gradients = np.zeros(5), np.zeros((5, *loss.shape))
    for i in range(12):
        index = np.full(5, i)
        values += weights[:, i] * loss.value(x, index)
        gradients += weights[:, i].reshape(-1, *[1] * len(loss.shape)) * loss.gradient(x, index)
    total = loss.total(weights)
    assert np.allclose(total.value(x), values, rtol=0, atol=256 * EPS * np.sum(weights))
    assert np.allclose(total.gradient(x), gradients, rtol=0, atol=256 * EPS * np.sum(weights))


@pytest.mark.parametrize("loss", LOSSES, ids=hard_metrics.name)
def test_declared_lipschitz_constants_bound_every_gradient_and_are_approached(loss):
    i = np.arange(12)
    largest = np.zeros(12)
    for spread in (0.1, 1.0, 100.0, 1e4):
        for x in _points(loss.shape, 60, spread):
            gradient = _flat(loss.gradient(np.broadcast_to(x, (12, *loss.shape)), i), loss.shape)
            largest = np.maximum(largest, np.linalg.norm(gradient, axis=-1))
    if np.all(np.isinf(loss.lipschitz)):
        assert np.max(largest) > 1e4  # least squares declares none, rightly
        return
    assert np.all(largest <= loss.lipschitz * (1 + 64 * EPS))
    assert np.all(largest > 0.98 * loss.lipschitz)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=hard_metrics.name)
def test_declared_smoothness_bounds_the_hessian(objective):
    for x in [np.zeros(objective.shape), *_points(objective.shape, 5)]:
        hessian = _difference_quotients(lambda z: _flat(objective.gradient(z), objective.shape), x, objective.shape)
        top = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
        assert top <= objective.smoothness + 1e-6 * (1 + abs(top))  # the accuracy of the differences


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not isinstance(loss, Linear)], ids=hard_metrics.name)
def test_smoothness_is_attained_where_it_is_an_equality(loss):
    if isinstance(loss, Softmax):  # two classes at equal scores: diag π - ππᵀ has the eigenvalue 1/2
        loss = Softmax(loss.features, loss.targets[:, [0, 1]] * 0 + np.array([1.0, 0.0]))
    objective, x = loss.total(np.ones(12)), np.zeros(loss.shape)
    hessian = _difference_quotients(lambda z: _flat(objective.gradient(z), loss.shape), x, loss.shape)
    assert np.linalg.eigvalsh(hessian)[-1] == pytest.approx(objective.smoothness, rel=1e-6)
    one = np.zeros(12)
    one[3] = 1.0
    assert loss.total(one).smoothness == pytest.approx(loss.smoothness[3], rel=1e-12)


@given(st.integers(0, len(OBJECTIVES) - 1), st.integers(0, 2**20), st.sampled_from([0.1, 1.0, 30.0]))
def test_every_objective_lies_above_its_tangents(index, seed, spread):
    objective = OBJECTIVES[index]
    x, y = _points(objective.shape, 2, spread, seed)
    tangent = objective.value(x) + np.sum(objective.gradient(x) * (y - x))
    scale = abs(objective.value(x)) + abs(objective.value(y)) + np.sum(np.abs(objective.gradient(x) * (y - x)))
    assert objective.value(y) >= tangent - 1024 * EPS * scale


@pytest.mark.parametrize("size", [1e3, 1e8, 1e300])
def test_scores_of_any_size_give_finite_accurate_losses(size):
    loss = Logistic(np.array([[1.0]]), np.array([1.0]))
    i = np.array(0)
    assert loss.value(np.array([size]), i) == 0 and loss.gradient(np.array([size]), i) == 0
    assert loss.value(np.array([-size]), i) == size and loss.gradient(np.array([-size]), i) == -1
    softmax = Softmax(np.array([[1.0]]), np.array([[1.0, 0.0]]))
    assert softmax.value(np.array([[-size], [0.0]]), i) == size
    assert np.array_equal(softmax.gradient(np.array([[-size], [0.0]]), i), [[-1.0], [1.0]])


def test_small_slopes_keep_their_digits():
    loss = Logistic(np.array([[1.0]]), np.array([1.0]))
    assert loss.gradient(np.array([50.0]), np.array(0)) == pytest.approx(
        -np.exp(-50.0), rel=1e-13
    )  # exp is 1 ulp times 50


@pytest.mark.parametrize("namespace_name", ["torch", "array_api_strict"])
@pytest.mark.parametrize("loss", LOSSES, ids=hard_metrics.name)
def test_every_namespace_gives_the_same_losses(loss, namespace_name):
    xp = pytest.importorskip(namespace_name)
    device = xp.Device("device1") if namespace_name == "array_api_strict" else "cpu"
    like = xp.zeros(1, dtype=xp.float64, device=device)
    there = loss.beside(like)
    x, i, w = _points(loss.shape, 6), np.array([0, 3, 3, 11, 5, 1]), np.random.default_rng(0).random((6, 12))
    x_there, w_there = asarray_like(x, like), asarray_like(w, like)
    i_there = xp.asarray(i.tolist(), dtype=xp.int64, device=device)
    pairs = [
        (there.value(x_there, i_there), loss.value(x, i)),
        (there.value(x_there, i), loss.value(x, i)),
        (there.gradient(x_there, i_there), loss.gradient(x, i)),
        (there.total(w_there).value(x_there), loss.total(w).value(x)),
        (there.total(w_there).gradient(x_there), loss.total(w).gradient(x)),
        (there.lipschitz, loss.lipschitz),
        (there.smoothness, loss.smoothness),
        (there.weighted_smoothness(w_there), loss.weighted_smoothness(w)),
    ]
    for found, expected in pairs:
        assert found.device == like.device
        assert np.allclose(to_numpy(found), expected, rtol=256 * EPS, atol=256 * EPS)


def test_prefix_counts_make_a_prefix_of_a_stream_one_weighted_sum():
    loss, rng = Logistic.examples()[0], np.random.default_rng(5)
    order = rng.integers(0, 12, (30, 3))
    x = _points(loss.shape, 3)
    played = np.cumsum(np.stack([loss.value(x, order[t]) for t in range(30)]), axis=0)
    counts = prefix_counts(order, [1, 10, 10, 30], 12)
    assert counts.shape == (4, 3, 12) and np.array_equal(counts.sum(axis=-1)[:, 0], [1, 10, 10, 30])
    for row, t in enumerate((1, 10, 10, 30)):
        assert np.allclose(loss.total(counts[row].astype(float)).value(x), played[t - 1], atol=1e-12)  # 30 terms near 1


def test_a_sum_of_linear_losses_is_linear():
    loss = Linear.examples()[0]
    total = loss.total(np.ones(12))
    assert isinstance(total, LinearFunction)
    assert np.allclose(total.slopes, loss.slopes.sum(axis=0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Logistic(A, np.zeros(12)), "must be -1 or"),
        (lambda: Logistic(A, np.ones(11)), "last axes must be"),
        (lambda: LeastSquares(np.full((2, 2), np.nan), np.ones(2)), "not finite"),
        (lambda: LeastSquares(np.ones(3), np.ones(3)), r"\(samples, \*shape\)"),
        (lambda: Linear(np.ones(3)), r"\(samples, \*shape\)"),
        (lambda: Softmax(A, np.ones((12, 3))), "one-hot"),
        (lambda: Softmax(A, np.ones(12)), "two axes"),
        (lambda: Softmax.from_labels(A, np.full(12, 3), 3), r"lie in 0\.\.2"),
        (lambda: Logistic.examples()[0].total(-np.ones(12)), "nonnegative"),
        (lambda: Logistic.examples()[0].total(np.ones(11)), "last axes must be"),
        (lambda: Logistic.examples()[0].value(np.zeros(5), np.array(0)), "last axes must be"),
        (lambda: prefix_counts(np.zeros((3, 1), dtype=int), [2, 1], 2), "horizons must increase"),
        (lambda: prefix_counts(np.zeros((3, 1), dtype=int), [4], 2), "horizons must increase"),
        (lambda: prefix_counts(np.full((3, 1), 2), [3], 2), "sample indices"),
    ],
)
def test_wrong_data_are_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_indefinite_quadratic_is_not_convex():
    with pytest.raises(NotPositiveError):
        Quadratic(np.diag([1.0, -1.0]), np.zeros(2))
