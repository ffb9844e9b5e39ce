"""A gap is never below what is left, whatever the data: without a penalty, at extreme scales, near an objective of 0."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import LOSSES, REGRESSION

from convex import DASVRDAClassifier, DASVRDARegressor
from convex.engine import minimise
from convex.engine.gap import certified_gap, fenchel_gap, loss_part
from convex.engine.minimise import make_task
from convex.engine.progress import Progress
from convex.engine.snapshot import snapshot
from convex.engine.softmax import make_task as make_softmax
from convex.engine.softmax_gap import softmax_gap
from convex.engine.unpenalised import Normal, flattened, flattened_passes, hidden, movable


def noisy(loss: str, n: int = 60, d: int = 3, seed: int = 0):
    """Columns of size 1 and targets that no plane fits or separates."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    t = X @ rng.standard_normal(d) + 2.0 * rng.standard_normal(n)
    return X, t if loss in REGRESSION else np.sign(t)


def free(X, y, loss="squared_error", intercept=False, **more):
    return minimise(X, y, loss=loss, l1=0.0, l2=0.0, fit_intercept=intercept, **more)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("tiny", [2.0**-20, 2.0**-36, 2.0**-45])
def test_almost_equal_columns_are_not_taken_for_equal_ones(tiny, form):
    """w = (-1, 1) / tiny fits exactly: the minimum is 0, however small the difference of the columns is."""
    a, b = np.array([1.0, 2, -3, 0, 1]), np.array([1.0, 0, 2, -1, 0])
    solution = free(form(np.c_[a, a + tiny * b]), b)
    assert solution.gap >= solution.objective * (1 - 1e-12)
    assert solution.converged == (solution.objective <= 1e-6)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_without_a_penalty_the_scale_of_a_column_changes_neither_the_minimum_nor_what_is_proved(loss, intercept):
    X, y = noisy(loss)
    plain = free(X, y, loss, intercept)
    assert plain.converged and plain.gap < plain.objective  # proved, not read off the objective
    for scales in ([1e-6, 1.0, 1e6], [1e-8, 1e-8, 1.0], [1e5, 1e-7, 1e3]):
        scaled = free(X * scales, y, loss, intercept)
        assert scaled.objective - plain.objective <= scaled.gap + 1e-12
        assert scaled.converged


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_bound_without_a_penalty_covers_the_distance_from_any_point(loss, intercept):
    X, y = noisy(loss, 200)
    task = make_task(X, y, loss, 0.0, 0.0, None, intercept, 1.35)
    best = free(X, y, loss, intercept, tol=1e-13)
    near = np.append(best.coef, best.intercept / task.scale if intercept else 0.0)
    rng, proved = np.random.default_rng(1), 0
    for size in (1e-8, 1e-5, 1e-3, 1e-2, 0.1):
        at = snapshot(task, near + size * rng.standard_normal(4) * np.append(np.ones(3), intercept), True)
        flat = flattened(task, at)
        if flat is not None:
            proved += 1
            assert flat.excess >= at.objective - best.objective - 1e-14
            assert certified_gap(task, flat)[0] <= at.objective
    assert proved >= 2


def test_a_direction_that_rounding_hides_has_no_certificate_and_an_empty_column_does_no_harm():
    X, y = noisy("squared_error")
    at = np.full(60, 1.0 / 60)

    def system(matrix, intercept=False):
        return Normal.of(make_task(matrix, y, "squared_error", 0.0, 0.0, None, intercept, 1.35), at)

    assert system(X) is not None and system(np.c_[X, np.zeros(60)]) is not None
    for copy in (X[:, 0], -4.0 * X[:, 1], 2.0**-900 * X[:, 1] * 2.0**600):
        assert system(np.c_[X, copy]).at.size == system(np.c_[copy, X, copy]).at.size == 3
    assert system(np.c_[X, np.full(60, 0.7)], intercept=True).at.size == 4
    other = X[:, 0].copy()
    other[7] = np.nextafter(other[7], 9.0)
    for close in (other, 3.0 * X[:, 0], X[:, 0] + X[:, 1], X[:, 0] + 2.0**-40 * X[:, 1]):
        assert system(np.c_[X, close]) is None  # equal, or different by less than can be seen: who knows
    assert system(np.c_[X, np.append(np.full(59, 0.7), 0.7 + 1e-16)], intercept=True) is None
    assert system(np.c_[X, np.full(60, 1e-170)]) is None  # its square vanishes, its weight would not
    assert system(sp.csr_array(np.c_[X, np.full(60, 1e-170)])) is None
    least = system(X).least
    lengths = np.linalg.norm(X, axis=0)
    exact = np.linalg.eigvalsh((X / lengths).T @ (X / lengths)).min()
    assert exact - 1e-11 <= least < exact


