"""The duality gap is an upper bound at every point, exact at the optimum, and never negative."""

from __future__ import annotations

import math

import numpy as np
import pytest
from engine_problems import LOSSES, ORACLE, PENALTIES, TOL, data, optimum

from convex.engine import minimise
from convex.engine.gap import certified_gap, gap_below
from convex.engine.minimise import make_task, starting_point
from convex.engine.snapshot import best_shift, snapshot


def task_of(loss: str, penalty: str, intercept: bool):
    X, y, weights = data(loss)
    return make_task(X, y, loss, *PENALTIES[penalty], weights, intercept, 1.35)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_at_any_point_the_gap_covers_the_distance_to_the_optimum(loss, penalty, intercept):
    task, best = task_of(loss, penalty, intercept), optimum(loss, penalty, intercept)
    rng = np.random.default_rng(1)
    for size in (0.0, 1e-3, 1.0, 100.0):
        w = rng.standard_normal(8) * size
        w[-1] *= intercept
        at = snapshot(task, w, exact_intercept=True)
        gap, tau = certified_gap(task, at)
        assert gap >= at.objective - best - ORACLE
        assert 0 <= tau <= 1


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gap_closes_at_the_optimum(loss, penalty):
    X, y, weights = data(loss)
    l1, l2 = PENALTIES[penalty]
    arguments = {"loss": loss, "l1": l1, "l2": l2, "sample_weight": weights}
    solution = minimise(X, y, **arguments, tol=1e-13, max_passes=20000)
    task = task_of(loss, penalty, True)
    at = snapshot(task, starting_point(task, (solution.coef, solution.intercept)), exact_intercept=True)
    assert 0.0 <= certified_gap(task, at)[0] <= 1e-12
    moved = at.w.copy()
    moved[0] += 0.1
    assert certified_gap(task, snapshot(task, moved, exact_intercept=True))[0] > 1e-6


def test_without_a_balanced_intercept_nothing_is_certified_but_the_objective():
    task = task_of("log_loss", "ridge", True)
    at = snapshot(task, np.zeros(8), exact_intercept=False)
    assert gap_below(task, at, 0.5 * at.objective)[0] == math.inf
    assert gap_below(task, at, math.inf) == (at.objective, 0.0)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_intercept_is_the_minimiser_in_one_variable(loss):
    task = task_of(loss, "ridge", True)
    rng = np.random.default_rng(2)
    for size in (0.0, 1.0, 30.0, 3000.0):
        z = rng.standard_normal(60) * size
        shift, value, imbalance, total = best_shift(task, z, np.empty(60), 0.0)
        assert abs(imbalance) <= 1e-12 * total
        around = [task.loss_rows(z, shift + move, np.empty(60))[0] for move in (-1.0, -1e-3, 1e-3, 1.0)]
        assert value <= min(around) * (1 + 1e-14)


def test_rows_of_one_class_have_an_intercept_that_runs_away_and_a_gap_that_closes():
    X = np.random.default_rng(3).standard_normal((20, 3))
    solution = minimise(X, np.ones(20), l2=0.1, tol=1e-10)
    assert solution.converged
    assert solution.objective <= 1e-10


def test_a_ridge_too_small_to_help_is_certified_like_none():
    """R* divides by l2: with l2 = 1e-14 the dual point must be scaled, as for l2 = 0."""
    X, y, weights = data("log_loss")
    solution = minimise(X, y, l1=0.05, l2=1e-14, sample_weight=weights, tol=TOL, max_passes=5000)
    assert solution.converged
    assert solution.objective == pytest.approx(optimum("log_loss", "lasso", True), abs=ORACLE)
