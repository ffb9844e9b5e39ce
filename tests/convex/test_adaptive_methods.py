"""Adaptive methods: textbook forms, agreement with each other and with literal recursions, batches, both backends."""

from __future__ import annotations

import numpy as np
import pytest
from backends import BACKENDS, FLOAT64

from convex.adaptive import (
    Accelerated,
    Direct,
    Momentum,
    SteepestDescent,
    adagrad,
    adagrad_norm,
    adam,
    descend,
    full_matrix_adagrad,
    muon,
    nesterov,
    normalized_gradient,
    one_sided_shampoo,
    rmsprop,
    sgd,
    sign_descent,
)
from convex.adaptive.steepest import steepest
from problems.domains import Box
from problems.matrix_quadratic import MatrixQuadratic
from problems.smooth import EntryNoise, NoNoise, SmoothMatrixQuadratic
from regret.learners import AdaptiveRegularization, OnlineGradientDescent
from structures import Circulant, Diagonal, Full, LeftKronecker, RightKronecker, Scalar
from structures.arrays import to_numpy, tolerance

SHAPE = (2, 3)
RNG = np.random.default_rng(0)
GRADIENTS = RNG.standard_normal((12, 1, *SHAPE))
STRUCTURES = [Scalar(SHAPE), Diagonal(SHAPE), LeftKronecker(SHAPE), RightKronecker(SHAPE), Full(SHAPE)]
CLOSE = (
    1e-11  # of twelve steps with condition numbers of a few hundred, far above rounding and far below a wrong factor
)


def problem(noise=None) -> SmoothMatrixQuadratic:
    solution = np.random.default_rng(1).standard_normal(SHAPE)
    return SmoothMatrixQuadratic(MatrixQuadratic(np.array([2.0, 0.3]), solution), noise or EntryNoise(0.2))


def fed(method, gradients=GRADIENTS, x0=None):
    """The answer after fixed gradients."""
    state = method.init(np.zeros((1, *SHAPE)) if x0 is None else x0)
    for G in gradients:
        state = method.step(state, G)
    return method.answer(state)[0]


def power(M: np.ndarray, p: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(M)
    return (vectors * values**p) @ vectors.T


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=CLOSE, atol=CLOSE * float(np.max(np.abs(b))))


# --- textbook forms ---------------------------------------------------------------------------------------------------


def test_adagrad_and_its_norm_form_are_the_textbook_ones():
    x, y, squares, total = np.zeros(SHAPE), np.zeros(SHAPE), np.zeros(SHAPE), 0.0
    for g in GRADIENTS[:, 0]:
        squares, total = squares + g**2, total + np.sum(g**2)
        x, y = x - 0.3 * g / np.sqrt(squares + 1e-2), y - 0.3 * g / np.sqrt(total + 1e-2)
    close(fed(adagrad(SHAPE, 0.3, 1e-2)), x)
    close(fed(adagrad_norm(SHAPE, 0.3, 1e-2)), y)


@pytest.mark.parametrize("side", ["left", "right", "smaller"])
def test_one_sided_shampoo_is_the_textbook_one(side):
    left = side != "right"
    x, L = np.zeros(SHAPE), 1e-2 * np.eye(2 if left else 3)
    for g in GRADIENTS[:, 0]:
        L = L + (g @ g.T if left else g.T @ g)
        x = x - 0.3 * (power(L, -0.5) @ g if left else g @ power(L, -0.5))
    close(fed(one_sided_shampoo(SHAPE, 0.3, 1e-2, side=side)), x)


def test_full_matrix_adagrad_is_the_textbook_one():
    x, M = np.zeros(6), 1e-2 * np.eye(6)
    for g in GRADIENTS.reshape(-1, 6):
        M = M + np.outer(g, g)
        x = x - 0.3 * power(M, -0.5) @ g
    close(fed(full_matrix_adagrad(SHAPE, 0.3, 1e-2)), x.reshape(SHAPE))


