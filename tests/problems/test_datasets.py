"""The data sets are what their documentation says."""

from __future__ import annotations

import numpy as np
import pytest

from problems import L2Ball, Logistic, Softmax, best_in_hindsight
from problems.datasets import _checked, breast_cancer, digits

EPS = float(np.finfo(np.float64).eps)


def test_breast_cancer_is_standardised_with_a_bias_column():
    data = breast_cancer()
    assert data.features.shape == (569, 31) and np.array_equal(data.features[:, -1], np.ones(569))
    assert np.allclose(data.features[:, :30].mean(axis=0), 0, atol=569 * EPS)
    assert np.allclose(data.features[:, :30].std(axis=0), 1, rtol=569 * EPS)
    assert np.array_equal(np.unique(data.labels), [-1, 1]) and np.sum(data.labels == 1) == 357


def test_digits_are_scaled_to_the_unit_interval():
    data = digits()
    assert data.features.shape == (1797, 64)
    assert data.features.min() == 0 and data.features.max() == 1
    assert np.array_equal(np.unique(data.labels), np.arange(10))


@pytest.mark.parametrize(("data", "kind", "shape"), [(breast_cancer, Logistic, (31,)), (digits, Softmax, (10, 64))])
def test_each_has_the_loss_of_a_linear_classifier_that_learns(data, kind, shape):
    loss = data().loss()
    assert isinstance(loss, kind) and loss.shape == shape
    total = loss.total(np.ones(loss.samples))
    fitted = best_in_hindsight(total, L2Ball(3.0), np.zeros(shape), iterations=40)
    assert fitted.upper < 0.6 * total.value(np.zeros(shape))


def test_the_arrays_are_shared_and_read_only():
    assert breast_cancer() is breast_cancer()
    with pytest.raises(ValueError, match="read-only"):
        digits().features[0, 0] = 1.0


def test_a_changed_copy_is_refused():
    data = breast_cancer()
    with pytest.raises(ValueError, match="has changed"):
        _checked("breast_cancer", data.features[:-1].copy(), data.labels[:-1].copy(), 2, (569, 31))
    with pytest.raises(ValueError, match="has changed"):
        _checked("breast_cancer", data.features.copy(), np.zeros(569, dtype=np.int64), 2, (569, 31))
