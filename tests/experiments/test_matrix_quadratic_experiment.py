"""The comparison on the matrix quadratic: its claims at the smallest scale, divergence, cells of a sweep, its figure."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.results import Results
from experiments.spec import SCALES
from experiments.store import Store
from experiments.suite.matrix_quadratic import EXPONENTS, METHODS, Curves, MatrixQuadraticExperiment, best_rate
from paper_figures.files import draw
from paper_figures.matrix_quadratic import draw as spec_of_figure
from paper_figures.matrix_quadratic import gather
from problems.matrix_quadratic import gaussian_matrix_quadratic
from regret import OnlineGradientDescent
from theory.finding import FAILING

EXPERIMENT = MatrixQuadraticExperiment()
WITHOUT_COORDINATES = ("GradientDescent", "Scalar", "LeftKronecker", "RightKronecker", "FullReduced", "Shampoo")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Every run of the smallest scale, n = 30 and 60 steps."""
    store = Store(tmp_path_factory.mktemp("matrix_quadratic") / "results")
    for spec in EXPERIMENT.runs("ci"):
        store.save(spec, EXPERIMENT.execute(spec), {})
    return store


@pytest.fixture(scope="module")
def results(store):
    return Results.read(store, (EXPERIMENT.id,), "ci", suite={EXPERIMENT.id: EXPERIMENT})


def final(results, method: str, rotated: bool = False, quantity: str = "average_loss") -> float:
    """The last loss at the best rate."""
    curve = gather(results, method, rotated, quantity)
    return float(curve.values[0, -1])


def test_every_scale_plans_every_method_in_both_bases_once():
    for scale in SCALES:
        specs = EXPERIMENT.runs(scale)
        assert len(set(specs)) == len(specs)
        for method in METHODS:
            planned = [s for s in specs if s.params["method"] == method and s.params["seed"] == 0]
            for rotated in (False, True):
                cells = [s.params["exponents"] for s in planned if s.params["rotated"] is rotated]
                assert sorted(k for cell in cells for k in cell) == list(EXPONENTS)


# The gaps are at least 1.7 on five draws of X* (full against diagonal; the others are above 2); 1.5 is asked for.
def test_averages_are_ordered_one_sided_then_diagonal_then_full_then_scalar_in_the_eigenbasis(results):
    ordered = [final(results, method) for method in ("LeftKronecker", "Diagonal", "Full", "Scalar", "GradientDescent")]
    assert all(1.5 * better < worse for better, worse in zip(ordered[:3], ordered[1:4], strict=True))
    assert ordered[3] < ordered[4]


def test_the_iterates_of_left_and_diagonal_reach_the_solution_and_no_other_method_comes_near(results):
    reached = {method: final(results, method, quantity="loss") for method in METHODS}
    assert max(reached.pop("LeftKronecker"), reached.pop("Diagonal")) < 1e-20
    assert min(reached.values()) > 1e-8


def test_adagrad_collapses_when_rotated(results):
    assert final(results, "Diagonal", rotated=True) > 5 * final(results, "Diagonal")
    assert final(results, "Diagonal", rotated=True) > final(results, "Scalar", rotated=True)
    assert final(results, "Diagonal", True, "loss") > 1e10 * final(results, "Diagonal", False, "loss")


@pytest.mark.parametrize("method", WITHOUT_COORDINATES)
def test_a_method_without_coordinates_draws_the_same_curve_in_both_bases(results, method):
    plain, rotated = (gather(results, method, basis, "average_loss") for basis in (False, True))
    assert plain.rate == rotated.rate
    # Roots of statistics with a condition number of 1e12 are known to about 1e-4.
    np.testing.assert_allclose(rotated.values, plain.values, rtol=1e-3)


def test_rounding_costs_full_matrix_adagrad_what_exact_arithmetic_would_give_it(results):
    assert final(results, "FullReduced") < 1.5 * final(results, "LeftKronecker")
    assert final(results, "FullReduced") < final(results, "Full") / 3


