"""Softmax regression: the certificate bounds the distance to the optimum, whatever the data are stored in."""

import cvxpy as cp
import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from convex.engine import Options, minimise, softmax_newton, softmax_stage
from convex.engine.compiled import HAS_NUMBA
from convex.engine.softmax import make_task
from convex.engine.softmax_descent import pseudo_gradient
from convex.engine.softmax_gap import divergence, mixture, penalty_terms, softmax_gap
from convex.engine.softmax_model import hessian, written_down
from convex.engine.softmax_newton import SoftmaxNewton, conjugate_gradients, diagonal, hessian_product
from convex.engine.softmax_rows import SoftmaxRows
from convex.engine.softmax_stage import SoftmaxStages
from convex.engine.softmax_task import probabilities

PENALTIES = [(0.0, 1e-2), (5e-3, 5e-3), (2e-2, 0.0)]


def data(n=40, d=5, K=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * rng.lognormal(0, 0.5, d)
    y = np.concatenate([np.arange(K), rng.choice(K, n - K, p=np.arange(1, K + 1) / (K * (K + 1) / 2))])
    return X, y.astype(float), rng.integers(1, 5, n).astype(float)


def objective(X, y, weights, coef, intercept, l1, l2):
    Z = X @ coef.T + intercept
    losses = logsumexp(Z, axis=1) - Z[np.arange(len(y)), y.astype(int)]
    return float(weights @ losses / weights.sum() + l1 * np.abs(coef).sum() + 0.5 * l2 * (coef**2).sum())


def optimum(X, y, weights, l1, l2, intercept):
    """The smallest objective, by an interior-point method."""
    K, one_hot = int(y.max()) + 1, np.eye(int(y.max()) + 1)[y.astype(int)]
    W, b = cp.Variable((X.shape[1], K)), cp.Variable((1, K))
    Z = X @ W + (np.ones((len(y), 1)) @ b if intercept else 0.0)
    loss = (weights / weights.sum()) @ (cp.log_sum_exp(Z, axis=1) - cp.sum(cp.multiply(one_hot, Z), axis=1))
    problem = cp.Problem(cp.Minimize(loss + l1 * cp.sum(cp.abs(W)) + 0.5 * l2 * cp.sum_squares(W)))
    return problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
def test_every_reported_gap_bounds_the_distance_to_the_optimum_and_the_last_one_is_reached(l1, l2, intercept):
    X, y, weights = data()
    best = optimum(X, y, weights, l1, l2, intercept)
    slack = 1e-9  # what the interior-point method may be off
    for options in (Options(), Options(finish=False), Options.published(batch=4)):
        found = minimise(
            X, y, "multinomial", l1, l2, weights, intercept, tol=1e-7, max_passes=3000, options=options, seed=1
        )
        assert all(record.objective - best <= record.gap + slack for record in found.history)
        assert found.converged and found.gap <= 1e-7 and found.objective - best <= found.gap + slack
        assert abs(objective(X, y, weights, found.coef, found.intercept, l1, l2) - found.objective) < 1e-13
        assert intercept or not found.intercept.any()


def test_the_objective_is_that_of_logistic_regression():
    X, y, weights = data(seed=3)
    peer = LogisticRegression(C=1 / (1e-2 * weights.sum()), tol=1e-10, max_iter=1000, solver="newton-cholesky")
    peer.fit(X, y, sample_weight=weights)
    found = minimise(X, y, "multinomial", 0.0, 1e-2, weights, tol=1e-12)
    assert abs(objective(X, y, weights, peer.coef_, peer.intercept_, 0.0, 1e-2) - found.objective) < 1e-12
    np.testing.assert_allclose(found.coef, peer.coef_, atol=1e-8)
    np.testing.assert_allclose(found.intercept, peer.intercept_ - peer.intercept_.mean(), atol=1e-8)


@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 10.0])
def test_the_terms_of_the_gap_are_primal_minus_dual_of_a_feasible_point(l1, l2, scale):
    X, y, weights = data()
    task = make_task(X, y, l1, l2, weights, True)
    p, codes = weights / weights.sum(), y.astype(int)
    snap = task.snapshot(scale * np.random.default_rng(0).standard_normal((6, 3)))
    keep, constant = mixture(task, snap.pi)
    full, label = keep * snap.pi + constant, np.eye(3)[codes]
    bound = np.abs(X.T @ (p[:, None] * (label - full))).max()
    for tau in (1.0, 0.3) if l2 else (min(1.0, l1 / bound),):
        q = tau * full + (1 - tau) * label
        assert (q >= 0).all()
        np.testing.assert_allclose(q.sum(axis=1), 1.0, rtol=1e-14)
        np.testing.assert_allclose(p @ q, p @ label, rtol=1e-13)  # the condition that an intercept puts on the dual
        V = X.T @ (p[:, None] * (label - q))
        conjugate = (np.maximum(np.abs(V) - l1, 0) ** 2).sum() / (2 * l2) if l2 else 0.0
        dual = -p @ np.where(q > 0, q * np.log(np.where(q > 0, q, 1)), 0).sum(axis=1) - conjugate
        terms = divergence(task, snap, q) + penalty_terms(task, snap.U[:5], V)
        assert abs(terms - (snap.objective - dual)) < 1e-12 * max(1.0, abs(dual), snap.objective)
        assert softmax_gap(task, snap) <= terms * (1 + 1e-12)
    assert softmax_gap(task, snap) <= snap.objective  # the dual point 0


