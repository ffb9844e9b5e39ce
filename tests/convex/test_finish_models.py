"""The parts of the finish: Hessians, quadratic models, steps along a line, proximal maps of one loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import EPSILON, LOSSES, data

from convex.engine import columns, descent
from convex.engine.columns import ColumnModel, Columns, take_columns
from convex.engine.descent import Damping, Line, along, promise, slopes
from convex.engine.dual_ascent import prox
from convex.engine.hessian import curvatures, gram, secants
from convex.engine.losses import CODES, slope, value
from convex.engine.minimise import make_task
from convex.engine.numpy_losses import values
from convex.engine.quadratic import GramModel, minimise_model
from convex.engine.rows import Rows
from convex.engine.snapshot import snapshot
from convex.engine.task import Snapshot, Task

FORMS = {"dense": np.asarray, "csr": sp.csr_array}
ROUNDING = 1e-12  # of sums of 60 products of numbers of size 10


def at_point(
    loss: str, form: str = "dense", l1: float = 0.02, l2: float = 0.1, compiled: bool = True
) -> tuple[Task, Snapshot]:
    """A task with an intercept, and a snapshot at a point with zeros in it."""
    X, y, weights = data(loss)
    task = make_task(FORMS[form](X), y, loss, l1, l2, weights, True, EPSILON, compiled)
    w = np.random.default_rng(1).standard_normal(X.shape[1] + 1)
    w[[0, 4]] = 0.0
    return task, snapshot(task, w, exact_intercept=False)


def conditions(Q: np.ndarray, g: np.ndarray, w: np.ndarray, x: np.ndarray, l1: float) -> float:
    """How far x is from minimising g·(x - w) + (x - w)'Q(x - w)/2 + l1 |x| without the last coordinate."""
    r = g + Q @ (x - w)
    head = np.where(x != 0, np.abs(r + l1 * np.sign(x)), np.maximum(np.abs(r) - l1, 0.0))
    head[-1] = abs(r[-1])
    return float(head.max())


