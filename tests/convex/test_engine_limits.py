"""The number of passes is a limit, and who watches a run sees all of it and can stop it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import LOSSES

from convex import DASVRDAClassifier
from convex.engine import Options, minimise
from convex.estimators.polish import polished

OVER = 4.0  # passes of the stage or step at work, and of the intercept at its end


def rough(n=200, d=1001, seed=0):
    """Sparse rows and columns of sizes between 1e-2 and 1e2: models are badly conditioned."""
    rng = np.random.default_rng(seed)
    A = sp.random(n, d, 0.03, random_state=seed, format="csr", data_rvs=rng.standard_normal)
    A = sp.csr_matrix(sp.diags(10.0 ** rng.uniform(-2, 2, n)) @ A @ sp.diags(10.0 ** rng.uniform(-2, 2, d)))
    return A, np.where(A @ rng.standard_normal(d) + 0.5 * rng.standard_normal(n) > 0, 1, -1)


def spent(X, y, most, **arguments):
    return minimise(X, y, tol=0.0, max_passes=most, **arguments).passes


@pytest.mark.parametrize("penalty", [(1e-4, 0.0), (1e-5, 1e-6), (0.0, 1e-7), (0.0, 0.0)])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_limit_holds_for_every_method_on_many_features(loss, penalty):
    X, y = rough()
    for matrix in (X, X.toarray(), X[:, :40].toarray()):
        for most in (3, 20):
            passes = spent(matrix, y.astype(float), most, loss=loss, l1=penalty[0], l2=penalty[1])
            assert passes <= most + OVER


@pytest.mark.parametrize("penalty", [(1e-3, 0.0), (1e-4, 1e-4), (0.0, 1e-6)])
def test_the_limit_holds_for_a_softmax(penalty):
    X, _ = rough()
    y = np.random.default_rng(0).integers(0, 4, 200).astype(float)
    for matrix in (X, X[:, :40].toarray(), np.random.default_rng(1).standard_normal((200, 5))):
        for most in (3, 20, 45):
            for options in (Options(), Options(working_set=False)):
                passes = spent(matrix, y, most, loss="multinomial", l1=penalty[0], l2=penalty[1], options=options)
                assert passes <= most + OVER


def easy():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 10))
    return X, np.where(X[:, 0] + rng.standard_normal(200) > 0, 1, -1)


def test_polishing_is_within_the_limit_and_seen():
    X, y = easy()
    seen = []
    model = DASVRDAClassifier(alpha=1e-3, max_iter=1000, callback=seen.append, random_state=0).fit(X, y)
    reached = next(record.passes for record in seen if record.gap <= 1e-6)
    assert model.n_iter_ > reached + 1 and tuple(seen) == model.history_
    most = int(np.ceil(reached))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        short = DASVRDAClassifier(alpha=1e-3, max_iter=most, random_state=0).fit(X, y)
    assert short.n_iter_ <= most + OVER < model.n_iter_ + OVER


def test_who_watches_can_stop_the_polishing():
    X, y = easy()
    whole = DASVRDAClassifier(alpha=1e-3, random_state=0).fit(X, y)
    reached = next(record.passes for record in whole.history_ if record.gap <= 1e-6)
    model = DASVRDAClassifier(alpha=1e-3, random_state=0, callback=lambda r: r.passes > reached).fit(X, y)
    assert len(model.history_) == 1 + sum(r.passes <= reached for r in whole.history_) < len(whole.history_)
    assert model.dual_gap_ <= 1e-6


def test_polishing_asks_for_no_more_than_is_left():
    X, y = easy()
    first = minimise(X, y.astype(float), l2=1e-3, tol=1e-6)
    asked = []

    def solve(**arguments):
        asked.append(arguments["max_passes"])
        return first

    polished(solve, first, 1e-6, first.passes + 7.0, None)
    polished(solve, first, 1e-6, 1e6, None)
    polished(solve, first, 1e-6, first.passes + 0.5, None)  # not worth while
    assert asked == [pytest.approx(7.0), 500]