def test_the_wrong_side_does_not_help(results):
    assert final(results, "RightKronecker") > 5 * final(results, "LeftKronecker")


@pytest.mark.parametrize("method", METHODS)
def test_the_bound_lies_above_the_loss_of_the_average_at_every_rate_and_step(results, method):
    for run in results.where(method=method):
        finite = np.isfinite(run.arrays["average_loss"])
        loss, bound = run.arrays["average_loss"][finite], run.arrays["bound"][finite]
        assert loss.size > 60
        assert (loss <= bound).all()
        assert METHODS[method].structure is None or (10 * loss > bound).any()  # it is not above by any margin


def test_every_verdict_of_the_bounds_stands(results):
    verdicts = results.verdicts()
    assert len(verdicts) == len(results)
    assert not [v for v in verdicts if v["kind"] in FAILING]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("quantity", ["loss", "average_loss"])
def test_the_best_rate_is_inside_the_grid(results, method, quantity):
    for rotated in (False, True):
        rates = results.one(method=method, rotated=rotated).arrays["rates"]
        assert rates.min() < gather(results, method, rotated, quantity).rate < rates.max()


def test_a_diverging_rate_is_recorded_as_infinite_and_leaves_the_others_alone(results):
    run = results.one(method="GradientDescent", rotated=False)
    loss = run.arrays["loss"]
    gone = np.isinf(loss)
    assert run.summary["diverged"] == gone[-1].sum() == 4  # every rate above 2/L
    assert (np.diff(gone.astype(int), axis=0) >= 0).all()  # once gone, for good
    np.testing.assert_array_equal(np.isinf(run.arrays["average_loss"]), gone)
    alone = EXPERIMENT.execute(EXPERIMENT.spec(**{**run.params, "exponents": [0]})).arrays["loss"][:, 0]
    np.testing.assert_array_equal(alone, loss[:, EXPONENTS.index(0)])


def test_the_loss_that_is_recorded_is_that_of_the_iterates_and_averages():
    problem = gaussian_matrix_quadratic(12, rotated=True)
    curves, learner = Curves(problem, 6), OnlineGradientDescent(problem.shape, lr=(0.1, 0.4))
    state, seen = learner.init(np.zeros((2, 12, 12))), []
    for t in range(6):
        seen.append(state["x"])
        state = learner.step(state, curves.gradient(t, state["x"]))
    averages = [np.mean(seen[: t + 1], axis=0) for t in range(6)]
    np.testing.assert_allclose(curves.losses, [problem.value(x) for x in seen])
    np.testing.assert_allclose(curves.average_losses, [problem.value(x) for x in averages])


def test_the_best_rate_has_the_smallest_median_and_infinite_losses_never_win():
    final_losses = np.array([[np.inf, 1.0, 0.3], [np.inf, 2.0, 0.4], [0.0, 3.0, 9.0]])
    assert best_rate(final_losses) == 2


def test_one_rate_per_run_gives_the_curves_of_the_batch(results, tmp_path):
    whole = results.one(method="Shampoo", rotated=True)
    split = Store(tmp_path / "split")
    specs = [EXPERIMENT.spec(**{**whole.params, "exponents": [k]}) for k in (1, 0, -1)]
    for spec in specs:
        split.save(spec, EXPERIMENT.execute(spec), {})
    apart = Results(tuple(split.load(spec.key) for spec in specs))
    together, parts = (gather(r, "Shampoo", True, "average_loss") for r in (results, apart))
    assert parts.rate == together.rate
    np.testing.assert_allclose(parts.values, together.values, rtol=1e-6)  # batched products may round differently


def test_the_figure_draws_every_method_in_both_bases(results, tmp_path):
    entry = draw(spec_of_figure, results, "ci", tmp_path)
    header, *rows = (tmp_path / "matrix_quadratic.csv").read_text().splitlines()
    assert len(rows) == 2 * len(METHODS) * 61
    assert header.split(",")[:3] == ["basis", "method", "step"]
    assert entry["runs"] == sorted(results.keys)
