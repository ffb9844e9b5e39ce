"""The same problem from an array, a sparse matrix, a data set or a file."""

import numpy as np
import pytest
import torch
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
        (
            lambda: from_arrays(np.ones((0, 3)), np.ones(0), "squared_error"),
            ValueError,
            "at least one row and one column",
        ),
        (lambda: from_arrays(np.ones((3, 0)), np.ones(3), "huber"), ValueError, "at least one row and one column"),
        (lambda: from_arrays(X, Y, "mse"), ValueError, "loss must be one of .*'least_squares'.*got 'mse'"),
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


def test_integers_booleans_and_half_precision_are_taken_as_numbers_without_loss():
    """Targets are not cut to the features' integers, squares do not wrap."""
    rng = np.random.default_rng(0)
    whole, y = rng.integers(0, 255, (40, 3)), 0.5 * rng.standard_normal(40)
    exact = from_arrays(whole.astype(float), y, "least_squares")
    for kind in (np.int64, np.uint8, np.int32):
        found = from_arrays(whole.astype(kind), y, "least_squares")
        assert float(found.value(np.zeros(3))) == float(exact.value(np.zeros(3)))
        assert np.array_equal(found.composite.constants, exact.composite.constants) and audit(found) == []
    bits, sides = whole > 100, np.where(y > 0, 1, 0)
    assert from_arrays(bits, sides).minimum == from_arrays(bits.astype(float), sides).minimum
    assert np.isfinite(from_arrays((100 * whole).astype(np.float16), y, "least_squares").smoothness)
    assert from_arrays(whole.tolist(), y.tolist(), "least_squares").shape == (3,)
    assert from_arrays(torch.from_numpy(whole), y, "least_squares").composite.constants.dtype == torch.float64


@pytest.mark.parametrize("bad", [X.toarray() * 1j, X * 1j, np.array([["a"]] * 30, dtype=object)])
def test_data_that_are_no_real_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="real numbers"):
        from_arrays(bad, Y)
    with pytest.raises(ValueError, match="real numbers"):
        from_arrays(X, np.full(30, "a"), "least_squares")
    with pytest.raises(ValueError, match="floating-point"):
        LeastSquares(np.ones((2, 2), dtype=int), np.ones(2))


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_missing_labels_and_a_single_class_are_said(loss):
    with pytest.raises(ValueError, match="label of row 1 .* is nan"):
        from_arrays(np.ones((3, 1)), np.array([0.0, np.nan, 1.0]), loss)
    with pytest.raises(ValueError, match="all labels are the same"):
        from_arrays(np.ones((3, 1)), np.ones(3), loss)


def tiny(trial):
    rng = np.random.default_rng(trial)
    n, d = int(rng.integers(2, 12)), int(rng.integers(1, 6))
    features = rng.standard_normal((n, d)) * np.exp(2.0 * rng.standard_normal((1, d)))
    labels = np.where(np.arange(n) < 2, [-1.0, 1.0] * (n // 2) + [1.0] * (n % 2), np.sign(rng.standard_normal(n)))
    return from_arrays(features, labels, "logistic", alpha=10.0 ** rng.uniform(-6, 0))


def test_every_tiny_logistic_problem_with_a_ridge_has_its_minimiser():
    """Newton goes on while the gradient falls, when values no longer show it."""
    for trial in range(60):
        problem = tiny(trial)
        assert problem.solution is not None
        assert problem.minimum.upper - problem.minimum.lower <= 1e-12 * (1.0 + problem.minimum.upper)


TINY = 1e-13 * np.array([1.0, 1, 1, -1, -1, -1])


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    ("column", "labels", "loss"),
    [(TINY, [1, 1, -1, -1, -1, 1], "logistic"), (TINY, [1, 1, 1, -1, -1, -1], "least_squares")],
)
def test_a_column_that_is_a_tiny_part_of_another_is_not_overlooked(form, column, labels, loss):
    """Along it the minimiser is 1e13 away; a dual point that does not balance it proves nothing."""
    A = np.c_[np.ones(6), column]
    found, plain = (from_arrays(form(B), np.array(labels), loss) for B in (A, A * [1.0, 1e13]))
    reach = [float(found.value(np.array([0.0, t * 1e13]))) for t in np.linspace(0, 3, 61)]
    assert found.minimum.lower <= min(reach)
    assert found.minimum.upper == pytest.approx(plain.minimum.upper, abs=1e-12)
    np.testing.assert_allclose(found.solution * [1.0, 1e-13], plain.solution, atol=1e-7)


def test_columns_of_any_scale_have_the_minimum_that_they_have_without_the_scales():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 3))
    y = np.where(A @ [1, -1, 2] + rng.standard_normal(40) > 0, 1, -1)
    scales = np.array([1e12, 1e-12, 1.0])
    wild, tame = from_arrays(A * scales, y), from_arrays(A, y)
    assert wild.minimum.lower == pytest.approx(tame.minimum.lower, rel=1e-12)
    np.testing.assert_allclose(wild.solution * scales, tame.solution, rtol=1e-6)


def test_huber_far_from_its_solution_is_minimised_and_a_flat_start_is_no_solution():
    """At 0 every residual is on the straight part: the Hessian is 0, and so is a Newton step."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((200, 4))
    problem = from_arrays(A, A @ np.full(4, 1e4) + rng.standard_normal(200), "huber", delta=1.0)
    assert np.linalg.norm(problem.solution - 1e4) < 1.0 and audit(problem) == []
    assert problem.minimum.upper - problem.minimum.lower < 1e-9
    assert float(problem.value(np.zeros(4))) > 1000 * problem.minimum.upper


def test_a_softmax_problem_with_a_weak_ridge_has_its_minimiser():
    """Its Hessian is the ridge alone along the common shift: a step there is rounding over alpha."""
    for trial in range(20):
        rng = np.random.default_rng(trial)
        n = int(rng.integers(3, 6))
        problem = from_arrays(2.0 * rng.standard_normal((n, 2)), np.arange(n) % 3, "softmax", alpha=1e-6)
        assert problem.solution is not None