def test_rmsprop_and_adam_are_those_of_torch_where_damping_does_not_matter():
    torch = pytest.importorskip("torch")
    beta = (0.8, 0.95)
    for ours, theirs in (
        (rmsprop(SHAPE, 0.01, 0.95, 0.0), lambda p: torch.optim.RMSprop([p], lr=0.01, alpha=0.95, eps=0.0)),
        (adam(SHAPE, 0.01, beta, 0.0), lambda p: torch.optim.Adam([p], lr=0.01, betas=beta, eps=0.0)),
    ):
        parameter = torch.zeros(SHAPE, dtype=torch.float64, requires_grad=True)
        optimizer = theirs(parameter)
        for g in GRADIENTS[:, 0]:
            parameter.grad = torch.from_numpy(g.copy())
            optimizer.step()
        close(fed(ours), parameter.detach().numpy())


def test_steepest_descent_is_sign_descent_normalised_gradient_descent_and_muon():
    G = GRADIENTS[:1]
    U, _, Vt = np.linalg.svd(G[0, 0], full_matrices=False)
    close(fed(sign_descent(SHAPE, 0.3), G), -0.3 * np.sign(G[0, 0]))
    close(fed(normalized_gradient(SHAPE, 0.3), G), -0.3 * G[0, 0] / np.linalg.norm(G[0, 0]))
    for side in ("left", "right"):  # of the rank that a pseudo-inverse sees, the polar factors are the same
        close(fed(muon(SHAPE, 0.3, side=side), G), -0.3 * U @ Vt)
    m = np.zeros(SHAPE)
    x = np.zeros(SHAPE)
    for t, g in enumerate(GRADIENTS[:, 0]):
        m = g if t == 0 else 0.7 * m + 0.3 * g
        x = x - 0.1 * np.sign(m)
    close(fed(sign_descent(SHAPE, 0.1, 0.3)), x)


@pytest.mark.parametrize("structure", [*STRUCTURES, Circulant((6,))], ids=str)
def test_the_steepest_direction_has_norm_one_and_attains_the_dual_norm_at_every_scale(structure):
    m = np.random.default_rng(2).standard_normal((3, *structure.shape)) * np.array([1e-150, 1.0, 1e150]).reshape(
        3, *[1] * len(structure.shape)
    )
    u = steepest(structure, m)
    np.testing.assert_allclose(structure.norm(u), 1.0, rtol=1e-7)  # a square root of rounding
    attained = np.sum(structure.flatten(m * u), axis=-1)
    np.testing.assert_allclose(attained, structure.dual_norm(m), rtol=1e-7)
    other = np.random.default_rng(3).standard_normal((50, *structure.shape))
    other = other / structure.norm(other).reshape(-1, *[1] * len(structure.shape))
    assert np.all(np.sum(structure.flatten(m[1] * other), axis=-1) <= attained[1] * (1 + 1e-7))
    assert not np.any(steepest(structure, 0.0 * m))


def test_without_memory_adaptive_regularization_is_steepest_descent():
    for structure in STRUCTURES:
        method = SteepestDescent(structure, 0.3)
        x = np.zeros((1, *SHAPE))
        for G in GRADIENTS[:3]:
            fresh = Direct(AdaptiveRegularization(structure, 0.3))
            x = fresh.answer(fresh.step(fresh.init(x), G))
        np.testing.assert_allclose(fed(method, GRADIENTS[:3]), x[0], rtol=1e-6, atol=1e-6)  # roots of rounding


# --- momentum and acceleration ------------------------------------------------------------------------------------------


def test_momentum_with_no_decay_is_its_core():
    for structure in STRUCTURES:
        for options in ({}, {"accumulate": "weighted", "beta": 0.8}, {"accumulate": "ema", "beta": 0.8}):
            core = AdaptiveRegularization(structure, 0.2, 1e-2, Box(0.5), **options)
            close(fed(Momentum(core, 0.0, bias_correction=False)), fed(Direct(core)))
            if not options:
                close(fed(Momentum(core, 0.0)), fed(Direct(core)))  # no average, no bias


