"""What the theory promises in component gradients: shapes that theory says, and contractions that runs keep."""

from math import inf, log

import numpy as np
import pytest

from convex.solvers.constants import published
from convex.solvers.guarantees import dasvrda_evaluations, katyusha_evaluations, svrg_evaluations
from problems.composite import Composite
from problems.losses import LeastSquares
from problems.penalties import L1, SquaredL2

N, TARGET = 400, 1e-4
GUARANTEES = [
    dasvrda_evaluations,
    lambda *a: dasvrda_evaluations(*a, sharp=True),
    svrg_evaluations,
    katyusha_evaluations,
]


def ridge(mu=1e-2):
    rng = np.random.default_rng(3)
    features = rng.standard_normal((N, 5)) * np.logspace(0, -2, 5)
    return Composite(LeastSquares(features, rng.standard_normal(N)), SquaredL2(mu))


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_smaller_target_or_modulus_costs_more(guarantee):
    assert guarantee(ridge(), 4, 1e-8) > guarantee(ridge(), 4, 1e-4) > 0
    assert guarantee(ridge(1e-4), 4, TARGET) > guarantee(ridge(1e-2), 4, TARGET)


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_without_strong_convexity_nothing_is_guaranteed(guarantee):
    problem = Composite(ridge().loss, L1(0.1))
    assert guarantee(problem, 4, TARGET) == inf


@pytest.mark.parametrize("sharp", [False, True])
def test_mini_batches_up_to_the_root_of_n_cost_dasvrda_little_and_larger_ones_do(sharp):
    one, root, whole = (dasvrda_evaluations(ridge(1e-4), b, TARGET, sharp) for b in (1, int(N**0.5), N))
    assert root < 1.35 * one
    assert whole > 3.0 * one


def test_the_sharper_constants_promise_more():
    for b in (1, 5, 20, 100):
        assert dasvrda_evaluations(ridge(1e-4), b, TARGET, sharp=True) < dasvrda_evaluations(ridge(1e-4), b, TARGET)


def test_the_number_of_dasvrda_is_the_formula_of_its_theorem_at_the_best_period():
    problem, b = ridge(1e-3), 10
    m, mu = N // b, 1e-3
    constants = published(m, b, problem.mean_smoothness)
    costs = []
    for stages in range(1, 4001):
        distance = 4.0 / ((1 - 1 / constants.gamma) ** 2 * constants.step * m * (m + 1) * mu)
        rho = 4.0 / (stages + 2) ** 2 * (1 + distance)
        if rho < 1:
            costs.append(np.ceil(log(TARGET) / log(rho)) * stages * (N + 2 * b * m))
    assert dasvrda_evaluations(problem, b, TARGET) == min(costs)


def test_a_badly_conditioned_problem_shows_the_order_of_the_rates():
    """n + sqrt(nL/μ) against n + L/μ, up to the logarithm: SVRG pays for the condition number, DASVRDA for its root."""
    easy, hard = ridge(1e-4), ridge(1e-6)
    growth = {f: f(hard, 4, TARGET) / f(easy, 4, TARGET) for f in (svrg_evaluations, dasvrda_evaluations)}
    assert growth[svrg_evaluations] > 50
    assert growth[dasvrda_evaluations] == pytest.approx(10, rel=0.5)