def test_without_the_mixture_the_same_formula_is_no_bound():
    X, y, weights = data()
    task, best = make_task(X, y, 0.0, 10.0, weights, True), optimum(X, y, weights, 0.0, 10.0, True)
    snap = task.snapshot(np.zeros((6, 3)))  # hardly anything but the intercepts is wrong there
    unmixed = divergence(task, snap, snap.pi) + penalty_terms(task, snap.U[:5], -snap.gradient[:5])
    assert unmixed < snap.objective - best <= softmax_gap(task, snap)


def test_a_probability_that_underflows_leaves_the_gap_finite_and_a_bound():
    X, y, weights = data()
    task = make_task(X, y, 0.0, 1e-2, weights, True)
    U = np.zeros((6, 3))
    U[5, 0] = -1e4
    snap = task.snapshot(U)
    gap = softmax_gap(task, snap)
    assert np.isfinite(gap) and gap >= snap.objective - optimum(X, y, weights, 0.0, 1e-2, True)


def test_best_intercepts_give_the_frequencies_of_the_classes_from_anywhere():
    X, y, weights = data()
    task = make_task(X, y, 0.0, 1e-2, weights, True)
    rng = np.random.default_rng(0)
    for scale in (0.0, 1.0, 30.0):
        U = scale * rng.standard_normal((6, 3))
        snap = task.snapshot(U, 1e-12)
        np.testing.assert_allclose(task.p @ snap.pi, task.frequency, rtol=1e-11)
        assert snap.objective <= task.snapshot(U).objective + 1e-15
        np.testing.assert_array_equal(snap.U[:5], U[:5])


def test_iterative_scaling_never_raises_the_loss():
    X, y, weights = data()
    task = make_task(X, y, 0.0, 1e-2, weights, True)
    Z = task.rows.scores(5.0 * np.random.default_rng(1).standard_normal((6, 3)))

    def value(scores):
        log_total, pi = probabilities(scores)
        return task.value(scores, log_total, task.slopes(pi)[1])

    for _ in range(20):
        pi = probabilities(Z)[1]
        after = Z + np.log(task.frequency) - np.log(task.p @ pi)
        assert value(after) <= value(Z) + 1e-15
        Z = after