def test_momentum_averages_the_gradients_and_not_the_statistic():
    x, m, L = np.zeros(SHAPE), np.zeros(SHAPE), 1e-2 * np.eye(2)
    for t, g in enumerate(GRADIENTS[:, 0], start=1):
        L, m = L + g @ g.T, 0.6 * m + 0.4 * g
        x = x - 0.3 / (1 - 0.6**t) * power(L, -0.5) @ m
    close(fed(one_sided_shampoo(SHAPE, 0.3, 1e-2, momentum=0.6)), x)


def test_acceleration_of_gradient_descent_is_nesterovs_method():
    f = problem(NoNoise())
    L = f.smoothness
    x = z = average = np.zeros(SHAPE)
    for t in range(30):  # the form with y = average + β (average - last average)
        alpha = 2 / (t + 2)
        y = alpha * z + (1 - alpha) * average
        z = z - f.gradient(y) / (L * alpha)
        last, average = average, y - f.gradient(y) / L
        close(average, alpha * z + (1 - alpha) * last)  # the gradient step of Nesterov's form
        x = average
    run = descend(nesterov(SHAPE, 1 / L), f, np.zeros(SHAPE), 30, exact=True)
    close(run.x[0], x)
    assert run.at_answer[-1, 0] <= 2 * L * np.sum(f.solution**2) / 31**2


def test_the_accelerated_method_is_its_definition():
    f, structure = problem(NoNoise()), LeftKronecker(SHAPE)
    x = average = np.zeros(SHAPE)
    L = 1e-3 * np.eye(2)
    for t in range(20):
        alpha = 2 / (t + 2)
        g = f.gradient(alpha * x + (1 - alpha) * average) / alpha
        L = L + g @ g.T / 3
        x = x - 0.7 * power(L, -0.5) @ g
        average = alpha * x + (1 - alpha) * average
    run = descend(Accelerated(AdaptiveRegularization(structure, 0.7, 1e-3)), f, np.zeros(SHAPE), 20, exact=True)
    close(run.x[0], average)


def test_acceleration_is_faster_on_a_hard_quadratic():
    f = SmoothMatrixQuadratic(MatrixQuadratic(10.0 ** -np.arange(0.0, 6.0), np.ones((6, 2))))
    plain, fast = (descend(m, f, np.zeros((6, 2)), 300, exact=True) for m in (sgd((6, 2), 0.5), nesterov((6, 2), 0.5)))
    assert fast.at_answer[-1, 0] < 0.2 * plain.at_answer[-1, 0]


# --- batches and backends -----------------------------------------------------------------------------------------------

