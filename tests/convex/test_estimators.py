"""The estimators minimise the objective that they state, certify it, and weigh rows and classes as they say."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, HuberRegressor, LinearRegression, LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler

from convex import DASVRDAClassifier, DASVRDARegressor
from convex.engine import Options

BINARY = {
    "log_loss": lambda m: np.logaddexp(0, -m),
    "squared_hinge": lambda m: np.maximum(0, 1 - m) ** 2,
    "modified_huber": lambda m: np.where(m >= -1, np.maximum(0, 1 - m) ** 2, -4 * m),
}


def scaled(loader):
    X, y = loader(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def penalty(coef, alpha, l1_ratio):
    return alpha * (l1_ratio * np.abs(coef).sum() + 0.5 * (1 - l1_ratio) * (coef**2).sum())


def binary_objective(loss, X, signs, coef, intercept, alpha, l1_ratio):
    return BINARY[loss](signs * (X @ coef + intercept)).mean() + penalty(coef, alpha, l1_ratio)


def squared_objective(X, y, coef, intercept, alpha, l1_ratio):
    return 0.5 * ((y - X @ coef - intercept) ** 2).mean() + penalty(coef, alpha, l1_ratio)


def test_two_classes_reach_the_optimum_of_logistic_regression():
    X, y = scaled(load_breast_cancer)
    model = DASVRDAClassifier(alpha=1e-3, tol=1e-11, max_iter=5000).fit(X, y)
    peer = LogisticRegression(C=1 / (1e-3 * len(y)), tol=1e-12, max_iter=1000, solver="newton-cholesky").fit(X, y)
    signs = np.where(y == 1, 1.0, -1.0)
    ours, best = (binary_objective("log_loss", X, signs, m.coef_[0], m.intercept_[0], 1e-3, 0.0) for m in (model, peer))
    assert -1e-14 <= ours - best <= 1e-11 and abs(ours - model.objective_) < 1e-14 and 0 <= model.dual_gap_ <= 1e-11


def test_squared_error_reaches_the_optimum_of_the_elastic_net():
    X, y = scaled(load_diabetes)
    y = y / 100.0
    for l1_ratio in (0.1, 0.5, 1.0):
        model = DASVRDARegressor(alpha=1e-2, l1_ratio=l1_ratio, tol=1e-11, max_iter=5000).fit(X, y)
        peer = ElasticNet(alpha=1e-2, l1_ratio=l1_ratio, tol=1e-14, max_iter=100000).fit(X, y)
        ours, best = (squared_objective(X, y, m.coef_, m.intercept_, 1e-2, l1_ratio) for m in (model, peer))
        assert abs(ours - best) <= 1e-11 and 0 <= model.dual_gap_ <= 1e-11
        assert np.array_equal(model.coef_ == 0, np.abs(peer.coef_) < 1e-7)


def test_the_huber_loss_reaches_the_optimum_found_by_a_smooth_solver():
    from scipy.optimize import minimize

    X, y = scaled(load_diabetes)
    y, delta = y / 100.0, 0.3
    model = DASVRDARegressor(loss="huber", epsilon=delta, alpha=1e-2, tol=1e-11, max_iter=5000).fit(X, y)

    def objective(u):
        r = X @ u[:-1] + u[-1] - y
        c = np.clip(r, -delta, delta)
        value = (c * (r - 0.5 * c)).mean() + 0.5e-2 * u[:-1] @ u[:-1]
        return value, np.append(X.T @ c / len(y) + 1e-2 * u[:-1], c.mean())

    best = minimize(objective, np.zeros(11), jac=True, method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-10})
    assert abs(objective(np.append(model.coef_, model.intercept_))[0] - model.objective_) < 1e-14
    assert abs(model.objective_ - best.fun) < 1e-10
    assert HuberRegressor().fit(X, y).coef_.shape == model.coef_.shape


def test_more_than_two_classes_are_one_softmax_problem():
    X, y = scaled(load_iris)
    peer = LogisticRegression(C=1 / (1e-3 * len(y)), tol=1e-12, max_iter=1000, solver="newton-cholesky").fit(X, y)
    for loss in ("log_loss", "multinomial"):
        model = DASVRDAClassifier(alpha=1e-3, loss=loss, tol=1e-12).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=1e-8)
        Z = model.decision_function(X)
        ours = (logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]).mean() + penalty(model.coef_, 1e-3, 0.0)
        assert abs(ours - model.objective_) < 1e-14 and model.coef_.shape == (3, 4) and model.intercept_.shape == (3,)


def test_the_softmax_of_two_classes_is_the_logistic_problem_with_half_the_ridge():
    X, y = scaled(load_breast_cancer)
    joint = DASVRDAClassifier(loss="multinomial", alpha=2e-2, tol=1e-14).fit(X, y)
    single = DASVRDAClassifier(loss="log_loss", alpha=1e-2, tol=1e-14).fit(X, y)
    assert joint.coef_.shape == (1, 30)
    np.testing.assert_allclose(joint.coef_, single.coef_, atol=3e-6)


@pytest.mark.parametrize("loss", ["squared_hinge", "modified_huber"])
def test_the_margin_losses_are_one_problem_per_class(loss):
    X, y = scaled(load_iris)
    model = DASVRDAClassifier(loss=loss, alpha=1e-2, l1_ratio=0.5, tol=1e-9, max_iter=5000).fit(X, y)
    assert model.objective_.shape == model.dual_gap_.shape == model.n_iter_.shape == (3,) and len(model.history_) == 3
    for k in range(3):
        signs = np.where(y == k, 1.0, -1.0)
        ours = binary_objective(loss, X, signs, model.coef_[k], model.intercept_[k], 1e-2, 0.5)
        alone = DASVRDAClassifier(loss=loss, alpha=1e-2, l1_ratio=0.5, tol=1e-9, max_iter=5000).fit(X, signs)
        assert abs(ours - model.objective_[k]) < 1e-14 and abs(ours - alone.objective_) <= 2e-9
    assert (model.dual_gap_ <= 1e-9).all() and model.score(X, y) > 0.9


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "modified_huber"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_every_gap_on_the_way_bounds_the_distance_to_the_optimum(loss, l1_ratio):
    X, y = scaled(load_breast_cancer)
    X, y = X[::4], y[::4]
    best = DASVRDAClassifier(loss=loss, alpha=1e-2, l1_ratio=l1_ratio, tol=1e-12, max_iter=20000).fit(X, y)
    rough = DASVRDAClassifier(loss=loss, alpha=1e-2, l1_ratio=l1_ratio, tol=1e-4, random_state=1).fit(X, y)
    assert rough.history_ and rough.dual_gap_ <= 1e-4
    for record in rough.history_:
        assert record.objective - best.objective_ <= record.gap + 1e-15


def test_a_certified_gap_refutes_a_wrong_optimum():
    # The negative control of the test above: against a claimed optimum that is too low the same inequality fails.
    X, y = scaled(load_breast_cancer)
    model = DASVRDAClassifier(alpha=1e-2, tol=1e-8).fit(X, y)
    assert model.objective_ - (model.objective_ - 1e-6) > model.dual_gap_


ESTIMATORS = [
    DASVRDAClassifier(alpha=1e-2),
    DASVRDAClassifier(alpha=1e-2, l1_ratio=0.5),
    DASVRDAClassifier(alpha=1e-2, loss="modified_huber"),
    DASVRDARegressor(alpha=1e-2),
    DASVRDARegressor(alpha=1e-2, l1_ratio=0.9),
    DASVRDARegressor(alpha=1e-2, loss="huber", epsilon=0.5),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
def test_integer_weights_are_repetitions_and_zero_weights_removals(estimator, layout):
    X, y = scaled(load_iris)
    weights = np.random.default_rng(0).integers(0, 4, len(y))
    estimator = clone(estimator).set_params(tol=1e-15)
    one = clone(estimator).fit(layout(X), y, sample_weight=weights)
    other = clone(estimator).fit(layout(X.repeat(weights, axis=0)), y.repeat(weights))
    # Each is within sqrt(2 gap / l2) of the one minimiser.
    radius = np.sqrt(2 * 1e-15 / (estimator.alpha * (1 - estimator.l1_ratio)))
    assert np.linalg.norm(one.coef_ - other.coef_, axis=-1).max() <= 2 * radius
    np.testing.assert_allclose(_scores(one, X), _scores(other, X), atol=1e-5)
    assert np.abs(clone(estimator).fit(layout(X), y).coef_ - one.coef_).max() > 100 * radius


def _scores(model, X):
    return model.decision_function(X) if hasattr(model, "classes_") else model.predict(X)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_only_ratios_of_weights_matter(estimator):
    X, y = scaled(load_iris)
    weights = np.random.default_rng(1).random(len(y)) + 0.1
    one = clone(estimator).set_params(random_state=0).fit(X, y, sample_weight=weights)
    for factor in (2.0**-900, 2.0**900):  # powers of two: the same bits
        other = clone(estimator).set_params(random_state=0).fit(X, y, sample_weight=factor * weights)
        np.testing.assert_array_equal(one.coef_, other.coef_)
    assert not np.allclose(clone(estimator).fit(X, y).coef_, one.coef_, rtol=1e-6)


def test_class_weights_are_sample_weights_and_balanced_ones_count_weighted_rows():
    X, y = scaled(load_iris)
    X, y = X[:120], y[:120]
    weights = np.random.default_rng(2).random(120)
    given = DASVRDAClassifier(alpha=1e-2, class_weight={0: 3.0, 2: 0.5}).fit(X, y, sample_weight=weights)
    plain = DASVRDAClassifier(alpha=1e-2).fit(X, y, sample_weight=weights * np.array([3.0, 1.0, 0.5])[y])
    np.testing.assert_allclose(given.coef_, plain.coef_, rtol=1e-7, atol=1e-9)
    balanced = DASVRDAClassifier(alpha=1e-2, class_weight="balanced").fit(X, y, sample_weight=weights)
    total = np.bincount(y, weights)
    by_hand = DASVRDAClassifier(alpha=1e-2).fit(X, y, sample_weight=weights / total[y])
    np.testing.assert_allclose(balanced.coef_, by_hand.coef_, rtol=1e-7, atol=1e-9)
    assert not np.allclose(balanced.coef_, plain.coef_, rtol=1e-3)


def test_a_class_whose_rows_weigh_nothing_does_not_exist():
    X, y = scaled(load_iris)
    for model in (
        DASVRDAClassifier(alpha=1e-2).fit(X, y, sample_weight=y > 0),
        DASVRDAClassifier(alpha=1e-2, class_weight={0: 0.0}).fit(X, y),
    ):
        assert model.classes_.tolist() == [1, 2] and model.coef_.shape == (1, 4)


def passes_to_the_gap(model):
    """Passes until the gap was first reached, over all problems of the model; polishing comes after."""
    histories = model.history_ if isinstance(model.history_[0], tuple) else (model.history_,)
    return sum(next(record.passes for record in history if record.gap <= model.tol) for history in histories)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_a_warm_start_takes_fewer_passes_to_an_equally_good_point(estimator):
    X, y = scaled(load_iris)
    warm = clone(estimator).set_params(warm_start=True, tol=1e-7).fit(X, y)
    before = np.sum(warm.objective_)
    again = np.sum(warm.fit(X, y).n_iter_)
    assert again == np.size(warm.n_iter_) and abs(np.sum(warm.objective_) - before) <= 3e-7  # one pass: it certifies
    alphas = [9e-3, 8e-3, 7e-3, 6e-3, 5e-3]
    cold = sum(passes_to_the_gap(clone(warm).set_params(alpha=alpha).fit(X, y)) for alpha in alphas)
    assert sum(passes_to_the_gap(warm.set_params(alpha=alpha).fit(X, y)) for alpha in alphas) < cold


def test_a_warm_start_on_other_classes_or_features_is_refused():
    X, y = scaled(load_iris)
    model = DASVRDAClassifier(alpha=1e-2, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="warm_start=True needs the classes and features"):
        model.fit(X[:100], y[:100])
    regressor = DASVRDARegressor(alpha=1e-2, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="warm_start=True needs the features"):
        regressor.fit(X[:, :2], y)


def test_a_gap_that_is_not_reached_warns_with_the_gap_and_what_to_do():
    X, y = scaled(load_breast_cancer)
    with pytest.warns(
        ConvergenceWarning, match=r"duality gap of 0\.\d+ after 1 passes.*tol=1e-12.*Raise max_iter \(now 1\)"
    ):
        model = DASVRDAClassifier(max_iter=1, tol=1e-12, alpha=1.0).fit(X, y)
    assert model.dual_gap_ > 1e-12
    with pytest.warns(ConvergenceWarning, match="linearly independent beyond all rounding.* or set alpha above 0"):
        DASVRDAClassifier(alpha=0.0, max_iter=2).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DASVRDAClassifier(max_iter=1, tol=1e-12, callback=lambda record: True).fit(X, y)  # who stops it knows


def test_the_warning_points_at_the_line_that_called_fit():
    X, y = scaled(load_iris)
    for model in (DASVRDAClassifier(max_iter=1, tol=1e-12), DASVRDARegressor(max_iter=1, tol=1e-12)):
        with pytest.warns(ConvergenceWarning) as caught:
            model.fit(X, y)
        assert caught[0].filename == __file__


def test_probabilities_are_those_of_the_loss():
    X, y = scaled(load_iris)
    softmax = DASVRDAClassifier(alpha=1e-2).fit(X, y)
    np.testing.assert_allclose(softmax.predict_proba(X).sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(np.exp(softmax.predict_log_proba(X)), softmax.predict_proba(X), rtol=1e-12)
    logistic = DASVRDAClassifier(alpha=1e-2).fit(X, y == 0)
    odds = np.log(logistic.predict_proba(X)[:, 1] / logistic.predict_proba(X)[:, 0])
    np.testing.assert_allclose(odds, logistic.decision_function(X), rtol=1e-9)
    hinge = DASVRDAClassifier(alpha=1e-2, loss="squared_hinge").fit(X, y)
    assert not hasattr(hinge, "predict_proba") and not hasattr(hinge, "predict_log_proba")


@pytest.mark.parametrize("classes", [2, 3])
def test_modified_huber_probabilities_are_those_of_sgd(classes):
    X, y = scaled(load_iris)
    X, y = X[y < classes], y[y < classes]
    ours = DASVRDAClassifier(alpha=1e-2, loss="modified_huber").fit(X, y)
    peer = SGDClassifier(loss="modified_huber", max_iter=2000).fit(X, y)
    peer.coef_, peer.intercept_ = ours.coef_, ours.intercept_
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-12)
    ours.intercept_ = ours.intercept_ - 100.0  # no class has any probability: uniform
    if classes == 3:
        np.testing.assert_array_equal(ours.predict_proba(X), 1 / 3)
    assert (ours.predict_log_proba(X) <= 0).all()


def test_scores_of_large_margins_have_finite_log_probabilities():
    X = np.array([[-1e4], [1e4]])
    model = DASVRDAClassifier(alpha=1e-6).fit(X / 1e4, [0, 1])
    assert np.isfinite(model.predict_log_proba(X)).all() and (model.predict_proba(X).sum(axis=1) == 1).all()


def test_without_an_intercept_there_is_none():
    X, y = scaled(load_iris)
    for model in (
        DASVRDAClassifier(alpha=1e-2, fit_intercept=False),
        DASVRDARegressor(alpha=1e-2, fit_intercept=False),
    ):
        assert not np.any(model.fit(X, y).intercept_)
    peer = LinearRegression(fit_intercept=False).fit(X, y)
    close = DASVRDARegressor(alpha=1e-12, fit_intercept=False, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(close.coef_, peer.coef_, rtol=1e-4)


def test_sparse_coefficients_predict_and_start_as_dense_ones():
    X, y = scaled(load_iris)
    model = DASVRDAClassifier(alpha=0.1, l1_ratio=1.0, warm_start=True, tol=1e-9).fit(X, y)
    dense, before = model.coef_.copy(), model.decision_function(X)
    np.testing.assert_allclose(model.sparsify().decision_function(X), before, rtol=1e-12, atol=1e-12)
    assert sparse.issparse(model.coef_) and model.coef_.nnz < 12
    model.fit(X, y)
    np.testing.assert_allclose(model.coef_, dense, atol=1e-6)
    np.testing.assert_array_equal(model.sparsify().densify().coef_, model.coef_)


def test_fitted_estimators_survive_pickling_and_clones_are_unfitted():
    X, y = scaled(load_iris)
    model = DASVRDAClassifier(alpha=1e-2, options=Options(batch=7)).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert copy.history_ == model.history_
    fresh = clone(model)
    assert fresh.get_params() == model.get_params() and not hasattr(fresh, "coef_")


def test_options_may_be_given_as_a_dict_and_change_the_run():
    X, y = scaled(load_breast_cancer)
    runs = [
        DASVRDAClassifier(alpha=1e-2, random_state=0, options=options).fit(X, y)
        for options in (
            None,
            {},
            {"batch": 5, "finish": False},
            Options(batch=5, finish=False),
            Options.published(batch=5),
        )
    ]
    assert runs[0].n_iter_ == runs[1].n_iter_ and runs[2].n_iter_ == runs[3].n_iter_
    assert len({tuple(run.coef_[0]) for run in runs}) == 3
    assert max(run.objective_ for run in runs) - min(run.objective_ for run in runs) <= 1e-6


def test_a_seed_fixes_the_result_and_a_generator_moves_on():
    X, y = scaled(load_breast_cancer)
    one, two = (DASVRDAClassifier(alpha=1e-2, random_state=5).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_verbose_shows_the_gap_and_a_callback_sees_every_record(capsys):
    X, y = scaled(load_breast_cancer)
    seen = []
    model = DASVRDAClassifier(alpha=1e-2, verbose=1, callback=seen.append).fit(X, y)
    err = capsys.readouterr().err
    assert "DASVRDAClassifier" in err and "gap" in err and "passes" in err
    # The gap is reached in the middle: what polishes a small problem to rounding is seen, and can be stopped, too.
    assert tuple(seen) == model.history_ and min(r.gap for r in seen[:-1]) <= model.tol
    assert model.history_[-1].passes <= model.n_iter_ and np.all(np.diff([r.passes for r in model.history_]) >= 0)
    DASVRDAClassifier(alpha=1e-2).fit(X, y)
    assert capsys.readouterr().err == ""
