"""The same problem from an array, a sparse matrix, a data set or a file."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

from problems.losses import LeastSquares, Logistic, Softmax
from problems.readers import ReadError
from problems.smooth import from_arrays, from_data_set, from_file
from problems.smooth.audit import audit
from problems.smooth.sparse import SparseLinearPredictor

RNG = np.random.default_rng(6)
X = sparse.random(30, 7, 0.4, random_state=2).tocsr()
Y = RNG.choice([3, 5], 30)


@pytest.mark.parametrize("loss", ["logistic", "least_squares", "huber"])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array])
def test_sparse_and_dense_data_are_one_problem(loss, form):
    thin, thick = (from_arrays(A, Y, loss, alpha=0.01, minibatch=3) for A in (form(X), X.toarray()))
    x, v = RNG.standard_normal((2, 4, 7))
    draw = thin.noise(4).draw(1)[0]
    for f in (lambda p: p.value(x), lambda p: p.gradient(x), lambda p: p.hessian_product(x, v)):
        np.testing.assert_allclose(f(thin), f(thick), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(thin.stochastic_gradient(x, draw), thick.stochastic_gradient(x, draw), atol=1e-13)
    np.testing.assert_allclose(thin.curvature.dense(), thick.curvature.dense(), atol=1e-13)
    assert thin.minimum.upper == pytest.approx(thick.minimum.upper, abs=1e-12)
    assert audit(thin) == []


def test_sparse_noise_is_bounded_on_a_ball():
    from problems.domains import L2Ball

    thin = from_arrays(X, Y, "least_squares")
    assert thin.noise_covariance() is None
    assert audit(thin, L2Ball(2.0)) == []


def test_a_file_of_svmlight_is_the_arrays_that_were_written(tmp_path):
    path = tmp_path / "data.svm"
    dump_svmlight_file(X, Y, str(path), zero_based=False)
    read = from_file(path, n_features=7, alpha=0.1)
    assert isinstance(read.loss, SparseLinearPredictor) and isinstance(read.loss.link, Logistic)
    x = RNG.standard_normal(7)
    assert read.value(x) == pytest.approx(from_arrays(X, Y, alpha=0.1).value(x), rel=1e-12)
    np.testing.assert_array_equal(read.loss.targets, np.where(Y == 5, 1.0, -1.0))


def test_the_loss_follows_from_the_targets(tmp_path):
    table = tmp_path / "words.csv"
    table.write_text("a,b,kind\n1,2,cat\n3,4,dog\n5,6,cow\n")
    assert isinstance(from_file(table).loss, Softmax)
    assert isinstance(from_data_set("diabetes").loss, LeastSquares)
    assert isinstance(from_data_set("breast_cancer").loss, Logistic)
    assert from_data_set("iris").shape == (3, 4)


def test_a_data_set_of_scikit_learn_is_standardised_and_audited():
    f = from_data_set("iris", alpha=0.01)
    np.testing.assert_allclose(f.loss.features.std(axis=0), 1.0, rtol=1e-12)
    assert audit(f, points=2) == []


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: from_arrays(X, Y, "hinge"), ValueError, "loss must be one of"),
        (lambda: from_arrays(X, Y[:-1]), ValueError, "X must be"),
        (lambda: from_arrays(X, np.arange(30)), ValueError, "two classes"),
        (lambda: from_arrays(X, Y, "softmax"), ValueError, "dense features"),
        (lambda: from_arrays(X * np.nan, Y), ValueError, "not finite"),
        (lambda: from_data_set("no_such_set"), ValueError, "no data set"),
        (lambda: from_arrays(X, Y).beside(np.zeros(1, dtype=np.float32)), TypeError, "double precision"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(build, error, words):
    with pytest.raises(error, match=words):
        build()


def test_a_broken_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "broken.svm"
    path.write_text("1 1:2\n-1 nonsense\n")
    with pytest.raises(ReadError, match="broken.svm:2"):
        from_file(path)
