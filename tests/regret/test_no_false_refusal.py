"""Runs that nobody tampered with are not refused: at small rates, at the boundary, in single precision."""

import numpy as np
import pytest

from problems.domains import Box
from regret import play
from regret.adversaries import FixedSequence, HardSequence, RandomSigns
from regret.adversaries.scaled_signs import EverySign
from regret.learners import AdaptiveRegularization, TwoSidedShampoo
from regret.theorems.game import Game
from structures import Diagonal, Full
from theory import get, verify


def adagrad(lr, domain=Box(1.0), d=1, **options):  # noqa: B008  (a frozen value)
    return AdaptiveRegularization(Diagonal((d,)), lr=lr, domain=domain, **options)


def test_a_discounted_regret_that_stays_at_zero():
    u = np.array([0.7])
    gradients = -np.abs(np.random.default_rng(0).standard_normal((20, 1)))
    run = play(
        adagrad(1.0, Box(0.7), accumulate="weighted", beta=0.9), FixedSequence(gradients), 20, x0=u[None],
        comparator=u, keep_history=True,
    )  # fmt: skip
    assert run.verify("weighted-regret").kind == "VERIFIED"


@pytest.mark.parametrize(("lr", "horizon", "dtype"), [(1e-12, 3000, np.float64), (1e-6, 300, np.float32)])
def test_iterates_that_hardly_move(lr, horizon, dtype):
    gradients = np.resize([0.1, 0.2, -0.3], horizon)[:, None].astype(dtype)
    run = play(adagrad(lr), FixedSequence(gradients), horizon, x0=np.zeros((1, 1), dtype), keep_history=True)
    assert run.verify("structured-regret").kind == "VACUOUS"  # true, and D is the whole width of the domain


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tuned_rate_is_tuned_in_every_precision(dtype):
    run = play(adagrad(2**0.5, d=2), RandomSigns((2,)), 50, x0=np.zeros((1, 2), dtype), keep_history=True)
    assert run.verify("adagrad-regret").kind == "VERIFIED"
    off = play(adagrad(1.5, d=2), RandomSigns((2,)), 50, x0=np.zeros((1, 2), dtype), keep_history=True)
    assert off.verify("adagrad-regret").kind == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1.0, 0.7, 0.3])
def test_two_equal_signs_attain_khinchines_constant_and_are_not_refuted(size, dtype):
    signs = EverySign(np.array([[size], [size]]))
    run = play(adagrad(2**0.5), signs, 2, batch=signs.paths, x0=np.zeros((signs.paths, 1), dtype), keep_history=True)
    assert verify(get("random-signs-value"), Game(signs, run)).kind != "REFUTED"


@pytest.mark.parametrize("multiple", [0.3, 0.6, 1.4, 2.4, 1e3, 1e10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_sided_shampoo_where_squares_underflow(multiple, dtype):
    """Gradients whose squares are a few times the smallest subnormal number."""
    hard = HardSequence(np.ones((1, 1)), 300, radius=1.0, rate=2**0.5)
    scale = (multiple * float(np.finfo(dtype).smallest_subnormal)) ** 0.5
    rows = (hard.sampler(np.random.default_rng(0))(300) * scale).astype(dtype)
    run = play(
        TwoSidedShampoo((1, 1), lr=2**0.5), FixedSequence(rows), 300, x0=hard.x0.astype(dtype),
        comparator=np.ones((1, 1), dtype),
    )  # fmt: skip
    assert run.verify("rank-free-shampoo").kind != "VIOLATED"


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e12])
def test_the_nuclear_norm_of_single_precision_gradients_is_summed_in_double(scale):
    gradients = (scale * np.random.default_rng(3).standard_normal((200, 3))).astype(np.float32)
    learner = AdaptiveRegularization(Full((3,)), lr=1.0)
    run = play(
        learner, FixedSequence(gradients), 200, x0=np.zeros((1, 3), np.float32), comparator=np.zeros(3, np.float32),
        keep_history=True,
    )  # fmt: skip
    assert run.verify("structured-regret").kind == "VERIFIED"