METHODS = {
    "AdaGrad": adagrad(SHAPE, 0.3, 1e-2),
    "AdaGrad on a box": adagrad(SHAPE, 0.3, 1e-2, Box(0.5)),
    "AdaGrad-Norm": adagrad_norm(SHAPE, 0.3, 1e-2),
    "full": full_matrix_adagrad(SHAPE, 0.3, 1e-2),
    "one-sided": one_sided_shampoo(SHAPE, 0.3, 1e-2),
    "ASGO": one_sided_shampoo(SHAPE, 0.3, 1e-2, momentum=0.9),
    "RMSprop": rmsprop(SHAPE, 0.05, 0.9, 1e-4),
    "Adam": adam(SHAPE, 0.05, eps=1e-4),
    "Muon": muon(SHAPE, 0.05),
    "sign": sign_descent(SHAPE, 0.05, 0.3),
    "SGD": sgd(SHAPE, 0.1),
    "Nesterov": nesterov(SHAPE, 0.1),
    "accelerated": Accelerated(AdaptiveRegularization(LeftKronecker(SHAPE), 0.5, 1e-2)),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_is_its_elements_alone_and_a_long_run_begins_like_a_short_one(name):
    method, f = METHODS[name], problem()
    whole = descend(method, f, np.zeros(SHAPE), 20, batch=3, seed=4)
    for element in range(3):
        alone = descend(method, f, np.zeros(SHAPE), 20, batch=1, seed=4, first=element)
        np.testing.assert_allclose(alone.at_query[:, 0], whole.at_query[:, element], rtol=1e-12)
    short = descend(method, f, np.zeros(SHAPE), 5, batch=3, seed=4, grid=[2, 5])
    np.testing.assert_allclose(short.at_answer, whole.at_answer[[1, 4]], rtol=1e-12)
    np.testing.assert_allclose(whole.at_average[-1], f.value(whole.average), rtol=1e-12)
    np.testing.assert_allclose(whole.at_answer[-1], f.value(whole.x), rtol=1e-12)


def test_step_sizes_ride_on_the_batch():
    rates, f = (0.1, 0.5, 2.0), problem(NoNoise())
    for make in (adagrad, muon, sgd, nesterov, adam, adagrad_norm):
        together = descend(make(SHAPE, rates), f, np.zeros(SHAPE), 15, batch=3, exact=True)
        for element, rate in enumerate(rates):
            alone = descend(make(SHAPE, rate), f, np.zeros(SHAPE), 15, exact=True)
            close(together.x[element], alone.x[0])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("backend", BACKENDS, ids=str)
def test_every_method_is_the_same_in_every_library(name, backend):
    x0 = backend.array(np.zeros((2, *SHAPE)))
    run = descend(METHODS[name], problem(), x0, 10, seed=1, grid=[10])
    assert type(run.x) is type(x0) and run.x.dtype == x0.dtype and run.x.device == x0.device
    reference = descend(METHODS[name], problem(), np.zeros((2, *SHAPE)), 10, seed=1, grid=[10])
    # Ten steps through square roots of statistics with condition numbers up to 1e4.
    allowed = tolerance(np.zeros((), dtype=backend.dtype), 60, 1e4)
    np.testing.assert_allclose(to_numpy(run.x), reference.x, atol=allowed * 10)


@pytest.mark.parametrize("backend", FLOAT64, ids=str)
def test_a_step_does_not_change_the_state_that_it_is_given(backend):
    G = backend.array(GRADIENTS[0])
    for method in METHODS.values():
        state = method.init(backend.array(np.zeros((1, *SHAPE))))
        state = method.step(state, G)
        before = {name: to_numpy(value).copy() for name, value in state.items() if hasattr(value, "dtype")}
        method.step(state, G)
        method.query(state)
        for name, value in before.items():
            np.testing.assert_array_equal(to_numpy(state[name]), value)


# --- what is refused ----------------------------------------------------------------------------------------------------


def test_wrong_options_are_refused_with_the_reason():
    core = AdaptiveRegularization(Diagonal(SHAPE), 0.1)
    with pytest.raises(ValueError, match="decay"):
        Momentum(core, 1.0)
    with pytest.raises(TypeError, match="AdaptiveRegularization"):
        Momentum(OnlineGradientDescent(SHAPE, 0.1))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="alpha"):
        SteepestDescent(Diagonal(SHAPE), 0.1, 0.0)
    with pytest.raises(TypeError, match="structure"):
        SteepestDescent("diagonal", 0.1)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="lr"):
        sign_descent(SHAPE, -0.1)
    with pytest.raises(ValueError, match="matrix"):
        one_sided_shampoo((6,), 0.1)
    with pytest.raises(ValueError, match="side"):
        muon(SHAPE, 0.1, side="top")  # pyright: ignore[reportArgumentType]


def test_a_run_that_cannot_be_is_refused():
    f, method = problem(), METHODS["AdaGrad"]
    with pytest.raises(ValueError, match="steps"):
        descend(method, f, np.zeros(SHAPE), 0)
    with pytest.raises(ValueError, match="grid"):
        descend(method, f, np.zeros(SHAPE), 5, grid=[6])
    with pytest.raises(ValueError, match="x0"):
        descend(method, f, np.zeros((3, *SHAPE)), 5, batch=2)
    with pytest.raises(ValueError, match="finite"):
        descend(method, f, np.full(SHAPE, np.nan), 5)
    with pytest.raises(ValueError, match="finite"), np.errstate(all="ignore"):
        descend(sgd(SHAPE, 1e200), f, np.ones(SHAPE), 5, exact=True)
