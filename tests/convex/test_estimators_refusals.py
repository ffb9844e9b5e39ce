"""What is refused is refused before anything of the model changes, and what is no switch is no switch."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from convex import DASVRDAClassifier, DASVRDARegressor
from convex.engine import Options
from convex.estimators.validation import LARGEST


def data():
    X = np.random.default_rng(0).standard_normal((50, 6))
    return X, (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("model", [DASVRDAClassifier(), DASVRDARegressor()])
@pytest.mark.parametrize("warm", [False, True])
def test_a_refused_fit_leaves_the_model_as_it_was(model, warm):
    X, y = data()
    model = clone(model).set_params(warm_start=warm).fit(pd.DataFrame(X, columns=list("abcdef")), y)
    before = model.predict(pd.DataFrame(X, columns=list("abcdef")))
    with pytest.raises(ValueError, match="warm_start=True|sample_weight"):
        model.fit(X[:, :3], y, sample_weight=None if warm else -np.ones(50))
    assert model.n_features_in_ == 6 and list(model.feature_names_in_) == list("abcdef")
    np.testing.assert_array_equal(model.predict(pd.DataFrame(X, columns=list("abcdef"))), before)
    model.set_params(warm_start=False).fit(X[:, :3], y)  # and one that is not refused does not
    assert model.n_features_in_ == 3 and not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("name", ["fit_intercept", "warm_start"])
def test_a_word_is_not_a_switch(name):
    X, y = data()
    for wrong in ("no", None, 2, 0.0):
        with pytest.raises(ValueError, match=f"{name!r} parameter of DASVRDAClassifier must be True or False"):
            DASVRDAClassifier(**{name: wrong}).fit(X, y)
    for right in (True, np.False_, 0, np.int64(1)):
        DASVRDAClassifier(**{name: right}, alpha=0.1).fit(X, y)


def test_options_are_of_their_kinds():
    for wrong in ({"grow_step": "no"}, {"finish": 1}, {"working_set": None}):
        with pytest.raises(ValueError, match="is True or False, not"):
            Options(**wrong)
    for batch in (2.5, 0, -1, True, "3"):
        with pytest.raises(ValueError, match="a batch is None or an integer of at least one row"):
            Options(batch=batch)
    assert Options(batch=np.int64(3)).batch == 3 and Options(batch=None).batch is None
    X, y = data()
    with pytest.raises(ValueError, match="grow_step is True or False"):
        DASVRDAClassifier(options={"grow_step": "no"}).fit(X, y)


@pytest.mark.parametrize("loss", ["log_loss", "multinomial", "squared_hinge", "modified_huber"])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_up_to_the_limit_there_are_answers_without_warnings_and_above_it_none(loss, ratio):
    X, y = data()
    X = X / np.abs(X).max()
    y = X[:, :3].argmax(axis=1) if loss == "multinomial" else y
    model = DASVRDAClassifier(loss=loss, l1_ratio=ratio, alpha=1e-3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for factor in (1e36, 1e60, 1e80, LARGEST):
            model.fit(X * factor, y)
            assert np.max(model.dual_gap_) <= 1e-6
        model.fit((X * 3e38).astype(np.float32), y)
        assert np.max(model.dual_gap_) <= 1e-6
        with pytest.raises(ValueError, match="Scale the features"):
            model.fit(X * LARGEST * 1.01, y)


def test_features_whose_squares_vanish_are_fitted_too():
    X, y = data()
    for loss in ("log_loss", "multinomial"):
        for size in (1e-150, 1e-200, 1e-300):
            for alpha in (0.0, 1e-3):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)
                    wide = np.tile(X * size, (1, 200))
                    model = DASVRDAClassifier(loss=loss, alpha=alpha, max_iter=20, random_state=0)
                    assert model.fit(X * size, y + (X[:, 1] > 0.3)).dual_gap_ >= 0.0
                    assert model.fit(wide, y).dual_gap_ >= 0.0
