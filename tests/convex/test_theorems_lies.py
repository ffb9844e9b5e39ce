"""A record that speaks of another problem, or of another number of steps, than it says is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import theory
from convex.theorems.certificates import GapRun
from convex.theorems.dasvrda_ns import DASVRDAConvex
from convex.theorems.duality_gap import DualityGap
from convex.theorems.instances import tiny
from convex.theorems.outer_cases import walked
from convex.theorems.runs import OuterRun
from convex.theorems.sharp_dasvrda_sc import SharpDASVRDAGrowth
from convex.theorems.softmax_gap import SoftmaxGap


def gap_run(name: str) -> GapRun:
    return next(example.make() for example in DualityGap().examples() if example.name.startswith(name))


def refused(theorem, run) -> bool:
    return theory.verify(theorem, run).kind == "HYPOTHESIS_FAILED"


def test_labels_of_two_make_another_loss():
    """The conjugates are those of labels ±1: with ±2 the claimed gap was a third of the true one."""
    run = gap_run("log_loss, elastic net")
    assert theory.verify(DualityGap(), run).kind == "VERIFIED"
    assert refused(DualityGap(), replace(run, problem=replace(run.problem, y=2.0 * run.problem.y)))


@pytest.mark.parametrize("delta", [0.0, -1.0, np.inf, np.nan])
def test_a_huber_loss_has_a_bend(delta):
    run = gap_run("huber")
    assert refused(DualityGap(), replace(run, problem=replace(run.problem, delta=delta)))


def test_an_unknown_loss_is_no_hypothesis():
    run = gap_run("log_loss, elastic net")
    assert refused(DualityGap(), replace(run, problem=replace(run.problem, loss="hinge")))


@pytest.mark.parametrize("field", ["intercept", "best_intercept"])
def test_there_is_no_intercept_where_the_problem_has_none(field):
    run = gap_run("squared_error, l1 alone, no intercept")
    value = 0.3 if field == "best_intercept" else run.intercept + 0.3
    assert refused(DualityGap(), replace(run, **{field: value}))


@pytest.mark.parametrize("field", ["coef", "best_flow", "best_coef"])
def test_what_is_not_finite_is_no_point(field):
    run = gap_run("log_loss, elastic net")
    spoilt = np.array(getattr(run, field))
    spoilt.flat[0] = np.nan
    assert refused(DualityGap(), replace(run, **{field: spoilt}))


def test_softmax_points_have_no_intercepts_where_the_problem_has_none():
    run = next(example.make() for example in SoftmaxGap().examples() if "no intercepts" in example.name)
    assert theory.verify(SoftmaxGap(), run).kind == "VERIFIED"
    assert refused(SoftmaxGap(), replace(run, best_intercept=run.best_intercept + 0.1))
    assert refused(SoftmaxGap(), replace(run, best_coef=run.best_coef * np.nan))


@pytest.fixture(scope="module")
def outer() -> OuterRun:
    return walked(tiny("squares"), 1.0, sharp=False, length=2, stages=3)


@pytest.mark.parametrize("claim", [{"stages": 30}, {"stages": 10**6}, {"restarts": 2}, {"length": 3}, {"stages": 0}])
def test_the_claimed_numbers_of_steps_are_those_that_were_drawn(outer, claim):
    assert theory.verify(DASVRDAConvex(), outer).ok
    assert refused(DASVRDAConvex(), replace(outer, **claim))


def test_two_loops_are_not_one():
    run = walked(tiny("squares"), 1.0, sharp=False, length=2, stages=2, restarts=2)
    assert refused(DASVRDAConvex(), replace(run, restarts=1))
    assert refused(DASVRDAConvex(), replace(run, restarts=1, stages=4))


def test_false_numbers_of_restarts_do_not_refute():
    run = walked(tiny("squares+ridge"), 1.0, sharp=True, length=2, stages=3, restarts=2)
    assert theory.verify(SharpDASVRDAGrowth(), run).ok
    assert refused(SharpDASVRDAGrowth(), replace(run, restarts=20, stages=30))


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_cut_snapshots_are_refused(outer, kept):
    assert refused(DASVRDAConvex(), replace(outer, snapshots=outer.snapshots[:kept]))