@pytest.mark.parametrize("kind", ["float32", "csr", "csr float32", "csr without numba", "read-only"])
def test_every_layout_computes_the_same_products(kind):
    X, y, weights = data()
    X[X < 0.3] = 0.0
    X = X.astype(np.float32).astype(np.float64)
    stored = sparse.csr_matrix(X) if "csr" in kind else X.copy()
    stored = stored.astype(np.float32) if "float32" in kind else stored
    if kind == "read-only":
        stored.setflags(write=False)
    p = weights / weights.sum()
    plain = SoftmaxRows.of(X).with_intercept(p)
    rows = (SoftmaxRows.of(stored, compiled=False) if "without" in kind else SoftmaxRows.of(stored)).with_intercept(p)
    rng = np.random.default_rng(0)
    U, S, drawn = rng.standard_normal((6, 3)), rng.standard_normal((40, 3)), rng.integers(40, size=7)
    close = {"rtol": 1e-12, "atol": 1e-13}  # sums of at most 40 terms of size about 1
    np.testing.assert_allclose(rows.scores(U), np.hstack([X, np.full((40, 1), plain.scale)]) @ U, **close)
    np.testing.assert_allclose(rows.scores(U, drawn), plain.scores(U)[drawn], **close)
    np.testing.assert_allclose(rows.scatter(S), plain.scatter(S), **close)
    np.testing.assert_allclose(rows.scatter(S[:7], drawn), plain.scatter(S[:7], drawn), **close)
    np.testing.assert_allclose(rows.scatter_squares(S), plain.scatter_squares(S), **close)
    np.testing.assert_allclose(rows.squared_norms(), (X**2).sum(axis=1), **close)


def test_the_hessian_is_the_derivative_of_the_gradient():
    X, y, weights = data()
    task = make_task(X, y, 0.0, 1e-2, weights, True)
    rng = np.random.default_rng(0)
    U, V, h = rng.standard_normal((6, 3)), rng.standard_normal((6, 3)), 1e-5
    snap = task.snapshot(U)
    slope = [pseudo_gradient(task, task.snapshot(U + s * h * V)) for s in (1, -1)]
    image = hessian_product(task, snap, V)
    np.testing.assert_allclose(image, (slope[0] - slope[1]) / (2 * h), atol=1e-8)  # h² and eps / h
    units = np.eye(18).reshape(18, 6, 3)
    np.testing.assert_allclose(
        diagonal(task, snap).ravel(), [np.vdot(e, hessian_product(task, snap, e)) for e in units], rtol=1e-12
    )


@pytest.mark.parametrize("by_products", [True, False], ids=["conjugate gradients", "matrix"])
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
def test_a_newton_step_lowers_the_objective_and_without_the_matrix_flips_no_sign(l1, l2, by_products, monkeypatch):
    X, y, weights = data()
    task = make_task(X, y, l1, l2, weights, True)
    assert written_down(task)
    if by_products:
        monkeypatch.setattr(softmax_newton, "written_down", lambda task: False)
    snap = task.snapshot(np.random.default_rng(2).standard_normal((6, 3)))
    newton = SoftmaxNewton(task)
    for _ in range(4):
        after, passes = newton.step(snap)
        assert after is not None and after.objective < snap.objective and passes > 0
        if l1 and by_products:
            assert (after.U[:5] * snap.U[:5] >= 0).all()
        snap = after


@pytest.mark.parametrize("layout", [np.ascontiguousarray, sparse.csr_matrix], ids=["dense", "csr"])
def test_the_written_matrix_is_the_product(layout):
    X, y, weights = data()
    task = make_task(layout(X), y, 0.0, 0.0, weights, True)
    snap = task.snapshot(np.random.default_rng(0).standard_normal((6, 3)))
    units = np.eye(18).reshape(18, 6, 3)
    columns = [hessian_product(task, snap, unit).ravel() for unit in units]
    np.testing.assert_allclose(hessian(task, snap), columns, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("l1", "l2"), [(5e-5, 5e-5), (1e-4, 0.0)])
def test_noise_with_hardly_any_penalty_is_solved_in_few_passes(l1, l2, seed):
    # Signs change all the way here: steps that keep them need thousands of passes.
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((15, 4)), rng.permutation(np.repeat(np.arange(3.0), 5))
    found = minimise(X, y, "multinomial", l1, l2, tol=1e-9, seed=seed)
    assert found.converged and found.passes < 300


