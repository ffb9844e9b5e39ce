"""The engine finds the optimum, whatever is switched on, and its duality gap is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import LOSSES, ORACLE, PENALTIES, TOL, data, dual_objective, objective, optimum

from convex.engine import Options, minimise

OPTIONS = {
    "default": Options(),
    "published": Options.published(),
    "published, function restart": Options.published(restart="function"),
    "no finish": Options(finish=False),
    "no growing step": Options(finish=False, grow_step=False),
    "i.i.d. importance": Options(finish=False, contiguous=False, importance="iid"),
    "i.i.d. uniform": Options(finish=False, contiguous=False, importance="uniform"),
    "contiguous uniform": Options(finish=False, importance="uniform"),
    "chunks": Options(finish=False, contiguous=False),
    "gradient restart": Options(finish=False, restart="gradient"),
    "no restart": Options(finish=False, restart=None),
    "published constants": Options(finish=False, sharp_constants=False),
    "intercept as a coordinate": Options(finish=False, exact_intercept=False),
    "no working set": Options(working_set=False),
    "batch of one": Options(finish=False, batch=1),
    "batch of all": Options(finish=False, batch=1000),
}


def solve(loss: str, penalty: str, intercept: bool, options: Options | None = None, form=np.asarray, **more):
    X, y, weights = data(loss)
    l1, l2 = PENALTIES[penalty]
    arguments = {"loss": loss, "l1": l1, "l2": l2, "sample_weight": weights, "fit_intercept": intercept, "tol": TOL}
    return minimise(form(X), y, **{"max_passes": 5000, **arguments, **more}, options=options or Options())


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_optimum_is_that_of_an_interior_point_method_and_the_gap_covers_the_distance(loss, penalty, intercept):
    solution = solve(loss, penalty, intercept)
    best = optimum(loss, penalty, intercept)
    assert solution.converged
    assert 0 <= solution.gap <= TOL
    assert abs(solution.objective - best) <= ORACLE
    assert solution.objective == pytest.approx(objective(loss, penalty, solution.coef, solution.intercept), rel=1e-14)
    assert intercept or solution.intercept == 0.0
    assert solution.coef[3] == 0.0  # the column of zeros


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("passes", [1, 6, 20])
def test_an_early_gap_is_that_of_its_dual_point_and_an_upper_bound(loss, penalty, intercept, passes):
    solution = solve(loss, penalty, intercept, Options(finish=False), max_passes=passes, tol=0.0)
    lower = dual_objective(loss, penalty, solution.dual, intercept)
    assert lower <= optimum(loss, penalty, intercept) + ORACLE
    assert solution.gap >= solution.objective - optimum(loss, penalty, intercept) - ORACLE
    # The gap may be above P - D by the bound on what balancing the intercept cost, at most 1e-3 of F.
    rounding = 1e-13 * (abs(solution.objective) + abs(lower))
    assert solution.gap >= solution.objective - lower - rounding
    assert solution.gap <= solution.objective - lower + 1e-3 * solution.objective + rounding


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(("loss", "penalty"), [("log_loss", "elastic net"), ("huber", "lasso")])
def test_every_switch_reaches_the_same_optimum(name, loss, penalty):
    solution = solve(loss, penalty, True, OPTIONS[name])
    assert solution.converged
    assert solution.objective == pytest.approx(optimum(loss, penalty, True), abs=ORACLE)


def int64(X: np.ndarray) -> sp.csr_array:
    """CSR with 64-bit indices."""
    A = sp.csr_array(X)
    A.indices, A.indptr = A.indices.astype(np.int64), A.indptr.astype(np.int64)
    return A


def read_only(X: np.ndarray) -> np.ndarray:
    """A view that cannot be written to."""
    view = X.view()
    view.flags.writeable = False
    return view


FORMS = {"csr_matrix": sp.csr_matrix, "csr_array": sp.csr_array, "int64 indices": int64, "read-only": read_only}


@pytest.mark.parametrize("options", [Options(), Options(finish=False)], ids=["finish", "no finish"])
@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_the_data_has_the_same_solution(name, options):
    dense = solve("log_loss", "elastic net", True, options)
    other = solve("log_loss", "elastic net", True, options, FORMS[name])
    # Both are within TOL of the optimum, and P grows by (l2/2) |w - w*|² = 0.05 |w - w*|².
    assert np.abs(dense.coef - other.coef).max() <= 2 * np.sqrt(TOL / 0.05)
    assert other.objective == pytest.approx(dense.objective, abs=TOL)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_float32_data_are_numbers_like_any_other(form):
    X, y, _ = data("log_loss")
    small = X.astype(np.float32)
    exact = minimise(form(small.astype(np.float64)), y, l2=0.1, tol=TOL)
    solution = minimise(form(small), y, l2=0.1, tol=TOL)
    assert solution.converged
    assert solution.coef.dtype == np.float64
    assert solution.objective == pytest.approx(exact.objective, abs=TOL)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_weight_of_two_is_the_row_twice(penalty):
    X, y, _ = data("log_loss")
    counts = np.arange(y.size) % 3 + 1
    l1, l2 = PENALTIES[penalty]
    weighted = minimise(X, y, l1=l1, l2=l2, sample_weight=counts.astype(float), tol=TOL)
    repeated = minimise(np.repeat(X, counts, axis=0), np.repeat(y, counts), l1=l1, l2=l2, tol=TOL)
    assert weighted.objective == pytest.approx(repeated.objective, abs=2 * TOL)


def test_scaling_all_weights_changes_nothing():
    _, _, weights = data("log_loss")
    one = solve("log_loss", "elastic net", True)
    # A power of two changes no bits of weights over their sum.
    other = solve("log_loss", "elastic net", True, sample_weight=weights * 1024)
    np.testing.assert_array_equal(one.coef, other.coef)


@pytest.mark.parametrize("options", [Options(), Options(finish=False), Options.published()])
def test_the_same_seed_gives_the_same_bits_and_another_seed_another_path(options):
    first, again = (solve("log_loss", "elastic net", True, options, seed=3, max_passes=9) for _ in range(2))
    np.testing.assert_array_equal(first.coef, again.coef)
    assert [replace(line, seconds=0.0) for line in first.history] == [
        replace(line, seconds=0.0) for line in again.history
    ]
    if not options.finish:
        other = solve("log_loss", "elastic net", True, options, seed=4, max_passes=9)
        assert not np.array_equal(first.coef, other.coef)


def test_a_start_at_the_solution_is_certified_by_the_first_pass():
    first = solve("log_loss", "ridge", True, tol=1e-13)
    again = solve("log_loss", "ridge", True, start=(first.coef, first.intercept))
    assert again.converged
    assert again.passes == 1.0
    np.testing.assert_allclose(again.coef, first.coef, rtol=0, atol=0)


def test_history_counts_passes_and_a_callback_stops():
    seen = []

    def callback(record):
        seen.append(record)
        return len(seen) == 3

    solution = solve("log_loss", "ridge", True, Options(finish=False), callback=callback)
    assert not solution.converged
    assert tuple(seen) == solution.history
    passes = [line.passes for line in seen]
    assert passes[0] == 1.0
    assert all(1.0 < b - a <= 2.0 + 1e-9 for a, b in zip(passes, passes[1:], strict=False))
    assert all(a.seconds <= b.seconds for a, b in zip(seen, seen[1:], strict=False))


def test_an_interruption_in_a_callback_comes_through():
    def callback(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve("log_loss", "ridge", True, callback=callback)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("options", [Options(), Options(finish=False), Options.published()])
def test_one_row_a_row_of_zeros_and_data_of_zeros(loss, options):
    for X in (np.array([[2.0, -1.0]]), np.zeros((1, 2)), np.zeros((5, 2))):
        y = np.ones(X.shape[0])
        for intercept in (False, True):
            arguments = {"loss": loss, "l1": 0.01, "l2": 0.1, "fit_intercept": intercept, "tol": 1e-8}
            solution = minimise(X, y, **arguments, max_passes=3000, options=options)
            assert solution.converged, (X, intercept)
            assert X.any() or not solution.coef.any()


def test_a_large_penalty_leaves_nothing_and_is_certified_at_once():
    X, y, _ = data("log_loss")
    solution = minimise(X, y, l1=100.0, l2=0.0, tol=1e-12)
    assert solution.converged
    assert not solution.coef.any()
    assert solution.passes == 1.0
    positive = (y > 0).mean()
    assert solution.intercept == pytest.approx(np.log(positive / (1 - positive)), rel=1e-9)


def test_an_offset_in_the_data_or_in_the_targets_is_found_by_the_intercept():
    X, y, _ = data("squared_error")
    near = minimise(X, y, loss="squared_error", l2=0.1, tol=1e-10)
    far = minimise(X, y + 1e6, loss="squared_error", l2=0.1, tol=1e-8, max_passes=3000)
    assert far.converged
    assert far.intercept - near.intercept == pytest.approx(1e6, abs=1e-2)
    assert far.objective == pytest.approx(near.objective, abs=1e-7)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"importance": "none"}, "chunks"), ({"restart": "always"}, "gradient"), ({"batch": 0}, "at least one row")],
)
def test_options_refuse_what_is_not_a_switch(change, words):
    with pytest.raises(ValueError, match=words):
        Options(**change)
