"""When stages end, what happens after them, and certificates without a penalty."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import EPSILON, LOSSES, REGRESSION, TOL, conjugate, data

from convex.engine import Options, minimise
from convex.engine.minimise import RESCUE, make_task
from convex.engine.snapshot import snapshot
from convex.engine.switch import Switch


def snapshots_with(objectives: list[float]):
    X, y, _ = data("log_loss")
    task = make_task(X, y, "log_loss", 0.0, 0.1, None, False, 1.0)
    at = snapshot(task, np.zeros(8), exact_intercept=False)
    return task, [replace(at, objective=value) for value in objectives]


def leaves_at(objectives: list[float], tol: float) -> int | None:
    """The number of the snapshot at which the stages end."""
    task, seen = snapshots_with(objectives)
    switch = Switch(task, tol)
    return next((k for k, snap in enumerate(seen) if switch.leave(snap)), None)


def test_stages_go_on_while_they_fall_fast_enough_and_end_when_they_do_not():
    fast = [1.0, 0.1, 0.01, 0.001, 0.0001]
    slow = [1.0, 0.9, 0.81, 0.729, 0.6561]
    assert leaves_at(fast, 1e-4) is None
    assert leaves_at(slow, 1e-4) == 2
    assert leaves_at(fast, 1e-30) == 2
    assert leaves_at([1.0, 0.9, 0.95], 1e-4) == 2  # it rose
    assert leaves_at(fast, 0.0) == 2


def phases(solution) -> list[str]:
    return [line.phase for line in solution.history]


def test_a_finish_follows_stages_where_features_are_few_and_begins_at_once_where_they_are_many():
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((40, 1001)) * (rng.random((40, 1001)) < 0.1)
    y = np.sign(rng.standard_normal(40))
    X, targets, _ = data("log_loss")
    few = minimise(X, targets, l2=1e-3, tol=TOL)
    assert phases(few)[:3] == ["start", "dasvrda", "dasvrda"]
    assert phases(few)[-1] == "finish"
    warm = minimise(X, targets, l2=1e-3, tol=TOL, start=(few.coef + 0.1, 0.0))
    assert "dasvrda" not in phases(warm)
    for data_of in (np.asarray, sp.csr_array):
        for l1, l2 in ((0.0, 1e-2), (1e-2, 0.0)):
            solution = minimise(data_of(wide), y, l1=l1, l2=l2, tol=1e-7)
            assert solution.converged
            assert "dasvrda" not in phases(solution)
            stages = minimise(data_of(wide), y, l1=l1, l2=l2, tol=1e-7, max_passes=3000, options=Options(finish=False))
            assert stages.objective == pytest.approx(solution.objective, abs=1e-6)
            assert "finish" not in phases(stages)
    plain = minimise(wide, y, l1=1e-2, l2=0.0, tol=1e-7, max_passes=3000, options=Options(working_set=False))
    assert "finish" not in phases(plain)


def test_stages_take_over_from_second_order_steps_that_get_nowhere(monkeypatch):
    calls = []

    def stuck(task, snap, progress, rng):
        calls.append(progress.passes)
        return snap

    monkeypatch.setattr(import_module("convex.engine.minimise"), "finish", stuck)
    X, y, _ = data("log_loss")
    solution = minimise(X, y, l2=1e-4, tol=TOL, max_passes=5000)
    assert solution.converged
    assert set(phases(solution)) == {"start", "dasvrda"}
    # They are tried again, ever later: a stage and its snapshot cost two passes.
    np.testing.assert_allclose(np.diff(calls), 2 * RESCUE * 2.0 ** np.arange(len(calls) - 1), rtol=0.1)
    assert len(calls) > 2


@pytest.mark.parametrize("options", [Options(), Options(finish=False)])
def test_a_tolerance_below_rounding_ends_without_all_passes(options):
    X, y, _ = data("log_loss")
    solution = minimise(X, y, l2=0.1, tol=1e-30, max_passes=100_000, options=options)
    assert not solution.converged
    assert solution.passes < 20_000
    assert solution.gap <= 1e-12


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_without_a_penalty_the_gap_is_certified_too(loss, intercept, form):
    """The data have a column and a row of zeros: the optimum is not unique, its objective is."""
    X, y, weights = data(loss)
    if loss not in REGRESSION:
        y = np.where(np.arange(y.size) % 4, y, -y)  # no line separates the classes
    p = weights / weights.sum()
    arguments = {"loss": loss, "sample_weight": weights, "fit_intercept": intercept}
    solution = minimise(form(X), y, **arguments, l1=0.0, l2=0.0, tol=1e-8)
    assert solution.converged
    sums = X.T @ (p * solution.dual)
    assert np.abs(sums).max() <= 1e-13 * np.abs(X).max()
    assert not intercept or abs(p @ solution.dual) <= 1e-13
    theta = np.clip(solution.dual, -EPSILON, EPSILON) if loss == "huber" else solution.dual
    lower = -float(p @ conjugate(loss, theta, y))
    assert solution.objective - lower == pytest.approx(solution.gap, abs=1e-13 * (1 + abs(solution.objective)))
    almost = minimise(X, y, **arguments, l1=0.0, l2=1e-9, tol=1e-10)
    assert lower <= almost.objective + 1e-12
    if loss in REGRESSION:
        early = minimise(form(X), y, **arguments, l1=0.0, l2=0.0, tol=0.0, max_passes=3, options=Options(finish=False))
        assert early.gap >= early.objective - almost.objective - 1e-9


def test_separable_classes_without_a_penalty_have_no_certificate_but_the_objective():
    X = np.array([[1.0], [2.0], [-1.0], [-3.0]])
    solution = minimise(X, np.sign(X[:, 0]), l1=0.0, l2=0.0, tol=1e-3, max_passes=200)
    assert solution.gap <= solution.objective + 1e-12


def test_an_unknown_loss_is_refused_with_the_names_of_the_others():
    with pytest.raises(ValueError, match="log_loss, squared_hinge"):
        minimise(np.ones((2, 1)), np.ones(2), loss="hinge")