def test_with_whole_batches_a_stage_is_the_deterministic_recursion():
    X, y, weights = data()
    task = make_task(X, y, 5e-3, 5e-3, weights, True)
    stages = SoftmaxStages(task, Options(batch=40, grow_step=False), np.random.default_rng(0))
    stages.length = 5
    stages._draw = lambda: [(np.arange(40), task.p)] * 5
    now, eta = task.snapshot(np.zeros((6, 3))), stages.eta
    start = 0.3 * np.random.default_rng(3).standard_normal((6, 3))
    x, z, total = start, start, np.zeros((6, 3))
    for k in range(1, 6):
        theta = 0.5 * (k + 1)
        point = (1 - 1 / theta) * x + z / theta
        total = total + 0.5 * k * task.snapshot(point).gradient
        moved, weight = start - eta * total, eta * 0.25 * k * (k + 1)
        z = moved.copy()
        z[:5] = np.sign(moved[:5]) * np.maximum(np.abs(moved[:5]) - weight * task.l1, 0) / (1 + weight * task.l2)
        x = (1 - 1 / theta) * x + z / theta
    for found, expected in zip(stages._run(now, start), (x, z), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.skipif(not HAS_NUMBA, reason="there is only one form without numba")
def test_the_compiled_step_is_the_one_on_whole_arrays(monkeypatch):
    rng = np.random.default_rng(0)
    start, gradient, noise, x, z, point = rng.standard_normal((6, 20))
    outcomes = []
    for compiled in (True, False):
        monkeypatch.setattr(softmax_stage, "HAS_NUMBA", compiled)
        out = [x.copy(), z.copy(), point.copy()]
        softmax_stage.average(3, (0.2, 0.4, 0.3), 15, start, gradient, noise, *out)
        outcomes.append(out)
    np.testing.assert_allclose(outcomes[0], outcomes[1], rtol=1e-14, atol=1e-15)
    assert (outcomes[0][1][:15] == 0).any() and (outcomes[0][1][15:] != 0).all()


@pytest.mark.parametrize(
    "options", [Options(), Options(importance="uniform", contiguous=False)], ids=["default", "iid"]
)
def test_a_drawn_batch_estimates_the_gradient_without_bias(options):
    X, y, weights = data(n=24)
    task = make_task(X, y, 0.0, 1e-2, weights, True)
    stages = SoftmaxStages(task, options, np.random.default_rng(0))
    values = np.zeros(24)
    for _ in range(3000):
        for drawn, factor in stages._draw():
            np.add.at(values, drawn, factor / (3000 * stages.length))
    # Each row is drawn about 3000 times m b / n times: its mean weight is p_i up to a few parts in a hundred.
    np.testing.assert_allclose(values, task.p, rtol=0.12)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, sparse.csr_matrix])
def test_weights_are_repetitions(layout):
    X, y, weights = data()
    repeats = weights.astype(int)
    one = minimise(layout(X), y, "multinomial", 0.0, 1e-3, weights, tol=1e-18)
    other = minimise(layout(X.repeat(repeats, axis=0)), y.repeat(repeats), "multinomial", 0.0, 1e-3, tol=1e-18)
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-7, atol=1e-9)


def test_two_classes_are_the_logistic_problem_with_half_the_ridge():
    X, y, weights = data(K=2)
    for l1, l2 in PENALTIES:
        joint = minimise(X, y, "multinomial", l1, l2, weights, tol=1e-9)
        single = minimise(X, 2 * y - 1, "log_loss", l1, l2 / 2, weights, tol=1e-9)
        assert abs(joint.objective - single.objective) <= joint.gap + single.gap + 1e-15


def test_a_start_at_the_optimum_takes_one_pass_and_a_callback_stops():
    X, y, weights = data()
    first = minimise(X, y, "multinomial", 5e-3, 5e-3, weights, tol=1e-8)
    again = minimise(
        X, y, "multinomial", 5e-3, 5e-3, weights, tol=1e-6, start=(first.coef, first.intercept), max_passes=5
    )
    assert again.converged and [record.passes for record in again.history][0] == 1.0 and again.history[0].gap <= 1e-6
    seen = []
    stopped = minimise(X, y, "multinomial", 0.0, 1e-6, tol=1e-14, callback=lambda r: seen.append(r) or len(seen) == 3)
    assert len(seen) == 3 and not stopped.converged and tuple(seen) == stopped.history


def test_rounding_ends_a_run_that_asks_for_the_impossible():
    X, y, weights = data()
    found = minimise(X, y, "multinomial", 0.0, 1e-2, weights, tol=0.0)
    assert not found.converged and found.passes < 1000 and found.gap < 1e-12


