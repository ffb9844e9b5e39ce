"""The constants of DASVRDA: what they minimise, when the theorem allows them, and what a slip would make of them."""

from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np
import pytest
from finite_sums import problem

from convex.solvers import DASVRDA, gamma_star, step_size
from convex.solvers.constants import Constants, gamma_sharp, published, rho_sharp, sharpened
from problems.composite import Composite
from problems.losses import LeastSquares

SIZES = [(1, 1), (1, 50), (3, 2), (16, 1), (16, 4), (200, 14), (7, 1000)]
GRID = np.geomspace(0.51, 60, 4001)


def _published(gamma, m, b):
    return (1 + gamma * (m + 1) / b) / (1 - 1 / gamma) ** 2


def _sharp(gamma, m, b, ratio):
    return (ratio + gamma * (m + 1) / b) / (1 - rho_sharp(gamma, m)) ** 2


@pytest.mark.parametrize(("m", "b"), SIZES)
def test_gamma_star_minimises_the_factor_of_the_bound(m, b):
    found, values = gamma_star(m, b), [_published(gamma, m, b) for gamma in GRID if gamma > 1.001]
    assert _published(found, m, b) <= min(values)
    assert found > 3  # so that it is always allowed
    for other in (0.99 * found, 1.01 * found):
        assert _published(other, m, b) > _published(found, m, b)


def test_eight_b_over_m_is_not_eight_b_over_m_plus_one():
    slip = (3 + sqrt(9 + 8 * 4 / 3)) / 2
    assert gamma_star(3, 4) == pytest.approx((3 + sqrt(9 + 8)) / 2, rel=1e-15)
    assert abs(gamma_star(3, 4) - slip) > 0.1
    assert _published(slip, 3, 4) > _published(gamma_star(3, 4), 3, 4)


@pytest.mark.parametrize(("m", "b"), SIZES)
@pytest.mark.parametrize("ratio", [0.02, 0.5, 1.0])
def test_the_sharper_gamma_minimises_its_factor_and_beats_the_published_one(m, b, ratio):
    found = gamma_sharp(m, b, ratio)
    allowed = [gamma for gamma in GRID if rho_sharp(gamma, m) < 0.99]
    assert _sharp(found, m, b, ratio) <= min(_sharp(gamma, m, b, ratio) for gamma in allowed) * (1 + 1e-12)
    assert rho_sharp(found, m) <= 1 / 3
    better = _sharp(found, m, b, ratio) / _published(gamma_star(m, b), m, b)
    assert better < 1.0 and (better < 0.6 or b > m)


@pytest.mark.parametrize("m", [1, 2, 5, 40, 1000])
@pytest.mark.parametrize("gamma", [0.8, 1.5, 3.0, 10.0])
def test_the_three_contractions_are_ordered(m, gamma):
    assert 0 < rho_sharp(gamma, m) <= 2 / (3 * (2 * gamma - 1)) * (1 + 1e-12)
    if gamma >= 1:
        assert 2 / (3 * (2 * gamma - 1)) <= 1 / gamma


def test_the_sharper_contraction_is_its_sum():
    # m = 2, γ = 1: (4/6)·(½/(6-1) + 1/(3-1)) = (2/3)·(0.1 + 0.5)
    assert rho_sharp(1.0, 2) == pytest.approx(0.4, rel=1e-15)


def test_the_step_is_its_formula():
    assert step_size(3.0, 9, 2, 4.0) == pytest.approx(1 / ((1 + 3 * 10 / 2) * 4.0), rel=1e-15)
    assert step_size(3.0, 9, 2, 4.0, smoothness=1.0) == pytest.approx(1 / (1 + 3 * 10 / 2 * 4.0), rel=1e-15)


def test_the_weights_of_the_outer_loop_need_c_of_two_thirds():
    assert published(5, 1, 1.0, gamma=3.0).c == pytest.approx(2 / 3)
    for refused in (2.999, 2.0, 1.0, 0.5):
        with pytest.raises(ValueError, match="gamma >= 3"):
            published(5, 1, 1.0, gamma=refused)
    limit = published(5, 1, 1.0, gamma=3.0)
    assert limit.c * 3 / 2 >= 1 - 1e-12  # θ_1 - 1, the first weight
    assert sharpened(400, 1, 1.0, 1.0, gamma=1.4).rho < 1 / 3  # below 3, and allowed: its contraction is sharper
    with pytest.raises(ValueError, match="above 1/3"):
        sharpened(400, 1, 1.0, 1.0, gamma=1.1)
    with pytest.raises(ValueError, match="above 1/2"):
        sharpened(400, 1, 1.0, 1.0, gamma=0.5)


def test_the_solver_reads_its_constants_off_the_problem():
    logistic = problem("logistic", "l1")
    L = np.sum(logistic.loss.features**2, axis=1) / 4
    found = DASVRDA(minibatch=2).constants(logistic)
    assert DASVRDA(minibatch=2).stage_length(logistic) == 8
    assert found.gamma == gamma_star(8, 2) and found.rho == 1 / found.gamma
    assert found.step == pytest.approx(step_size(found.gamma, 8, 2, float(np.mean(L))), rel=1e-14)
    uniform = DASVRDA(minibatch=2, sampling="uniform").constants(logistic)
    assert uniform.step == pytest.approx(step_size(found.gamma, 8, 2, float(np.max(L))), rel=1e-14)
    sharp = DASVRDA(minibatch=2, sharp=True).constants(logistic)
    assert sharp.step > 1.5 * found.step and sharp.c > 2 / 3
    own = DASVRDA(minibatch=2, gamma=5.0, step=0.25, length=3).constants(logistic)
    assert (own.gamma, own.step, own.rho) == (5.0, 0.25, 0.2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gamma_star(0, 1), "stage length m"),
        (lambda: gamma_star(1, 1.5), "mini-batch b"),
        (lambda: step_size(3.0, 1, 1, 0.0), "positive finite gamma and Lbar"),
        (lambda: step_size(nan, 1, 1, 1.0), "positive finite gamma and Lbar"),
        (lambda: step_size(3.0, 1, 1, inf), "positive finite gamma and Lbar"),
        (lambda: Constants(3.0, 0.0, 0.1), "step size must be positive"),
        (lambda: Constants(3.0, 1.0, -0.1), "above 1/3"),
        (lambda: Constants(3.0, 1.0, nan), "above 1/3"),
        (lambda: DASVRDA(gamma=2.0).constants(problem("logistic", "l1")), "gamma >= 3"),
        (lambda: DASVRDA().constants(Composite(LeastSquares(np.zeros((3, 2)), np.ones(3)))), "curved, smooth loss"),
    ],
)
def test_constants_without_a_theorem_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
