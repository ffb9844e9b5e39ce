"""What users pass: every layout gives the same model, and what cannot be fitted is refused in scikit-learn's words."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from convex import DASVRDAClassifier, DASVRDARegressor
from convex.estimators.validation import design_and_target


def data(n=60, d=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.6)
    return X, (X[:, 0] - X[:, 1] + 0.7 * rng.standard_normal(n) > 0).astype(int)


def shuffled_entries(X):
    """The same CSR matrix with the entries of each row in reverse order."""
    out = sparse.csr_matrix(X)
    for i in range(out.shape[0]):
        part = slice(out.indptr[i], out.indptr[i + 1])
        out.indices[part], out.data[part] = out.indices[part][::-1].copy(), out.data[part][::-1].copy()
    out.has_sorted_indices = False
    return out


def repeated_entries(X):
    """The same CSR matrix with each entry stored as two halves."""
    plain = sparse.csr_matrix(X)
    indptr, indices, values = 2 * plain.indptr, plain.indices.repeat(2), plain.data.repeat(2) / 2
    return sparse.csr_matrix((values, indices, indptr), shape=plain.shape)


def long_indices(X):
    out = sparse.csr_matrix(X)
    out.indices, out.indptr = out.indices.astype(np.int64), out.indptr.astype(np.int64)
    return out


LAYOUTS = {
    "list": lambda X: X.tolist(),
    "fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "object": lambda X: X.astype(object),
    "frame": lambda X: pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]),
    "csr": sparse.csr_matrix,
    "csr array": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "coo": sparse.coo_matrix,
    "lil": sparse.lil_matrix,
    "unsorted csr": shuffled_entries,
    "duplicate csr": repeated_entries,
    "int64 csr": long_indices,
    "explicit zeros": lambda X: sparse.csr_matrix((X.ravel(), np.tile(np.arange(8), 60), np.arange(61) * 8)),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_every_layout_gives_the_same_model_and_is_left_as_it_was(name, loss):
    X, y = data()
    stored = LAYOUTS[name](X)
    before = stored.copy() if hasattr(stored, "copy") else stored
    expected = DASVRDAClassifier(alpha=1e-2, loss=loss, tol=1e-10, max_iter=5000).fit(X, y)
    model = DASVRDAClassifier(alpha=1e-2, loss=loss, tol=1e-10, max_iter=5000).fit(stored, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=2e-4)  # sqrt(2 tol / alpha)
    np.testing.assert_allclose(model.decision_function(stored), X @ model.coef_[0] + model.intercept_[0], atol=1e-12)
    if sparse.issparse(stored):
        assert (stored != before).nnz == 0 and stored.nnz == before.nnz
        if stored.format == "csr":
            np.testing.assert_array_equal(stored.indices, before.indices)


@pytest.mark.parametrize("classes", [2, 3])
def test_float32_data_are_solved_in_float64(classes):
    X, _ = data()
    X = X.astype(np.float32)
    y = np.digitize(X[:, 0] - X[:, 1], [0.0] if classes == 2 else [-0.5, 0.5])
    wide = DASVRDAClassifier(alpha=1e-2, tol=1e-11, max_iter=5000).fit(X.astype(np.float64), y)
    for stored in (X, sparse.csr_matrix(X)):
        model = DASVRDAClassifier(alpha=1e-2, tol=1e-11, max_iter=5000).fit(stored, y)
        assert model.coef_.dtype == np.float64 and model.dual_gap_ <= 1e-11
        assert abs(model.objective_ - wide.objective_) <= 2e-11
        np.testing.assert_allclose(model.decision_function(stored), wide.decision_function(X), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_contiguous_arrays_memory_maps_and_sorted_csr_go_through_without_a_copy(tmp_path, dtype):
    X, y = data()
    X = np.ascontiguousarray(X, dtype=dtype)
    mapped = np.memmap(tmp_path / "X", dtype=dtype, mode="w+", shape=X.shape)
    mapped[:] = X
    mapped = np.memmap(tmp_path / "X", dtype=dtype, mode="r", shape=X.shape)
    for stored in (X, mapped):
        taken, *_ = design_and_target(DASVRDAClassifier(), stored, y, numeric=False)
        assert np.shares_memory(taken, stored) and taken.dtype == dtype
    stored = sparse.csr_matrix(X)
    taken, *_ = design_and_target(DASVRDAClassifier(), stored, y, numeric=False)
    assert np.shares_memory(taken.data, stored.data) and np.shares_memory(taken.indices, stored.indices)
    one, other = (DASVRDAClassifier(alpha=1e-2, tol=1e-9).fit(stored, y) for stored in (X, mapped))
    assert abs(one.objective_ - other.objective_) <= 2e-9
    np.testing.assert_array_equal(one.predict(mapped), other.predict(X))


def test_names_of_a_frame_are_kept_and_checked():
    X, y = data()
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(8)])
    for model in (DASVRDAClassifier(alpha=1e-2), DASVRDARegressor(alpha=1e-2)):
        model.fit(frame, y)
        assert model.feature_names_in_.tolist() == list(frame.columns) and model.n_features_in_ == 8
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(frame[frame.columns[::-1]])
        with pytest.raises(ValueError, match="expecting 8 features"):
            model.fit(X, y).predict(X[:, :5])


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [-1, 1], [5.0, 2.0]])
def test_labels_of_any_kind_come_back_as_they_were(labels):
    X, y = data()
    target = np.array(labels)[y]
    model = DASVRDAClassifier(alpha=1e-2).fit(X, target)
    assert model.classes_.tolist() == sorted(labels) and model.predict(X).dtype == target.dtype
    assert (model.predict(X) == target).mean() > 0.7


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_nan_and_infinity_are_refused(value, layout):
    X, y = data()
    X[3, 2] = value
    kind = "NaN" if np.isnan(value) else "infinity"
    for model in (DASVRDAClassifier(), DASVRDARegressor()):
        with pytest.raises(ValueError, match=f"Input X contains {kind}"):
            model.fit(layout(X), y)
    X[3, 2] = 0.0
    target = y.astype(float)
    target[5] = value
    with pytest.raises(ValueError, match=f"Input y contains {kind}"):
        DASVRDARegressor().fit(layout(X), target)
    with pytest.raises(ValueError, match="Input sample_weight contains"):
        DASVRDAClassifier().fit(layout(X), y, sample_weight=np.where(np.arange(60) == 7, value, 1.0))


def test_duplicates_that_overflow_when_added_are_refused():
    X = sparse.csr_matrix(([1e308, 1e308, 1.0], [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    with pytest.raises(ValueError, match="repeated entries of the sparse matrix overflow"):
        DASVRDAClassifier().fit(X, [0, 1])


@pytest.mark.parametrize("factor", [1e102, 1e152, 1e300])
def test_features_whose_squares_overflow_are_refused_with_advice(factor):
    X, y = data()
    for model in (DASVRDAClassifier(), DASVRDAClassifier(loss="multinomial"), DASVRDARegressor()):
        with pytest.raises(ValueError, match="Scale the features"):
            model.fit(factor * X, y)
    with pytest.raises(ValueError, match="Scale the target"):
        DASVRDARegressor().fit(X, factor * y)


@pytest.mark.parametrize(
    ("y", "complaint"),
    [
        (np.zeros(60), "2 classes.*got 1 class"),
        (np.linspace(0, 1, 60), "Unknown label type"),
        (np.zeros((60, 2)), "y should be a 1d array"),
        (np.zeros(59), "inconsistent numbers of samples"),
        (np.array([None] * 60, dtype=object), "Input y contains NaN|Unknown label type|1 class"),
    ],
)
def test_targets_that_are_no_labels_are_refused(y, complaint):
    with pytest.raises(ValueError, match=complaint):
        DASVRDAClassifier().fit(data()[0], y)


def test_words_are_no_target_of_a_regression():
    X, y = data()
    with pytest.raises(ValueError, match="could not convert string to float"):
        DASVRDARegressor().fit(X, np.array(["a", "b"])[y])


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        (-np.ones(60), "Negative values in sample_weight"),
        (np.zeros(60), "at least one non-zero"),
        (np.ones(59), "sample_weight"),
        (np.ones((60, 2)), "Sample weights must be 1D"),
        (np.arange(60) < 1, "got 1 class"),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights, complaint):
    X, y = data()
    with pytest.raises(ValueError, match=complaint):
        DASVRDAClassifier().fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"alpha": -1.0}, "'alpha' parameter of DASVRDA.* must be a finite number of at least 0. Got -1.0"),
        ({"alpha": np.nan}, "'alpha'"),
        ({"alpha": "auto"}, "'alpha'"),
        ({"l1_ratio": 1.1}, "'l1_ratio' .* between 0 .* and 1"),
        ({"l1_ratio": -0.1}, "'l1_ratio'"),
        ({"tol": -1e-3}, "'tol'"),
        ({"tol": np.inf}, "'tol'"),
        ({"max_iter": 0}, "'max_iter' .* an integer of at least 1"),
        ({"max_iter": 2.5}, "'max_iter'"),
        ({"loss": "hinge"}, "'loss' .* one of "),
        ({"loss": None}, "'loss'"),
        ({"callback": 3}, "'callback' .* None or callable"),
        ({"options": 3}, "options must be None, a dict"),
        ({"options": {"stride": 3}}, "options has no 'stride'; there are .*batch"),
        ({"options": {"batch": 0}}, "batch"),
        ({"options": {"importance": "best"}}, "importance is"),
    ],
)
@pytest.mark.parametrize("kind", [DASVRDAClassifier, DASVRDARegressor])
def test_parameters_out_of_range_are_refused_at_fit_and_name_what_is_allowed(kind, parameters, complaint):
    X, y = data()
    model = kind(**parameters)
    with pytest.raises(ValueError, match=complaint):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_parameters_of_one_kind_only_are_checked_too():
    X, y = data()
    for epsilon in (0.0, -1.0, np.inf):
        with pytest.raises(ValueError, match="'epsilon'"):
            DASVRDARegressor(loss="huber", epsilon=epsilon).fit(X, y)
    for weight, complaint in (
        ("even", "'class_weight'"),
        ({0: -1.0}, "at least 0"),
        ({7: 1.0}, r"has \[7\], which y has not, and nothing for the classes \[0, 1\]"),
        ({0: 0.0}, "got 1 class"),
    ):
        with pytest.raises(ValueError, match=complaint):
            DASVRDAClassifier(class_weight=weight).fit(X, y)


ESTIMATORS = [
    DASVRDAClassifier(alpha=1e-2),
    DASVRDAClassifier(alpha=1e-2, l1_ratio=1.0, loss="squared_hinge"),
    DASVRDARegressor(alpha=1e-2, l1_ratio=0.5),
]


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_constant_and_zero_columns_and_zero_rows_are_solved(estimator, layout):
    X, y = data()
    X[:, 3], X[:, 5], X[::7] = 2.0, 0.0, 0.0
    model = estimator.fit(layout(X), y)
    assert model.dual_gap_ <= 1e-6 and np.ravel(model.coef_)[5] == 0.0


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("classes", [2, 3])
def test_data_without_any_information_give_the_frequencies(layout, classes):
    y = np.arange(30) % (classes + 1) % classes
    model = DASVRDAClassifier(tol=1e-12).fit(layout(np.zeros((30, 4))), y)
    assert model.dual_gap_ <= 1e-12 and not model.coef_.any()
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 4)))[0], np.bincount(y) / 30, atol=1e-6)
    regressor = DASVRDARegressor(tol=1e-12).fit(layout(np.zeros((30, 4))), y)
    np.testing.assert_allclose(regressor.intercept_, y.mean(), atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_no_rows_or_no_columns_are_refused(shape):
    for model in (DASVRDAClassifier(), DASVRDARegressor()):
        with pytest.raises(ValueError, match=r"0 sample\(s\)|0 feature\(s\)"):
            model.fit(np.zeros(shape), np.arange(shape[0]))


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("batch", [None, 1, 64])
def test_fewer_rows_than_a_mini_batch_are_solved(n, batch):
    X, y = data(n=60)
    X, y = X[:n], np.arange(n) % 2
    options = None if batch is None else {"batch": batch}
    for model in (DASVRDAClassifier(alpha=1e-2, options=options), DASVRDARegressor(alpha=1e-2, options=options)):
        assert model.fit(X, y).dual_gap_ <= 1e-6


def test_one_row_is_a_regression_and_no_classification():
    model = DASVRDARegressor().fit([[1.0, 2.0]], [3.0])
    np.testing.assert_allclose(model.predict([[1.0, 2.0]]), 3.0, atol=1e-5)
    with pytest.raises(ValueError, match="1 class"):
        DASVRDAClassifier().fit([[1.0, 2.0]], [3])