@pytest.mark.parametrize("layout", [np.ascontiguousarray, sparse.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("l2", [0.0, 1e-2])
def test_working_sets_reach_the_optimum_of_all_features_and_certify_it_on_all(layout, l2):
    X, y, weights = data(n=60, d=700)
    X[np.abs(X) < 0.8] = 0.0
    found = minimise(layout(X), y, "multinomial", 3e-2, l2, weights, tol=1e-8)
    plain = minimise(X, y, "multinomial", 3e-2, l2, weights, tol=1e-8, options=Options(working_set=False))
    assert found.converged and plain.converged and abs(found.objective - plain.objective) <= 1e-8
    assert abs(objective(X, y, weights, found.coef, found.intercept, 3e-2, l2) - found.objective) < 1e-13
    for record in found.history:  # steps on part of the features have no certificate, and claim none
        assert record.objective - plain.objective <= record.gap + plain.gap
    assert any(np.isinf(record.gap) for record in found.history) and 0 < found.passes < 1000


def test_a_callback_stops_on_a_part_of_the_features_too():
    X, y, weights = data(n=60, d=700)
    seen = []
    found = minimise(X, y, "multinomial", 1e-3, 0.0, weights, callback=lambda r: seen.append(r) or len(seen) == 5)
    assert len(seen) == 5 and np.isinf(seen[4].gap)
    # One line more than the callback saw: the same point with its certificate.
    assert found.history[:5] == tuple(seen) and np.isfinite(found.history[5].gap) and np.isfinite(found.gap)


@pytest.mark.parametrize("kind", ["dense", "csr", "csr without numba"])
def test_chosen_columns_are_those_of_the_matrix(kind):
    X, _, _ = data()
    X[X < 0.3] = 0.0
    rows = SoftmaxRows.of(X if kind == "dense" else sparse.csr_matrix(X), compiled="without" not in kind)
    chosen = np.array([0, 2, 4])
    U = np.random.default_rng(0).standard_normal((3, 2))
    np.testing.assert_allclose(rows.columns(chosen).scores(U), X[:, chosen] @ U, rtol=1e-12, atol=1e-13)
    assert rows.columns(chosen).entries == (120 if kind == "dense" else np.count_nonzero(X[:, chosen]))


def test_rows_of_very_different_lengths_are_solved_by_products():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 40)) * rng.lognormal(0, 2, (150, 1))
    y = np.concatenate([np.arange(12), rng.integers(12, size=138)]).astype(float)
    task = make_task(X, y, 0.0, 1e-4, None, True)
    assert not written_down(task)
    found = minimise(X, y, "multinomial", 0.0, 1e-4, tol=1e-8, max_passes=3000)
    assert (
        found.converged
        and abs(objective(X, y, np.ones(150), found.coef, found.intercept, 0.0, 1e-4) - found.objective) < 1e-13
    )
    phases = [record.phase for record in found.history]
    assert "dasvrda" in phases and "finish" in phases
    assert np.all(np.diff([record.passes for record in found.history]) > 0)


def test_conjugate_gradients_stop_at_the_radius_and_solve_within_it():
    X, y, weights = data()
    task = make_task(X, y, 0.0, 1e-2, weights, True)
    snap = task.snapshot(np.zeros((6, 3)), 1e-12)
    g, weight, free = pseudo_gradient(task, snap), diagonal(task, snap), np.ones((6, 3), dtype=bool)
    whole, decrease, met, _ = conjugate_gradients(task, snap, -g, free, weight, 1e-12, 0.0, np.inf)
    assert not met and np.linalg.norm(hessian_product(task, snap, whole) + g) < 1e-11
    assert abs(decrease + 0.5 * np.vdot(g, whole)) < 1e-12
    size = np.sqrt(np.vdot(whole, weight * whole))
    short, less, met, _ = conjugate_gradients(task, snap, -g, free, weight, 1e-12, 0.0, 0.1 * size)
    assert met and abs(np.sqrt(np.vdot(short, weight * short)) - 0.1 * size) < 1e-12 * size and 0 < less < decrease
