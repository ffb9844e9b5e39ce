"""Paths and cross-validation run in parallel, on any joblib backend, and come out as they do one after the other."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convex import DASVRDAClassifier, DASVRDARegressor
from convex.estimators import regularization_path


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


ALPHAS = [1e-1, 1e-3, 1e-2, 3e-2, 3e-3]  # not sorted on purpose


@pytest.mark.parametrize(
    "estimator",
    [
        DASVRDAClassifier(l1_ratio=0.5, tol=1e-8),
        DASVRDAClassifier(l1_ratio=0.5, tol=1e-8, loss="modified_huber"),
        DASVRDARegressor(l1_ratio=0.5, tol=1e-8),
    ],
    ids=["softmax", "one-vs-rest", "regression"],
)
def test_a_path_has_the_solutions_of_single_fits_in_the_order_of_its_alphas(iris, estimator):
    X, y = iris
    path = regularization_path(estimator, X, y, ALPHAS, chunk=2)
    for i, alpha in enumerate(ALPHAS):
        one = clone(estimator).set_params(alpha=alpha).fit(X, y)
        assert path.alphas[i] == alpha
        assert np.abs(path.objective[i] - one.objective_).max() <= 2e-8 and path.dual_gap[i].max() <= 1e-8
        assert path.coef[i].shape == one.coef_.shape and path.intercept[i].shape == np.shape(one.intercept_)
    assert (np.diff(path.objective[np.argsort(ALPHAS)], axis=0) > 0).all()  # more penalty, larger objective
    assert not hasattr(estimator, "coef_")


def test_a_path_is_the_same_for_any_number_of_workers(iris):
    X, y = iris
    paths = [
        regularization_path(DASVRDAClassifier(random_state=0), X, y, ALPHAS, n_jobs=jobs, chunk=2) for jobs in (1, 2)
    ]
    np.testing.assert_array_equal(paths[0].coef, paths[1].coef)


def test_a_path_costs_fewer_passes_than_its_alphas_one_by_one(iris):
    X, y = iris
    estimator = DASVRDARegressor(l1_ratio=0.5, tol=1e-7, random_state=0)
    alphas = np.geomspace(1e-1, 1e-3, 12)
    together = regularization_path(estimator, X, y, alphas, chunk=12).passes.sum()
    alone = sum(clone(estimator).set_params(alpha=alpha).fit(X, y).n_iter_ for alpha in alphas)
    assert together < alone


def test_a_path_that_falls_short_says_where_and_by_how_much(iris):
    X, y = iris
    with pytest.warns(
        ConvergenceWarning, match=r"2 of 2 alphas have a duality gap above tol=1e-14; the largest is .* at alpha=0\.\d"
    ):
        path = regularization_path(DASVRDAClassifier(tol=1e-14, max_iter=1), X, y, [0.1, 0.2])
    assert (path.dual_gap > 1e-14).all()


@pytest.mark.parametrize("alphas", [[], [-1.0], [np.nan], [[1.0]]])
def test_a_path_refuses_alphas_that_are_none(iris, alphas):
    with pytest.raises(ValueError, match="alphas must be one or more finite numbers"):
        regularization_path(DASVRDAClassifier(), *iris, alphas)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_cross_validation_in_parallel_is_that_in_sequence(iris, backend):
    X, y = iris
    model = make_pipeline(StandardScaler(), DASVRDAClassifier(alpha=1e-3, random_state=0))
    alone = cross_val_score(model, X, y, cv=3)
    with parallel_config(backend=backend, n_jobs=2):
        np.testing.assert_array_equal(cross_val_score(model, X, y, cv=3), alone)


def test_a_grid_search_finds_the_penalty_and_routes_options(iris):
    X, y = iris
    grid = {"alpha": [1e-3, 1e1], "options": [None, {"batch": 10}]}
    search = GridSearchCV(DASVRDAClassifier(l1_ratio=0.5, random_state=0), grid, cv=3).fit(X, y)
    assert search.best_params_["alpha"] == 1e-3 and search.best_score_ > 0.9


@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed")
def test_a_path_and_a_cross_validation_run_on_a_dask_cluster(iris):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    X, y = iris
    estimator = DASVRDAClassifier(random_state=0)
    alone = regularization_path(estimator, X, y, ALPHAS, chunk=2)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        parallel_config(backend="dask"),
    ):
        path = regularization_path(estimator, X, y, ALPHAS, chunk=2)
        scores = cross_val_score(estimator, X, y, cv=3, n_jobs=-1)
    np.testing.assert_array_equal(path.coef, alone.coef)
    np.testing.assert_array_equal(scores, cross_val_score(estimator, X, y, cv=3))