def exact_distance_squared(X, D, s):
    """gᵀ B⁻¹ g for two columns of integers, g = Xᵀ s, B = Xᵀ diag(D) X, in rational arithmetic."""
    rows = [[Fraction(int(v)) for v in row] for row in X]
    D, s = ([Fraction(float(v)) for v in values] for values in (D, s))
    g = [sum(row[j] * v for row, v in zip(rows, s, strict=True)) for j in range(2)]
    B = [[sum(row[j] * row[k] * v for row, v in zip(rows, D, strict=True)) for k in range(2)] for j in range(2)]
    determinant = B[0][0] * B[1][1] - B[0][1] ** 2
    return (g[0] ** 2 * B[1][1] - 2 * g[0] * g[1] * B[0][1] + g[1] ** 2 * B[0][0]) / determinant


@pytest.mark.parametrize("loss", LOSSES)
def test_an_exactly_orthogonal_dual_point_is_as_near_as_is_said(loss):
    X, y = np.round(4 * noisy(loss, 12, 2)[0]), noisy(loss, 12, 2)[1]
    task = make_task(X, y, loss, 0.0, 0.0, None, False, 1.35)
    at = snapshot(task, np.append(free(X, y, loss).coef, 0.0), False)
    D, room = movable(task, at)
    assert np.all(room >= 0.0) and np.count_nonzero(D) >= 2
    system = Normal.of(task, D)
    residual = np.abs(task.rows.scatter(at.s, 0.0)) + hidden(task, at.s)
    delta = Fraction(system.distance(residual))
    assert exact_distance_squared(X, D, at.s) <= delta**2
    assert exact_distance_squared(X, D, at.s + 1e-6 * X[:, 0]) > delta**2  # another point is not that near
    assert exact_distance_squared(X, 1e-20 * D, at.s + 1e-13 * X[:, 0]) > delta**2  # nor with less room to move


@pytest.mark.parametrize("loss", LOSSES)
def test_within_its_room_a_move_costs_no_more_than_the_lemma_says_and_beyond_it_does(loss):
    X, y = noisy(loss, 200)
    task = make_task(X, y, loss, 0.0, 0.0, None, False, 1.35)
    at = snapshot(task, np.append(0.3 * np.ones(3), 0.0), False)
    D, room = movable(task, at)
    rng, at_all = np.random.default_rng(0), D > 0.0
    room = np.where(np.isinf(room), 10.0 * task.p, room)
    for share in (1e-6, 0.1, 1.0):
        first, second = (rng.uniform(-0.5, 0.5, (2, 200)) * at_all) * room * share
        G, after = (loss_part(task, replace(at, s=at.s + e), 1.0) for e in (first, first + second))
        delta = math.sqrt(float(np.sum(second[at_all] ** 2 / D[at_all])))
        assert math.isfinite(after)
        assert after <= (math.sqrt(G) + delta) ** 2 * (1 + 1e-9) + 1e-15
    if loss != "squared_error":
        factor = 100.0 if loss == "log_loss" else 3.01
        far = replace(at, s=at.s + factor * room * at_all)
        back = replace(at, s=at.s - factor * room * at_all)
        lengths = math.sqrt(float(np.sum((factor * room[at_all]) ** 2 / D[at_all])))
        assert max(loss_part(task, far, 1.0), loss_part(task, back, 1.0)) > lengths**2


@pytest.mark.parametrize("loss", LOSSES)
def test_a_residual_that_could_lead_out_of_the_room_proves_nothing(loss, monkeypatch):
    X, y = noisy(loss, 200)
    task = make_task(X, y, loss, 0.0, 0.0, None, False, 1.35)
    at = snapshot(task, np.append(free(X, y, loss, tol=1e-12).coef, 0.0), False)
    D, room = movable(task, at)
    delta = float((room[D > 0.0] / np.sqrt(D[D > 0.0])).min())
    for share, proved in ((1e-3, True), (2.0, loss == "squared_error")):
        size = share * min(delta, 1.0)
        monkeypatch.setattr("convex.engine.unpenalised.hidden", lambda task, s, size=size: np.full(4, size))
        monkeypatch.setattr(Normal, "distance", lambda system, residual: float(residual[0]))
        assert (flattened(task, at) is not None) == proved


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 1e-3), (1e-3, 0.0), (5e-4, 5e-4), (0.0, 0.0)])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_dual_point_zero_bounds_the_gap_by_the_objective(loss, l1, l2):
    X, y = noisy(loss)
    for factor in (1.0, 1e8, 1e60):
        task = make_task(X * factor, y, loss, l1, l2, None, True, 1.35)
        at = snapshot(task, 1e-3 * np.ones(4) / factor, True)
        gap, tau = certified_gap(task, at)
        assert gap <= at.objective and 0.0 <= tau <= 1.0
    if l1 == 0.0:
        assert fenchel_gap(task, at, math.inf)[0] > at.objective  # without it