def pseudo_gradient(task: Task, snap: Snapshot) -> np.ndarray:
    """The element of ∂P of smallest size."""
    g, w = slopes(task, snap).g, snap.w.copy()
    w[-1] = 0.0
    at_zero = np.sign(g) * np.maximum(np.abs(g) - task.l1, 0.0)
    at_zero[-1] = g[-1]
    return np.where(w == 0.0, at_zero, g + task.l1 * np.sign(w))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gram_matrix_is_that_of_the_rows_and_a_column_of_the_scale(loss, form, compiled):
    task, snap = at_point(loss, form, compiled=compiled)
    X, D = np.column_stack([data(loss)[0], np.full(60, task.scale)]), curvatures(task, snap)
    expected = X.T @ (D[:, None] * X)
    np.testing.assert_allclose(gram(task, D), expected, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(gram(replace(task, scale=0.0), D), expected[:-1, :-1], rtol=ROUNDING, atol=ROUNDING)
    chosen = np.array([0, 2, 6])
    part = expected[np.ix_([0, 2, 6, 7], [0, 2, 6, 7])]
    np.testing.assert_allclose(gram(task, D, chosen), part, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gram_matrix_is_the_derivative_of_the_gradient(loss):
    task, snap = at_point(loss)
    direction = np.random.default_rng(5).standard_normal(snap.w.size)
    h = 1e-6  # of a central difference: its error is h² where no kink is within h, and rounding / h
    ends = [snapshot(task, snap.w + t * direction, exact_intercept=False).gradient for t in (h, -h)]
    np.testing.assert_allclose(
        (ends[0] - ends[1]) / (2 * h), gram(task, curvatures(task, snap)) @ direction, rtol=0, atol=2e-7
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_a_secant_is_a_parabola_above_the_loss_that_touches_it(loss):
    _, y, _ = data(loss)
    code, around = CODES[loss], np.linspace(-30.0, 30.0, 121)
    task, snap = at_point(loss)
    bend = secants(task, snap) / task.p
    for i in range(0, 60, 7):
        here, there = (
            values(code, np.asarray(t), np.full(np.shape(t), y[i]), EPSILON) for t in (snap.z[i], snap.z[i] + around)
        )
        parabola = here + snap.s[i] / task.p[i] * around + 0.5 * bend[i] * around**2
        if curvatures(task, snap)[i] == 0.0 and snap.s[i] != 0.0:
            assert np.all(parabola >= there - 1e-10 * np.abs(there))
    assert np.all(bend >= curvatures(task, snap) / task.p)


def test_where_the_loss_is_linear_a_curvature_is_not_a_parabola_above_it():
    """The negative control of the law on secants."""
    y = np.array([0.0])
    z = np.array([10.0])
    assert values(CODES["huber"], z, y, 1.0) + (0.0 - 10.0) * 1.0 < values(CODES["huber"], y, y, 1.0)


@pytest.mark.parametrize("h", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_proximal_map_solves_its_equation(loss, h):
    """z + h φ'(z) = t - h θ and θ_new = -φ'(z); for the logistic loss one call takes at least nine tenths of the way."""
    code, rng = CODES[loss], np.random.default_rng(2)
    for _ in range(50):
        y = float(rng.choice([-1.0, 1.0])) if loss not in ("squared_error", "huber") else float(rng.normal())
        z = float(4 * rng.normal())
        theta = -slope(code, z, y, EPSILON)
        t = z + float(3 * rng.normal())
        new, after, _ = prox(code, z, theta, t, y, h, EPSILON)
        assert after == pytest.approx(-slope(code, new, y, EPSILON), rel=1e-12, abs=1e-14)
        left = abs(new + h * slope(code, new, y, EPSILON) - (t - h * theta))
        allowed = 0.1 * abs(t - z) if loss == "log_loss" else 1e-12 * (1.0 + abs(t) + 10 * h)
        assert left <= allowed + 1e-12 * (1.0 + h)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_proximal_map_does_not_raise_what_it_minimises(loss):
    code, rng, h = CODES[loss], np.random.default_rng(6), 5.0
    for _ in range(50):
        y, z = float(rng.choice([-1.0, 1.0])), float(3 * rng.normal())
        theta = -slope(code, z, y, EPSILON)
        c = float(3 * rng.normal()) - h * theta
        new, _, _ = prox(code, z, theta, c + h * theta, y, h, EPSILON)
        before, after = (h * value(code, x, y, EPSILON) + 0.5 * (x - c) ** 2 for x in (z, new))
        assert after <= before * (1 + 1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_two_models_are_one(loss, form):
    """The Gram matrix and the columns describe the same model: either minimiser satisfies the conditions of the dense one."""
    task, snap = at_point(loss, form)
    D, g, l1 = curvatures(task, snap), slopes(task, snap).g, task.l1
    B = gram(task, D)
    Q = B + np.diag(np.append(np.full(7, task.l2), 0.0))
    models = GramModel(B, g, task.l2, 7), ColumnModel(Columns(task.rows), D, g, task.l2, task.scale)
    answers = [minimise_model(model, snap.w, l1, 1e-11) for model in models]
    for x in answers:
        assert conditions(Q, g, snap.w, x, l1) <= 1e-10
        assert conditions(Q, g, snap.w, x, 2 * l1) > 1e-3  # the conditions of another penalty are not satisfied
    np.testing.assert_allclose(answers[0], answers[1], rtol=0, atol=1e-8)


@pytest.mark.parametrize("l1", [0.0, 0.01, 1000.0])
def test_a_model_with_a_singular_matrix_is_minimised(l1):
    """Repeated columns, columns of zeros, fewer rows than columns; l1 = 1000 makes 0 the answer."""
    rng = np.random.default_rng(4)
    A = rng.standard_normal((3, 8))
    A[:, 1], A[:, 2], A[:, 5] = A[:, 0], -2 * A[:, 0], 0.0
    g = A.T @ rng.standard_normal(3)  # in the range of the matrix: without a penalty there is a minimum
    w = rng.standard_normal(8)
    model = GramModel(A.T @ A, g, 0.0, 8)
    x = minimise_model(model, w, l1, 1e-9)
    r = g + A.T @ A @ (x - w)
    left = np.where(x != 0, np.abs(r + l1 * np.sign(x)), np.maximum(np.abs(r) - l1, 0.0))
    assert left.max() <= 1e-8
    assert (l1 == 1000.0) == (not x.any())
    if l1:
        assert x[5] == 0.0


def test_signs_that_change_are_followed_to_the_minimum():
    """Strongly correlated columns and a start with every sign wrong: linear solves meet many kinks."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        A = rng.standard_normal((40, 12)) + 3.0 * rng.standard_normal((40, 1))
        g = rng.standard_normal(12)
        w = 5.0 * rng.standard_normal(12)
        B = A.T @ A / 40
        x = minimise_model(GramModel(B, g, 1e-3, 11), w, 0.1, 1e-10)
        assert conditions(B + np.diag(np.append(np.full(11, 1e-3), 0.0)), g, w, x, 0.1) <= 1e-9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_chosen_columns_are_those_of_the_matrix(form, dtype):
    X = data("log_loss")[0].astype(dtype)
    X[np.abs(X) < 0.5] = 0.0
    chosen = np.array([1, 2, 3, 6])
    for compiled in (True, False):
        part = take_columns(Rows.of(FORMS[form](X), compiled), chosen)
        w = np.array([1.0, -2.0, 3.0, 0.5, 0.0])
        np.testing.assert_allclose(part.scores(w, 0.0), X[:, chosen].astype(float) @ w[:-1], rtol=1e-14)
        by_columns = Columns(part)
        np.testing.assert_allclose(by_columns.scores(w[:-1]), X[:, chosen].astype(float) @ w[:-1], rtol=1e-14)
        np.testing.assert_allclose(by_columns.transpose(np.ones(60)), X[:, chosen].sum(axis=0, dtype=float), rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_uphill_is_refused(loss):
    task, snap = at_point(loss)
    at, uphill = slopes(task, snap), pseudo_gradient(task, snap)
    assert promise(at.g, snap.w, 1e-3 * uphill, task.l1) > 0.0
    assert along(task, snap, at, uphill).after is None
    down = along(task, snap, at, -1e-3 * uphill)
    assert down.after is not None and down.t == 1.0 and down.after.objective < snap.objective
    assert down.gain == pytest.approx(-0.5 * promise(at.g, snap.w, -1e-3 * uphill, task.l1))


@pytest.mark.parametrize("penalty", [(0.0, 0.1), (0.02, 0.1), (0.02, 0.0)])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_far_too_long_ends_near_the_minimum_along_it(loss, penalty):
    task, snap = at_point(loss, l1=penalty[0], l2=penalty[1])
    step = -1e6 * pseudo_gradient(task, snap)
    end = along(task, snap, slopes(task, snap), step)
    assert end.after is not None and 0.0 < end.t < 1e-3
    line = Line(task, snap, step)
    grid = min(line.value(t) for t in np.geomspace(end.t / 30, 30 * end.t, 400))
    assert snap.objective - end.after.objective >= 0.9 * (snap.objective - grid)


def test_the_scores_of_a_whole_step_are_those_of_its_end():
    """Not of a sum of steps: a certificate would inherit its rounding."""
    task, snap = at_point("log_loss")
    after = along(task, snap, slopes(task, snap), -1e-3 * pseudo_gradient(task, snap)).after
    assert after is not None
    np.testing.assert_array_equal(after.z, task.rows.scores(after.w, task.scale))


def test_the_violation_is_the_smallest_element_of_the_subdifferential():
    task, snap = at_point("log_loss")
    g, w = slopes(task, snap).g[:-1], snap.w[:-1]
    signs = np.linspace(-1, 1, 2001)
    smallest = [np.abs(g[j] + task.l1 * (np.sign(w[j]) if w[j] else signs)).min() for j in range(7)]
    expected = max(*smallest, abs(snap.gradient[-1]))
    assert slopes(task, snap).wrong == pytest.approx(expected, abs=task.l1 * 1e-3)


def test_damping_comes_with_short_steps_and_goes_with_whole_ones():
    damping = Damping()
    assert damping.learn(1.0) and damping.share == 0.0
    assert damping.learn(0.1) and damping.share == descent.DAMPING
    assert damping.learn(0.0) and damping.share == 10 * descent.DAMPING
    assert damping.learn(0.5) and damping.share == 10 * descent.DAMPING
    for _ in range(20):
        damping.learn(1.0)
    assert damping.share == 0.0
    while damping.learn(0.0):
        assert damping.share <= descent.LARGEST
    assert damping.share > descent.LARGEST


def test_sweeps_stop_at_their_number():
    task, snap = at_point("log_loss")
    D, g = curvatures(task, snap), slopes(task, snap).g
    by_columns = ColumnModel(Columns(task.rows), D, g, task.l2, task.scale)
    for model in (GramModel(gram(task, D), g, task.l2, 7), by_columns):
        assert model.sweep(snap.w.copy(), 0.0, 0.0, 3) == np.inf
    assert by_columns.readings == 3.5
    assert columns.ColumnModel.sweeps < GramModel.sweeps
