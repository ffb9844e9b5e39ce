"""The five experiments on finite sums store what they claim, on small sizes, and their figures draw it."""

import numpy as np
import pytest

from experiments.results import Results
from experiments.store import Store
from experiments.suite._finite_sums import PENALTIES, optimum, problem
from experiments.suite.dasvrda_bound import DASVRDABound
from experiments.suite.finite_sum import METHODS, FiniteSum
from experiments.suite.gap_certificate import GapCertificate
from experiments.suite.minibatch import MiniBatch
from experiments.suite.solver_seconds import CONTESTANTS, SolverSeconds
from paper_figures.base import load_figures
from paper_figures.style import house_style

SUITE = {
    experiment.id: experiment
    for experiment in (FiniteSum(), MiniBatch(), GapCertificate(), DASVRDABound(), SolverSeconds())
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Every run of an experiment at the ci scale, computed once."""
    made = {}

    def of(name) -> Results:
        if name not in made:
            store = Store(tmp_path_factory.mktemp(name) / "results")
            specs = SUITE[name].runs("ci")
            for spec in specs:
                store.save(spec, SUITE[name].execute(spec), {})
            made[name] = Results(tuple(store.load(spec.key) for spec in specs))
        return made[name]

    return of


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_optimum_is_certified_and_no_proximal_step_moves_it(penalty):
    best, objective = optimum("breast_cancer", penalty), problem("breast_cancer", penalty)
    assert best.lower <= best.upper
    assert best.gap <= 1e-14
    step = 1.0 / objective.smoothness
    moved = objective.penalty.prox(best.x - step * objective.gradient(best.x), step) - best.x
    # P grows by at least (μ/2)|x - x*|²: a gap of 1e-14 leaves an error of sqrt(2e-14/1e-4).
    assert np.linalg.norm(moved) <= (2e-14 / 1e-4) ** 0.5


def test_every_method_makes_progress_and_is_never_below_the_optimum(stored):
    runs = stored("finite_sum")
    assert {run.params["method"] for run in runs} == set(METHODS)
    for run in runs:
        above = run.arrays["suboptimality"]
        assert np.all(above >= 0)
        assert np.all(np.min(above[:, -1], axis=0) < above[0, 0])
        assert run.arrays["evaluations"][0] == 0
        assert run.arrays["evaluations"][-1] <= run.params["passes"] * run.summary["samples"]


def test_the_sharper_constants_help(stored):
    for (penalty,), runs in stored("finite_sum").groups("penalty"):
        ends = {run.params["method"]: np.median(run.arrays["suboptimality"][0, -1]) for run in runs}
        assert ends["DASVRDA, sharper"] < ends["DASVRDA"] < ends["SVRG"], penalty


def test_no_mini_batch_needs_more_than_it_is_guaranteed(stored):
    for run in stored("minibatch"):
        if run.params["method"] != "Katyusha":  # whose guarantee leaves a constant out
            assert np.min(run.arrays["passes"]) < run.summary["guaranteed"]


def test_the_gap_is_above_the_suboptimality_at_every_snapshot(stored):
    for run in stored("gap_certificate"):
        a = run.arrays
        # P is a mean of n terms below one: its rounding is far under 1e-14.
        assert np.all(a["gap"] >= a["above_upper"] - 1e-14)
        assert np.isfinite(a["gap"]).any()
        assert a["gap"][-1] < 0.1 * np.max(a["gap"][np.isfinite(a["gap"])])


def test_the_runs_stay_below_the_bounds_and_the_sharp_ones_are_lower(stored):
    for run in stored("dasvrda_bound"):
        told = np.isfinite(run.arrays["bound"])
        assert np.all(run.arrays["mean"][told][1:] <= run.arrays["bound"][told][1:])
        assert [verdict["kind"] for verdict in run.verdicts] in (["NOT_REFUTED"], ["CONFIRMED"])
    for (penalty,), runs in stored("dasvrda_bound").groups("penalty"):
        last = {run.params["constants"]: run.arrays["bound"][-1] for run in runs if run.params["form"] == "once"}
        assert last["sharp"] < 0.7 * last["published"], penalty


def test_no_contestant_returns_a_worse_point_for_a_smaller_tolerance(stored):
    runs = stored("solver_seconds")
    assert {run.params["solver"] for run in runs} == set(CONTESTANTS)
    for run in runs:
        above = run.arrays["suboptimality"]
        start = float(problem(run.params["data"], run.params["penalty"]).value(np.zeros(31)))
        # A Newton step may go past every tolerance; then both are the rounding of P.
        assert above[-1] <= above[0] + 1e-14
        assert above[0] < start / 2
        assert len(run.summary["seconds"]) == len(above)


def test_our_solver_keeps_its_promise(stored):
    """The tolerance is a bound of the suboptimality itself; for the others it is not."""
    for run in stored("solver_seconds"):
        if run.params["solver"].startswith("DASVRDA"):
            assert np.all(run.arrays["suboptimality"] <= run.arrays["tolerance"])


@pytest.mark.parametrize("name", SUITE)
def test_the_figure_draws_every_run(stored, name):
    import matplotlib.pyplot as plt

    with house_style():
        fig = plt.figure()
        table = load_figures()[name](stored(name), fig)
        fig.canvas.draw()
        plt.close(fig)
    assert len(table) > 0