def test_zero_is_a_dual_point_of_value_zero_for_every_loss():
    from convex.engine.losses import CODES, conjugate

    for code in CODES.values():
        for y in (-1.0, 1.0):
            assert conjugate(code, 0.0, y, 1.35) == 0.0


def test_a_solved_problem_at_a_huge_scale_is_said_to_be_solved():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    y = np.where(X[:, 0] > 0, 1, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = DASVRDAClassifier(alpha=1e-3, random_state=0).fit(X * 1e60, y)
    assert model.dual_gap_ <= model.objective_ <= 1e-6 and model.n_iter_ < 100


def test_beside_a_tiny_ridge_a_shorter_dual_point_is_tried():
    X, y = noisy("log_loss")
    task = make_task(X, y, "log_loss", 0.0, 1e-6, None, True, 1.35)
    at = snapshot(task, np.zeros(4), True)
    gap, tau = certified_gap(task, at)
    assert 0.0 < tau < 1.0 and gap < at.objective < fenchel_gap(task, at, math.inf)[0]
    assert gap >= at.objective - minimise(X, y, l2=1e-6, tol=1e-10).objective


def test_a_small_softmax_objective_is_exact_and_so_is_its_gradient():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = (X @ rng.standard_normal((4, 3))).argmax(axis=1)
    model = DASVRDAClassifier(loss="multinomial", alpha=0.0, tol=1e-11, random_state=0).fit(X, y)
    Z = X.astype(np.longdouble) @ model.coef_.T + model.intercept_
    own = Z[np.arange(60), y]
    others = np.where(np.arange(3) == y[:, None], 0.0, np.exp(Z - own[:, None])).sum(axis=1)
    exact = float(np.log1p(others).mean())
    assert model.objective_ <= 1e-11
    assert model.objective_ == pytest.approx(exact, rel=1e-11, abs=0.0)
    task = make_softmax(X, y, 0.0, 0.0, None, True)
    snap = task.snapshot(np.vstack([model.coef_.T, model.intercept_ / task.rows.scale]))
    pull = np.exp(Z - own[:, None]) / (1 + others)[:, None]
    pull[np.arange(60), y] = -others / (1 + others)
    np.testing.assert_allclose(snap.gradient[:4], (X.T @ pull / 60).astype(float), rtol=1e-9)


def test_without_a_penalty_a_softmax_gradient_that_rounds_to_zero_proves_nothing():
    """The features cancel in float64, 1e17 + 1 - 1e17 = 0, and not in truth."""
    X = np.array([[1e17], [1.0], [-1e17], [1e17], [1.0], [-1e17], [0.0]])
    task = make_softmax(sp.csr_matrix(X), np.array([0, 0, 0, 1, 1, 1, 2]), 0.0, 0.0, None, False)
    snap = task.snapshot(np.zeros((1, 3)))
    assert not snap.gradient.any()
    assert softmax_gap(task, snap) == snap.objective > 1.0


def test_the_certificate_without_a_penalty_is_paid_from_the_limit():
    progress = Progress(0.0, 100, None)
    progress.put_aside(30.0)
    assert progress.certificate and progress.left == 70.0
    progress.put_aside(40.0)
    assert not progress.certificate and progress.left == 70.0
    X, y = noisy("log_loss")
    task = make_task(X, y, "log_loss", 0.0, 0.0, None, True, 1.35)
    for most in (5, 20, 60):
        solution = free(X, y, "log_loss", True, tol=0.0, max_passes=most)
        assert solution.passes <= most + 4.0
        assert (solution.gap < 0.9 * solution.objective) == (flattened_passes(task) < 0.5 * most)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_targets_and_features_at_the_limit_of_what_is_accepted_give_no_warnings(loss):
    X, y = noisy(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        for matrix in (X, sp.csr_matrix(X)):
            for a, b in ((2e99, 1.0), (1.0, 1e99), (2e99, 1e99), (1e-100, 1e99), (1e-300, 1.0)):
                model = DASVRDARegressor(loss=loss, max_iter=30, random_state=0).fit(matrix * a, y * b)
                assert model.dual_gap_ <= model.objective_ < math.inf
